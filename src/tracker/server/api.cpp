#include "tracker/server/api.hpp"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <thread>
#include <vector>

#include "io/address_text.hpp"
#include "io/clock.hpp"
#include "tracker/server/key_text.hpp"

namespace peernet::tracker::server {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kUsualLimit = 1000;
constexpr std::size_t kLargestLimit = 1'000'000;
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

void keep_largest(std::vector<SwarmSummary>& swarms, std::size_t limit) {
  sort_unique(swarms);
  std::sort(swarms.begin(), swarms.end(), [](const auto& a, const auto& b) {
    const std::uint64_t in_a = peers_of(a);
    const std::uint64_t in_b = peers_of(b);
    return in_a != in_b ? in_a > in_b : a.swarm < b.swarm;
  });
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

Page swarms_page(const AdminView& view, const Parameter& parameter) {
  const std::size_t limit = limit_of(parameter);
  const std::string wanted = parameter("prefix");
  KeyPrefix prefix;
  if (!wanted.empty()) {
    const auto parsed = parse_key(wanted);
    if (!parsed) return refused(400, "a key is up to 40 hexadecimal digits");
    prefix = *parsed;
  }
  std::vector<SwarmSummary> swarms;
  std::uint64_t matching = 0;
  walk_swarms(view.core, [&](const SwarmSummary& swarm) {
    if (!prefix.fits(swarm.swarm)) return;
    ++matching;
    swarms.push_back(swarm);
    if (swarms.size() >= 2 * limit + 1024) keep_largest(swarms, limit);
  });
  keep_largest(swarms, limit);
  Json list = Json::array();
  for (const SwarmSummary& swarm : swarms) list.push_back(json_of(swarm));
  return json_page(Json{{"total", view.core.totals().contents},
                        {"truncated", matching > limit && swarms.size() == limit},
                        {"swarms", std::move(list)}});
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
  Json list = Json::array();
  std::uint64_t count = 0;
  const bool known = view.core.visit_peers_of(io::monotonic_now(), swarm, [&](const PeerSummary& peer) {
    if (++count <= limit) list.push_back(json_of(peer));
  });
  if (!known) return refused(404, "no swarm has such a key");
  return json_page(
      Json{{"key", to_hex(swarm)}, {"total", count}, {"truncated", count > limit}, {"peers", std::move(list)}});
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
