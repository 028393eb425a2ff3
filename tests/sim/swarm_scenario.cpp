#include "sim/swarm_scenario.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace peernet::sim {

namespace {

constexpr std::uint64_t kBytesOfAll =
    32 << 20;  // what all getters of a run receive together: a run is to take a second

LinkProfile quiet_link(std::uint64_t rate, Duration delay) {
  LinkProfile out;
  out.delay = delay;
  out.rate = rate;
  out.queue_bytes = std::max<std::uint64_t>(rate / 10, 128 << 10);
  return out;
}

/// Log-uniform: rates differ by orders of magnitude.
std::uint64_t spread(Rng& rng, double least, double most) {
  return static_cast<std::uint64_t>(least * std::exp(rng.unit() * std::log(most / least)));
}

void hurt_link(Rng& rng, LinkProfile& link) {
  if (rng.chance(0.5)) link.loss = rng.chance(0.2) ? 0.1 * rng.unit() : 0.02 * rng.unit();
  if (rng.chance(0.2)) link.burst = {.enter = 0.01 * rng.unit(), .leave = 0.1 + 0.4 * rng.unit(), .loss = 0.8};
  if (rng.chance(0.2)) link.duplicate = 0.1 * rng.unit();
  if (rng.chance(0.3)) {
    link.reorder = 0.1 * rng.unit();
    link.reorder_by = drawn(rng, 1ms, 30ms);
  }
  if (rng.chance(0.15)) link.corrupt = 0.01 * rng.unit();
  if (rng.chance(0.3)) link.jitter = drawn(rng, 0ms, 20ms);
  if (rng.chance(0.3)) link.queue_bytes = std::uint64_t{16 << 10} << rng.below(5);
}

void draw_lies(Rng& rng, NodePlan& plan) {
  const double share = rng.chance(0.5) ? 1.0 : 0.1 + 0.5 * rng.unit();
  switch (rng.below(7)) {
    case 0:
      plan.lies.wrong = share;
      break;
    case 1:
      plan.lies.forged = share;
      break;
    case 2:
      plan.lies.stall = share;
      break;
    case 3:
      plan.lies.refuse = share;
      break;
    case 4:
      plan.lies.slow = share;
      break;
    case 5:
      plan.floods = true;
      break;
    default:
      plan.lies.wrong = share / 2;
      plan.lies.stall = share / 4;
      break;
  }
}

NodePlan draw_host(Rng& rng, double least_rate, double most_rate) {
  NodePlan plan;
  const Duration delay = drawn(rng, 200us, rng.chance(0.2) ? Duration(100ms) : Duration(10ms));
  plan.up = quiet_link(spread(rng, least_rate, most_rate), delay);
  plan.down = quiet_link(std::max(plan.up.rate, spread(rng, least_rate, most_rate)), drawn(rng, 100us, 5ms));
  plan.driver.gro = rng.chance(0.2) ? 0.0 : 1.0;
  plan.driver.socket_bytes = 256u << 10 << rng.below(5);
  plan.lateness = drawn(rng, 1us, rng.chance(0.1) ? Duration(5ms) : Duration(200us));
  plan.batch_window = drawn(rng, 50us, rng.chance(0.1) ? Duration(5ms) : Duration(400us));
  plan.drift_ppm = static_cast<std::int64_t>(rng.below(401)) - 200;
  plan.disk.read = drawn(rng, 20us, 500us);
  plan.disk.write = drawn(rng, 20us, 2ms);
  plan.disk.fsync = drawn(rng, 500us, rng.chance(0.2) ? Duration(500ms) : Duration(20ms));
  return plan;
}

struct Weights {
  std::array<double, static_cast<std::size_t>(SwarmEventKind::kCount)> of{};
  double total = 0;

  explicit Weights(Rng& rng) {
    for (double& w : of) {
      w = rng.chance(0.35) ? 0.0 : rng.unit();  // some kinds do not happen at all
      total += w;
    }
  }
  SwarmEventKind draw(Rng& rng) const {
    double at = rng.unit() * total;
    for (std::size_t i = 0; i < of.size(); ++i) {
      if (at < of[i]) return static_cast<SwarmEventKind>(i);
      at -= of[i];
    }
    return SwarmEventKind::kStall;
  }
};

void draw_events(Rng& rng, SwarmScenario& s) {
  const Weights weights(rng);
  const std::uint64_t count = rng.chance(0.1) ? 0 : 1 + rng.below(12);
  for (std::uint64_t i = 0; i < count; ++i) {
    SwarmEvent event;
    event.kind = weights.draw(rng);
    event.at = Instant() + drawn(rng, 50ms, s.hurt_for);
    event.lasts = drawn(rng, 20ms, rng.chance(0.3) ? Duration(8s) : Duration(1500ms));
    event.node = static_cast<std::uint32_t>(rng.below(s.nodes.size()));
    event.other = static_cast<std::uint32_t>(rng.below(s.nodes.size()));
    event.value = rng.next();
    if (event.kind == SwarmEventKind::kClog) event.value = 20 + rng.below(400);
    if (event.kind == SwarmEventKind::kDiskFails) event.value = 1 + rng.below(100);
    if (event.kind == SwarmEventKind::kLeave && s.nodes[event.node].role != Role::kSharer) continue;
    s.events.push_back(event);
  }
}

void name_trackers(SwarmScenario& s) {
  s.settings.embedded = s.trackers == 0;
  s.settings.trackers.clear();
  if (s.settings.embedded) s.settings.trackers.push_back("10.0.0.0:7000");
  for (std::uint32_t t = 0; t < s.trackers; ++t) s.settings.trackers.push_back("10.1.0." + std::to_string(t) + ":6969");
}

}  // namespace

