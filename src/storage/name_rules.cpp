#include "storage/name_rules.hpp"

#include "base/check.hpp"
#include "content/entries.hpp"

namespace peernet::storage {
namespace {

constexpr std::string_view kSuffix = ".part";
constexpr std::size_t kIdDigits = 16;

/// Length of the well-formed UTF-8 sequence at the start of text, 0 if there is none (RFC 3629).
std::size_t utf8_length(std::string_view text) {
  const auto at = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = at(0);
  const std::size_t n = first < 0x80                    ? 1
                        : first >= 0xc2 && first < 0xe0 ? 2
                        : (first & 0xf0U) == 0xe0       ? 3
                        : first >= 0xf0 && first < 0xf5 ? 4
                                                        : 0;
  if (n == 0 || text.size() < n) return 0;
  for (std::size_t i = 1; i < n; ++i)
    if ((at(i) & 0xc0U) != 0x80) return 0;
  if (first == 0xe0 && at(1) < 0xa0) return 0;  // overlong
  if (first == 0xed && at(1) > 0x9f) return 0;  // surrogate
  if (first == 0xf0 && at(1) < 0x90) return 0;
  if (first == 0xf4 && at(1) > 0x8f) return 0;
  return n;
}

}  // namespace

std::string part_name(std::string_view name, const ContentId& id) {
  PN_CHECK(content::check_name(name) == content::NameFault::kNone);
  if (name.size() + kSuffix.size() <= content::kMaxNameBytes) return std::string(name) + std::string(kSuffix);
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string out(name.substr(0, content::kMaxNameBytes - kSuffix.size() - kIdDigits - 1));
  out += '.';
  for (std::size_t i = 0; i < kIdDigits / 2; ++i) {
    const auto b = std::to_integer<unsigned>(id[i]);
    out += kHex[b >> 4];
    out += kHex[b & 15U];
  }
  return out + std::string(kSuffix);
}

TargetWish split_target(std::string_view option) {
  const std::size_t slash = option.rfind('/');
  if (slash == std::string_view::npos) return {.directory = "", .name = std::string(option)};
  std::string_view directory = option.substr(0, slash);
  if (directory.empty()) directory = "/";
  return {.directory = std::string(directory), .name = std::string(option.substr(slash + 1))};
}

std::string printable(std::string_view name) {
  std::string out;
  while (!name.empty()) {
    const std::size_t n = utf8_length(name);
    const auto first = static_cast<unsigned char>(name.front());
    // U+0080 to U+009F are control characters too, and terminals obey them.
    const bool control =
        first < 0x20 || first == 0x7f || (n == 2 && first == 0xc2 && static_cast<unsigned char>(name[1]) < 0xa0);
    if (n == 0 || control)
      out += '?';
    else
      out += name.substr(0, n);
    name.remove_prefix(n == 0 ? 1 : n);
  }
  return out;
}

}  // namespace peernet::storage
