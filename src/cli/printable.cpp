#include "cli/printable.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <vector>

namespace peernet::cli {
namespace {

struct Character {
  char32_t code = 0;
  std::size_t bytes = 0;  // 0: not valid UTF-8 here
};

struct Range {
  char32_t first;
  char32_t last;
};

// Directional marks, embeddings and isolates (Unicode TR 9), separators, byte order mark, tags, surrogates' neighbours.
constexpr std::array<Range, 8> kUnsafe{Range{0x00, 0x1f}, {0x7f, 0x9f},     {0x061c, 0x061c}, {0x200b, 0x200f},
                                       {0x2028, 0x202e},  {0x2060, 0x206f}, {0xfeff, 0xfeff}, {0xe0000, 0xe0fff}};
// The blocks that matter for file names; a terminal's own table may differ in rare characters, which shifts one line.
constexpr std::array<Range, 10> kWide{Range{0x1100, 0x115f}, {0x2e80, 0x303e},  {0x3041, 0xa4cf}, {0xac00, 0xd7a3},
                                      {0xf900, 0xfaff},      {0xfe30, 0xfe6f},  {0xff00, 0xff60}, {0xffe0, 0xffe6},
                                      {0x1f300, 0x1faff},    {0x20000, 0x3fffd}};
constexpr std::array<Range, 7> kCombining{Range{0x0300, 0x036f}, {0x0483, 0x0489}, {0x0591, 0x05bd}, {0x064b, 0x065f},
                                          {0x1ab0, 0x1aff},      {0x20d0, 0x20ff}, {0xfe00, 0xfe0f}};

template <std::size_t N>
bool in(const std::array<Range, N>& ranges, char32_t code) {
  return std::ranges::any_of(ranges, [code](const Range& r) { return code >= r.first && code <= r.last; });
}

// RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF.
Character decode(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text[0]);
  if (lead < 0x80) return {lead, 1};
  const std::size_t bytes = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < bytes) return {};
  char32_t code = lead & (0xffu >> (bytes + 1));
  for (std::size_t i = 1; i < bytes; ++i) {
    const auto next = static_cast<unsigned char>(text[i]);
    if ((next & 0xc0u) != 0x80) return {};
    code = (code << 6) | (next & 0x3fu);
  }
  constexpr std::array<char32_t, 5> kSmallest{0, 0, 0x80, 0x800, 0x10000};
  if (code < kSmallest[bytes] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return {};
  return {code, bytes};
}

std::size_t width_of(char32_t code) {
  return in(kCombining, code) ? 0 : in(kWide, code) ? 2 : 1;
}

}  // namespace

std::string printable(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const Character character = decode(text);
    const std::size_t bytes = std::max<std::size_t>(character.bytes, 1);
    if (character.bytes == 0 || in(kUnsafe, character.code)) {
      for (const char c : text.substr(0, bytes)) out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    } else {
      out += text.substr(0, bytes);
    }
    text.remove_prefix(bytes);
  }
  return out;
}

std::size_t display_width(std::string_view text) {
  std::size_t columns = 0;
  while (!text.empty()) {
    const Character character = decode(text);
    columns += character.bytes == 0 ? 1 : width_of(character.code);
    text.remove_prefix(std::max<std::size_t>(character.bytes, 1));
  }
  return columns;
}

std::string shortened(std::string_view text, std::size_t columns) {
  constexpr std::string_view kGap = "..";
  if (display_width(text) <= columns) return std::string(text);
  if (columns <= kGap.size()) return std::string(kGap.substr(0, columns));
  struct Piece {
    std::size_t at, bytes, width;
  };
  std::vector<Piece> pieces;
  for (std::size_t at = 0; at < text.size();) {
    const Character character = decode(text.substr(at));
    const std::size_t bytes = std::max<std::size_t>(character.bytes, 1);
    pieces.push_back({at, bytes, character.bytes == 0 ? 1 : width_of(character.code)});
    at += bytes;
  }
  const std::size_t room = columns - kGap.size();
  const std::size_t front_room = (room + 1) / 2;
  std::size_t used = 0;
  std::size_t front = 0;  // bytes kept at the front
  for (const Piece& piece : pieces) {
    if (used + piece.width > front_room) break;
    used += piece.width;
    front = piece.at + piece.bytes;
  }
  std::size_t back = text.size();
  for (auto piece = pieces.rbegin(); piece != pieces.rend() && piece->at >= front; ++piece) {
    if (used + piece->width > room) break;
    used += piece->width;
    back = piece->at;
  }
  return std::string(text.substr(0, front)) + std::string(kGap) + std::string(text.substr(back));
}

}  // namespace peernet::cli
