#include "cli/units.hpp"

#include <fmt/format.h>

#include <array>
#include <cctype>
#include <charconv>
#include <cmath>

namespace peernet::cli {
namespace {

constexpr double kLongestSeconds = 100.0 * 366 * 86400;
constexpr std::array<const char*, 7> kUnits{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

// A plain decimal number at the front of `text`, which is cut off; no sign, no exponent, no "inf".
std::optional<double> take_number(std::string_view& text) {
  const std::size_t length = std::min(text.find_first_not_of("0123456789."), text.size());
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + length, value, std::chars_format::fixed);
  if (length == 0 || error != std::errc{} || end != text.data() + length || !std::isfinite(value)) return std::nullopt;
  text.remove_prefix(length);
  return value;
}

std::optional<double> factor_of(std::string_view unit) {
  if (unit.empty() || unit == "b") return 1.0;
  const std::size_t power = std::string_view("kmgtpe").find(unit.front());
  if (power == std::string_view::npos) return std::nullopt;
  unit.remove_prefix(1);
  const double exponent = static_cast<double>(power + 1);
  if (unit.empty() || unit == "b") return std::pow(1000.0, exponent);
  if (unit == "i" || unit == "ib") return std::pow(1024.0, exponent);
  return std::nullopt;
}

struct Scaled {
  double factor = 1;
  const char* unit = "B";
};

Scaled scale_of(double bytes) {
  Scaled scaled;
  for (std::size_t i = 1; i < kUnits.size() && bytes / scaled.factor >= 999.5; ++i) {
    scaled.factor *= 1024;
    scaled.unit = kUnits[i];
  }
  return scaled;
}

std::string number(double value, const Scaled& scaled) {
  return scaled.factor > 1 && value / scaled.factor < 99.95 ? fmt::format("{:.1f}", value / scaled.factor)
                                                            : fmt::format("{:.0f}", value / scaled.factor);
}

}  // namespace

std::optional<std::uint64_t> parse_bytes(std::string_view text) {
  const std::string lowered = lower(text);
  std::string_view rest = lowered;
  const auto value = take_number(rest);
  if (!value) return std::nullopt;
  const auto factor = factor_of(rest);
  if (!factor) return std::nullopt;
  const double bytes = *value * *factor;
  // Up to half of the range: sums and products of limits stay far from overflow.
  if (bytes < 1 || bytes > 0x1p62) return std::nullopt;
  return static_cast<std::uint64_t>(bytes);
}

std::optional<std::uint64_t> parse_rate(std::string_view text) {
  for (const std::string_view end : {"/s", "/S"})
    if (text.ends_with(end)) {
      text.remove_suffix(end.size());
      break;
    }
  return parse_bytes(text);
}

std::optional<double> parse_seconds(std::string_view text) {
  if (text.ends_with('s')) text.remove_suffix(1);
  const auto value = take_number(text);
  if (!value || !text.empty() || *value > kLongestSeconds) return std::nullopt;
  return value;
}

std::string format_bytes(std::uint64_t bytes) {
  const Scaled scaled = scale_of(static_cast<double>(bytes));
  return fmt::format("{} {}", number(static_cast<double>(bytes), scaled), scaled.unit);
}

std::string format_part(std::uint64_t done, std::uint64_t total) {
  const Scaled scaled = scale_of(static_cast<double>(total));
  return fmt::format("{}/{} {}", number(static_cast<double>(done), scaled), number(static_cast<double>(total), scaled),
                     scaled.unit);
}

std::string format_files(std::uint64_t count) {
  return fmt::format("{} {}", count, count == 1 ? "file" : "files");
}

std::string format_rate(double bytes_per_second) {
  const Scaled scaled = scale_of(bytes_per_second);
  return fmt::format("{} {}/s", number(bytes_per_second, scaled), scaled.unit);
}

std::string format_duration(double seconds) {
  if (seconds < 0.0995) return fmt::format("{:.0f}ms", seconds * 1000);
  if (seconds < 9.95) return seconds < 0.95 ? fmt::format("{:.1f}s", seconds) : fmt::format("{:.0f}s", seconds);
  const auto whole = static_cast<std::uint64_t>(std::llround(seconds));
  if (whole < 60) return fmt::format("{}s", whole);
  if (whole < 3600) return fmt::format("{}m {:02}s", whole / 60, whole % 60);
  if (whole < 86400) return fmt::format("{}h {:02}m", whole / 3600, whole % 3600 / 60);
  return fmt::format("{}d {:02}h", whole / 86400, whole % 86400 / 3600);
}

}  // namespace peernet::cli
