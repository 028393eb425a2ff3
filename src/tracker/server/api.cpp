#include "tracker/server/api.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>
#include <vector>

#include "io/address_text.hpp"
#include "io/clock.hpp"
#include "tracker/server/key_text.hpp"

namespace peernet::tracker::server {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kUsualLimit = 1000;
constexpr std::size_t kLargestLimit = 10'000;
constexpr std::size_t kShortestPrefix = 4;
// A slice that took longer held up somebody's datagram; the walk rests, so that it happens seldom.
constexpr Duration kNoticeable = std::chrono::microseconds(50);

Page json_page(const Json& json, int status = 200) {
  return {status, "application/json", json.dump() + "\n"};
}

Page refused(int status, const char* why) {
  return json_page(Json{{"error", why}}, status);
}

std::size_t limit_of(const Parameter& parameter) {
  const std::string text = parameter("limit");
  std::size_t limit = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), limit);
  if (error != std::errc{} || end != text.data() + text.size() || limit == 0) return kUsualLimit;
  return std::min(limit, kLargestLimit);
}

std::uint64_t peers_of(const SwarmSummary& swarm) {
  return std::uint64_t{swarm.nodes_complete} + swarm.nodes_partial + swarm.legacy_seeders + swarm.legacy_leechers;
}

void walk_swarms(const TrackerCore& core, const std::function<void(const SwarmSummary&)>& visit) {
  VisitCursor cursor;
  while (!cursor.done) {
    const Instant began = io::monotonic_now();
    core.visit_swarms(cursor, visit);
    const Duration slice = io::monotonic_now() - began;
    if (slice > kNoticeable) std::this_thread::sleep_for(2 * slice);
  }
}

// Swarms in one order, each once; a walk may meet one twice.
void sort_unique(std::vector<SwarmSummary>& swarms) {
  std::sort(swarms.begin(), swarms.end(), [](const auto& a, const auto& b) { return a.swarm < b.swarm; });
  const auto end =
      std::unique(swarms.begin(), swarms.end(), [](const auto& a, const auto& b) { return a.swarm == b.swarm; });
  swarms.erase(end, swarms.end());
}

// A swarm's place in the list: largest first.
struct Rank {
  std::uint64_t peers = 0;
  SwarmId swarm{};

  bool before(const Rank& other) const { return peers != other.peers ? peers > other.peers : swarm < other.swarm; }
};

Rank rank_of(const SwarmSummary& swarm) {
  return {peers_of(swarm), swarm.swarm};
}

// "12-KEY": what a page calls "next", and its reader gives back as "after".
std::optional<Rank> parse_rank(std::string_view text) {
  Rank out;
  const char* const end = text.data() + text.size();
  const auto [dash, error] = std::from_chars(text.data(), end, out.peers);
  if (error != std::errc{} || dash == end || *dash != '-') return std::nullopt;
  const auto key = parse_key({dash + 1, end});
  if (!key || !key->whole()) return std::nullopt;
  out.swarm = key->bits;
  return out;
}

void keep_largest(std::vector<SwarmSummary>& swarms, std::size_t limit) {
  sort_unique(swarms);
  std::sort(swarms.begin(), swarms.end(), [](const auto& a, const auto& b) { return rank_of(a).before(rank_of(b)); });
  if (swarms.size() > limit) swarms.resize(limit);
}

Json json_of(const SwarmSummary& swarm) {
  return Json{{"key", to_hex(swarm.swarm)},
              {"nodes_complete", swarm.nodes_complete},
              {"nodes_partial", swarm.nodes_partial},
              {"legacy_seeders", swarm.legacy_seeders},
              {"legacy_leechers", swarm.legacy_leechers},
              {"completed", swarm.completed}};
}

Json json_of(const PeerSummary& peer) {
  const wire::ListedNode& node = peer.node;
  Json out{{"address", io::format_address(node.address)}, {"kind", peer.legacy ? "legacy" : "node"}};
  if (peer.legacy) {
    out["complete"] = peer.seeder;
    out["age_ms"] = node.age_ms;
    return out;
  }
  const bool complete = (node.flags & wire::kContentComplete) != 0;
  out["complete"] = complete;
  out["served"] = (node.flags & wire::kContentServed) != 0;
  out["chunks"] = node.chunks;
  out["owned"] = to_hex(node.owned);
  out["age_ms"] = node.age_ms;
  out["rate_kib"] = node.rate_kib;
  out["node"] = to_hex(node.node);
  return out;
}

// A head and a list in it. Row by row: the whole list as Json would take several times the memory of its text.
template <class Row>
Page list_page(const Json& head, const char* name, const std::vector<Row>& rows) {
  Page page{.body = head.dump()};
  page.body.back() = ',';
  page.body += fmt::format("\"{}\":[", name);
  for (const Row& row : rows) page.body += json_of(row).dump() + ',';
  if (!rows.empty()) page.body.pop_back();
  page.body += "]}\n";
  return page;
}

