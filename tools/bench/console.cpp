#include "console.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <utility>

#include "cli/printable.hpp"

namespace peernet::bench {
namespace {

// Three digits that matter: 0.0123, 1.44, 37.2, 1281.
std::string digits(double value) {
  const double size = std::abs(value);
  const int decimals = size == 0 || size >= 99.95 ? 0 : size >= 9.995 ? 1 : size >= 0.9995 ? 2 : 3;
  return fmt::format("{:.{}f}", value, decimals);
}

struct Scale {
  double factor;
  const char* unit;
};

Scale scale_of(double value, const std::string& unit) {
  const double size = std::abs(value);
  if (unit == "s") return size < 1e-3 ? Scale{1e6, "µs"} : size < 0.9995 ? Scale{1e3, "ms"} : Scale{1, "s"};
  if (unit == "B" || unit == "B/s") {
    static constexpr std::array<const char*, 5> kBytes{"B", "kB", "MB", "GB", "TB"};
    static constexpr std::array<const char*, 5> kRates{"B/s", "kB/s", "MB/s", "GB/s", "TB/s"};
    std::size_t power = 0;
    double factor = 1;
    for (; power + 1 < kBytes.size() && size * factor >= 999.5; ++power) factor /= 1000;
    return {factor, (unit == "B" ? kBytes : kRates)[power]};
  }
  if (unit == "1/s") return size < 999.5 ? Scale{1, "/s"} : size < 999.5e3 ? Scale{1e-3, "k/s"} : Scale{1e-6, "M/s"};
  return {1, unit.c_str()};
}

std::string with_unit(const std::string& number, const char* unit) {
  return unit[0] == 0 ? number : number + (unit[0] == 'x' || unit[0] == '/' ? "" : " ") + unit;
}

}  // namespace

Progress::Progress(bool quiet) : quiet_(quiet), terminal_(::isatty(STDERR_FILENO) == 1) {}

Progress::~Progress() {
  clear();
}

void Progress::say(const std::string& text) {
  if (quiet_) return;
  const std::string line = cli::printable(text);
  if (terminal_)
    fmt::print(stderr, "\r{}\033[K", cli::shortened(line, 78));
  else
    fmt::print(stderr, "peernet-bench: {}\n", line);
  std::fflush(stderr);
  shown_ = true;
}

void Progress::clear() {
  if (shown_ && terminal_) fmt::print(stderr, "\r\033[K");
  shown_ = false;
}

Table::Table(std::vector<std::string> head) {
  rows_.push_back(std::move(head));
}

void Table::row(std::vector<std::string> cells) {
  rows_.push_back(std::move(cells));
}

std::string Table::text() const {
  std::vector<std::size_t> widths;
  for (const auto& row : rows_) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], cli::display_width(row[i]));
  }
  std::string out;
  for (const auto& row : rows_) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string space(widths[i] - cli::display_width(row[i]), ' ');
      line += (i == 0 ? row[i] + space : "  " + space + row[i]);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  }
  return out;
}

std::string format_value(double value, const std::string& unit) {
  const Scale scale = scale_of(value, unit);
  return with_unit(digits(value * scale.factor), scale.unit);
}

std::string format_summary(const Summary& summary, const std::string& unit) {
  const Scale scale = scale_of(summary.median != 0 ? summary.median : summary.max, unit);
  if (summary.count < 2) return format_value(summary.median, unit);
  return with_unit(fmt::format("{} ({}..{})", digits(summary.median * scale.factor), digits(summary.min * scale.factor),
                               digits(summary.max * scale.factor)),
                   scale.unit);
}

std::string format_size(std::uint64_t bytes) {
  static constexpr std::array<const char*, 5> kNames{"B", "KiB", "MiB", "GiB", "TiB"};
  std::size_t power = 0;
  std::uint64_t left = bytes;
  for (; left != 0 && left % 1024 == 0 && power + 1 < kNames.size(); ++power) left /= 1024;
  if (power > 0 && left < 1024) return fmt::format("{} {}", left, kNames[power]);
  const Scale scale = scale_of(static_cast<double>(bytes), "B");
  const double scaled = static_cast<double>(bytes) * scale.factor;
  return fmt::format("{} {}", scaled == std::floor(scaled) ? fmt::format("{:.0f}", scaled) : digits(scaled),
                     scale.unit);
}

}  // namespace peernet::bench
