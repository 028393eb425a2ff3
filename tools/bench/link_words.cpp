// Links as users write and read them.
#include <fmt/format.h>

#include <array>
#include <charconv>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "lab.hpp"
#include "mode_parser.hpp"

namespace peernet::bench {
namespace {

constexpr double kSlowestBits = 8e3, kFastestBits = 1e12, kLongestSeconds = 10;

struct Unit {
  const char* name;
  double factor;
};
constexpr std::array<Unit, 7> kRates{{{"", 1}, {"k", 1e3}, {"K", 1e3}, {"M", 1e6}, {"m", 1e6}, {"G", 1e9}, {"g", 1e9}}};
constexpr std::array<Unit, 3> kTimes{{{"us", 1e-6}, {"ms", 1e-3}, {"s", 1}}};
constexpr std::array<Unit, 1> kShares{{{"%", 0.01}}};

// A number with one of these units behind it.
std::optional<double> measure(std::string_view text, std::span<const Unit> units) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
  if (error != std::errc() || text.starts_with('-')) return std::nullopt;
  const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  for (const Unit& known : units)
    if (unit == known.name) return value * known.factor;
  return std::nullopt;
}

std::vector<std::string_view> parts_of(std::string_view text) {
  std::vector<std::string_view> out;
  for (std::size_t comma = text.find(','); comma != std::string_view::npos; comma = text.find(',')) {
    out.push_back(text.substr(0, comma));
    text.remove_prefix(comma + 1);
  }
  out.push_back(text);
  return out;
}

}  // namespace

Outcome<Link> parse_link(const std::string& text) {
  const auto parts = parts_of(text);
  const auto wrong = [&](const char* what) {
    return std::unexpected(
        fmt::format("wants RATE[,RTT[,LOSS]], such as 400M,20ms,0.1%: {} in {}", what, in_quotes(text)));
  };
  if (parts.size() > 3) return wrong("there are more than three parts");
  const auto rate = measure(parts[0], kRates);
  if (!rate || *rate < kSlowestBits || *rate > kFastestBits)
    return wrong("the rate is no number of bits per second with k, M or G, from 8k to 1000G,");
  const auto round_trip = parts.size() > 1 ? measure(parts[1], kTimes) : 0;
  if (!round_trip || *round_trip > kLongestSeconds)
    return wrong("the round trip is no time in us, ms or s, up to 10s,");
  const auto loss = parts.size() > 2 ? measure(parts[2], kShares) : 0;
  if (!loss || *loss >= 1) return wrong("the loss is no share from 0% to below 100%");
  return Link{.up = {.rate_bits = *rate, .delay_seconds = *round_trip / 2, .loss = *loss},
              .down = {.delay_seconds = *round_trip / 2}};
}

std::string describe(const Link& link) {
  const double rate = link.up.rate_bits, round_trip = link.up.delay_seconds + link.down.delay_seconds;
  std::string out = rate <= 0     ? "no limit"
                    : rate >= 1e9 ? fmt::format("{:g} Gbit/s", rate / 1e9)
                    : rate >= 1e6 ? fmt::format("{:g} Mbit/s", rate / 1e6)
                                  : fmt::format("{:g} kbit/s", rate / 1e3);
  if (round_trip > 0) out += fmt::format(", round trip {:g} ms", round_trip * 1e3);
  if (link.up.loss > 0) out += fmt::format(", {:g} % lost", link.up.loss * 100);
  return out;
}

}  // namespace peernet::bench