Page swarms_page(const AdminView& view, const Parameter& parameter) {
  const std::size_t limit = limit_of(parameter);
  const std::string wanted = parameter("prefix");
  KeyPrefix prefix;
  if (!wanted.empty()) {
    const auto parsed = parse_key(wanted);
    if (!parsed) return refused(400, "a key is up to 40 hexadecimal digits");
    prefix = *parsed;
  }
  std::optional<Rank> after;
  if (const std::string text = parameter("after"); !text.empty()) {
    after = parse_rank(text);
    if (!after) return refused(400, "after wants what a page calls next");
  }
  std::vector<SwarmSummary> swarms;
  std::uint64_t matching = 0;
  walk_swarms(view.core, [&](const SwarmSummary& swarm) {
    if (!prefix.fits(swarm.swarm) || (after && !after->before(rank_of(swarm)))) return;
    ++matching;
    swarms.push_back(swarm);
    if (swarms.size() >= 2 * limit + 1024) keep_largest(swarms, limit);
  });
  keep_largest(swarms, limit);
  const bool truncated = matching > limit && swarms.size() == limit;
  Json head{{"total", view.core.totals().contents}, {"truncated", truncated}};
  if (truncated) head["next"] = fmt::format("{}-{}", peers_of(swarms.back()), to_hex(swarms.back().swarm));
  return list_page(head, "swarms", swarms);
}

Page peers_page(const AdminView& view, std::string_view key, const Parameter& parameter) {
  const auto prefix = parse_key(key);
  if (!prefix) return refused(400, "a key is 40 hexadecimal digits, or the first of them");
  SwarmId swarm = prefix->bits;
  if (!prefix->whole()) {
    if (prefix->digits < kShortestPrefix) return refused(400, "a key wants at least its first 4 digits");
    std::vector<SwarmSummary> fitting;
    walk_swarms(view.core, [&](const SwarmSummary& known) {
      if (prefix->fits(known.swarm) && fitting.size() < 64) fitting.push_back(known);
    });
    sort_unique(fitting);
    if (fitting.empty()) return refused(404, "no swarm has such a key");
    if (fitting.size() > 1) return refused(409, "several swarms have keys that begin so: give more digits");
    swarm = fitting[0].swarm;
  }
  const std::size_t limit = limit_of(parameter);
  std::vector<PeerSummary> peers;
  std::uint64_t count = 0;
  const bool known = view.core.visit_peers_of(io::monotonic_now(), swarm, [&](const PeerSummary& peer) {
    if (++count <= limit) peers.push_back(peer);
  });
  if (!known) return refused(404, "no swarm has such a key");
  return list_page(Json{{"key", to_hex(swarm)}, {"total", count}, {"truncated", count > limit}}, "peers", peers);
}

Page stats_page(const AdminView& view) {
  const Figures figures = view.figures();
  Json out{{"version", PEERNET_VERSION},
           {"epoch", figures.epoch},
           {"uptime_s", figures.uptime_s},
           {"workers", figures.workers},
           {"contents", figures.totals.contents},
           {"nodes", figures.totals.nodes},
           {"legacy_ipv4", figures.totals.legacy_v4},
           {"legacy_ipv6", figures.totals.legacy_v6},
           {"resident_bytes", figures.resident_bytes},
           {"snapshot_age_s", nullptr}};
  if (figures.snapshot_age_s) out["snapshot_age_s"] = *figures.snapshot_age_s;
  Json counters = Json::object();
  for (std::size_t i = 0; i < figures.events.size(); ++i)
    counters[std::string(name_of(static_cast<Event>(i)))] = figures.events[i];
  counters["dropped_replies"] = figures.dropped_replies;
  counters["kernel_drops"] = figures.kernel_drops;
  Json refusals = Json::object();
  for (std::size_t i = 0; i < figures.refusals.size(); ++i)
    refusals[std::string(wire::name_of(static_cast<wire::TrackerRefusal>(i)))] = figures.refusals[i];
  out["counters"] = std::move(counters);
  out["refusals"] = std::move(refusals);
  return json_page(out);
}

}  // namespace

Page page_of(const AdminView& view, std::string_view path, const Parameter& parameter) {
  constexpr std::string_view kPeers = "/api/peers/";
  if (path == "/") return {200, "text/html; charset=utf-8", std::string(status_page())};
  if (path == "/metrics") return {200, "text/plain; version=0.0.4; charset=utf-8", metrics_text(view.figures())};
  if (path == "/healthz") {
    const bool healthy = view.healthy();
    return {healthy ? 200 : 503, "text/plain; charset=utf-8", healthy ? "ok\n" : "a worker does not come around\n"};
  }
  if (path == "/api/stats") return stats_page(view);
  if (path == "/api/swarms") return swarms_page(view, parameter);
  if (path.starts_with(kPeers)) return peers_page(view, path.substr(kPeers.size()), parameter);
  return refused(404, "there is no such page: see /, /metrics, /healthz, /api/stats, /api/swarms, /api/peers/KEY");
}

bool acceptable_host(std::string_view host) {
  if (host.empty()) return true;  // HTTP/1.0: no browser
  const auto name = io::split_host_port(host);
  return name && (name->host == "localhost" || io::parse_ip(name->host).has_value());
}

}  // namespace peernet::tracker::server
