#include "cli/status_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "cli/printable.hpp"
#include "cli/units.hpp"

namespace peernet::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::uint32_t kBits = 128;
constexpr std::size_t kBarWidth = 32;

bool owns(const SwarmMember& member, std::size_t bit) {
  return (std::to_integer<unsigned>(member.owned[bit / 8]) >> (7 - bit % 8) & 1U) != 0;
}

std::size_t bits_of(const SwarmMember& member) {
  return member.chunks == 0 ? kBits : std::min<std::size_t>(member.chunks, kBits);
}

std::string hex(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) out += fmt::format("{:02x}", static_cast<unsigned>(static_cast<unsigned char>(c)));
  return out;
}

std::size_t complete_count(const SwarmListing& listing) {
  return static_cast<std::size_t>(std::ranges::count_if(listing.members, &SwarmMember::complete));
}

std::string address_of(const SwarmMember& member) {
  return member.other_addresses.empty() ? member.address
                                        : fmt::format("{} (+{})", member.address, member.other_addresses.size());
}

std::vector<SwarmMember> sorted(const SwarmListing& listing) {
  std::vector<SwarmMember> out = listing.members;
  std::ranges::sort(out, [](const SwarmMember& a, const SwarmMember& b) {
    return a.fraction != b.fraction ? a.fraction > b.fraction : a.address < b.address;
  });
  return out;
}

}  // namespace

std::string ownership_bar(const SwarmMember& member, std::size_t width) {
  const std::size_t bits = bits_of(member);
  std::string out;
  for (std::size_t i = 0; i < width; ++i) {
    const std::size_t first = i * bits / width;
    const std::size_t end = std::max((i + 1) * bits / width, first + 1);
    std::size_t have = 0;
    for (std::size_t bit = first; bit < end; ++bit) have += member.complete || owns(member, bit) ? 1U : 0U;
    out += have == end - first ? '#' : have > 0 ? '+' : '.';
  }
  return out;
}

std::string status_text(const SwarmListing& listing) {
  const std::vector<SwarmMember> members = sorted(listing);
  std::size_t columns = 0;
  for (const SwarmMember& member : members) columns = std::max(columns, address_of(member).size());
  std::string out;
  for (const SwarmMember& member : members)
    out += fmt::format("{:<{}}  [{}] {:>3.0f} %  {:>10}  heard {} ago{}\n", printable(address_of(member)), columns,
                       ownership_bar(member, kBarWidth), std::floor(member.fraction * 100),
                       format_rate(static_cast<double>(member.rate)), format_duration(member.age_seconds),
                       member.served ? "" : ", receives only");
  const std::size_t complete = complete_count(listing);
  out += fmt::format("{} complete, {} partial", complete, members.size() - complete);
  if (listing.legacy_seeders + listing.legacy_leechers > 0)
    out += fmt::format(", {} and {} BitTorrent clients", listing.legacy_seeders, listing.legacy_leechers);
  return out + fmt::format(", as tracker {} sees it\n", printable(listing.tracker));
}

std::string status_json(const SwarmListing& listing) {
  const std::size_t complete = complete_count(listing);
  Json nodes = Json::array();
  for (const SwarmMember& member : sorted(listing)) {
    const std::string_view owned(reinterpret_cast<const char*>(member.owned.data()), member.owned.size());
    nodes.push_back(Json{{"address", member.address},
                         {"other_addresses", member.other_addresses},
                         {"node", hex(member.node)},
                         {"complete", member.complete},
                         {"served", member.served},
                         {"fraction", std::round(member.fraction * 1e4) / 1e4},
                         {"owned", hex(owned)},
                         {"chunks", member.chunks},
                         {"rate", member.rate},
                         {"age_seconds", std::round(member.age_seconds * 1000) / 1000}});
  }
  const Json json{{"v", 1},
                  {"tracker", listing.tracker},
                  {"complete", complete},
                  {"partial", listing.members.size() - complete},
                  {"legacy_seeders", listing.legacy_seeders},
                  {"legacy_leechers", listing.legacy_leechers},
                  {"nodes", std::move(nodes)}};
  return json.dump(-1, ' ', true, Json::error_handler_t::replace);
}

}  // namespace peernet::cli