const char* name_of(SwarmEventKind kind) {
  static constexpr std::array<const char*, static_cast<std::size_t>(SwarmEventKind::kCount)> kNames{
      "partition",    "one-way cut",     "clog",      "stall",     "crash",     "power cut", "clock jump", "leave",
      "tracker dies", "tracker forgets", "disk full", "disk slow", "disk fails"};
  return kNames[static_cast<std::size_t>(kind)];
}

SwarmScenario draw_swarm(std::uint64_t seed, std::uint32_t nodes) {
  Rng rng(seed ^ 0x5a9a5a9aULL);
  SwarmScenario s;
  s.seed = seed;
  const std::uint64_t drawn_nodes = rng.chance(0.5) ? 3 + rng.below(5) : 3 + rng.below(22);
  const auto count = static_cast<std::uint32_t>(nodes != 0 ? std::max(nodes, 2u) : drawn_nodes);
  s.content_bytes =
      std::clamp<std::uint64_t>(kBytesOfAll / count, 1 << 20, (1 << 20) + rng.below(3 << 20)) - rng.below(16384);
  s.is_private = rng.chance(0.7);
  s.trackers = rng.chance(0.4) ? 0 : 1 + static_cast<std::uint32_t>(rng.below(3));
  s.link_names_publisher = s.trackers == 0 || rng.chance(0.6);
  s.settings.beat_seconds = rng.chance(0.5) ? 1 : 5;
  s.hurt_for = drawn(rng, 1s, 12s);
  name_trackers(s);

  const bool liars = rng.chance(0.5);
  const double fastest = rng.chance(0.3) ? 25e6 : 12.5e6;
  const std::uint32_t mtu = rng.chance(0.3) ? 1500 : 4000;
  for (std::uint32_t n = 0; n < count; ++n) {
    NodePlan plan = draw_host(rng, n == 0 ? 1e6 : fastest / 100, fastest);
    plan.role = n == 0 ? Role::kPublisher : n > 1 && rng.chance(0.2) ? Role::kSharer : Role::kGetter;
    plan.starts = n == 0 ? Instant() : Instant() + drawn(rng, 0ms, rng.chance(0.5) ? Duration(500ms) : s.hurt_for);
    if (liars && n > 1 && rng.chance(0.35)) {
      plan.role = Role::kSharer;
      draw_lies(rng, plan);
    }
    if (liars && plan.role == Role::kGetter && n > 1 && rng.chance(0.1)) plan.false_have = true;
    plan.serves_after = rng.chance(0.5);
    plan.seeds_after = !plan.serves_after && rng.chance(0.5);
    plan.leaves_after = !plan.serves_after && !plan.seeds_after && rng.chance(0.6);
    plan.max_datagram = mtu;
    plan.up.mtu = plan.down.mtu = rng.chance(0.1) ? 1500 : mtu;
    if (rng.chance(0.7)) hurt_link(rng, plan.up);
    if (rng.chance(0.5)) hurt_link(rng, plan.down);
    s.nodes.push_back(plan);
  }
  s.settings.trust_members = !liars && s.is_private && rng.chance(0.3);
  draw_events(rng, s);
  // Whoever shares alone has to send it to everybody; liars take their part of that.
  const double alone =
      static_cast<double>(count) * static_cast<double>(s.content_bytes) / static_cast<double>(s.nodes[0].up.rate);
  s.finish_within = 120s + Duration(static_cast<std::int64_t>(4e9 * alone));
  return s;
}

SwarmScenario calm_swarm(std::uint64_t seed, std::uint32_t getters, std::uint64_t content_bytes) {
  SwarmScenario s;
  s.seed = seed;
  s.content_bytes = content_bytes;
  s.hurt_for = 100ms;
  name_trackers(s);
  for (std::uint32_t n = 0; n <= getters; ++n) {
    NodePlan plan;
    plan.role = n == 0 ? Role::kPublisher : Role::kGetter;
    plan.up = quiet_link(12'500'000, 5ms);
    plan.down = quiet_link(12'500'000, 1ms);
    s.nodes.push_back(plan);
  }
  return s;
}

SwarmScenario crowd(std::uint64_t seed, std::uint32_t getters) {
  SwarmScenario s;
  s.seed = seed;
  s.content_bytes = 4 << 20;
  s.trackers = 1;
  s.hurt_for = 1ms;
  s.settings.beat_seconds = 5;
  name_trackers(s);
  for (std::uint32_t n = 0; n <= getters; ++n) {
    NodePlan plan;
    plan.role = n == 0 ? Role::kPublisher : Role::kGetter;
    plan.up = plan.down = quiet_link(kCrowdRate, 5ms);
    plan.up.mtu = plan.down.mtu = plan.max_datagram = 4000;
    plan.seeds_after = true;
    s.nodes.push_back(plan);
  }
  return s;
}

}  // namespace peernet::sim
