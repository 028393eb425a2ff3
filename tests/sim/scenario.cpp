#include "sim/scenario.hpp"

#include <algorithm>
#include <cmath>

#include "base/rng.hpp"
#include "sim/insider.hpp"

namespace peernet::sim {

namespace {

/// Draws by name of the distribution, so that the drawing functions below read as a list of ranges.
class Draw {
 public:
  explicit Draw(std::uint64_t seed) : rng_(seed) {}

  bool chance(double p) { return rng_.chance(p); }
  double between(double low, double high) { return low + (high - low) * rng_.unit(); }
  /// Log-uniform: each factor of two is equally likely.
  double spread(double low, double high) { return low * std::exp(rng_.unit() * std::log(high / low)); }
  std::uint64_t whole(double low, double high) { return static_cast<std::uint64_t>(spread(low, high)); }
  Duration time(Duration low, Duration high) {
    return Duration(
        static_cast<std::int64_t>(spread(static_cast<double>(low.count()), static_cast<double>(high.count()))));
  }
  std::uint64_t below(std::uint64_t n) { return rng_.below(n); }

 private:
  Rng rng_;
};

LinkProfile draw_path(Draw& draw) {
  LinkProfile path;
  path.delay = draw.time(20us, draw.chance(0.1) ? 1000ms : 100ms);
  path.rate = draw.whole(250e3, draw.chance(0.3) ? 2.5e9 : 50e6);
  const double bdp = static_cast<double>(path.rate) * 2e-9 * static_cast<double>(path.delay.count());
  // One draw a statement: the order in which arguments are evaluated is the compiler's choice.
  const std::uint64_t least_queue = draw.chance(0.2) ? 16'000 : 48'000;
  path.queue_bytes = std::max(least_queue, static_cast<std::uint64_t>(bdp * draw.spread(0.3, 3)));
  if (draw.chance(0.4)) path.mark_bytes = path.queue_bytes / 3;
  if (draw.chance(0.1)) path.clear_ecn = true;
  path.mtu = draw.chance(0.2) ? 65535 : draw.chance(0.2) ? 9000 : static_cast<std::uint32_t>(1280 + draw.below(221));
  return path;
}

/// Faults of one direction. Each kind is on or off for the whole seed: a run with one fault alone finds what a run with
/// all of them hides.
void add_faults(Draw& draw, LinkProfile& path) {
  if (draw.chance(0.5)) path.loss = draw.chance(0.2) ? draw.between(0.1, 0.3) : draw.between(0.0, 0.05);
  if (draw.chance(0.25)) path.burst = {draw.spread(0.0005, 0.02), draw.between(0.1, 0.5), draw.between(0.3, 1.0)};
  if (draw.chance(0.3)) path.duplicate = draw.chance(0.2) ? draw.between(0.1, 0.5) : draw.between(0.0, 0.05);
  if (draw.chance(0.3)) {
    path.reorder = draw.between(0.0, 0.1);
    path.reorder_by = draw.time(100us, 200ms);
  }
  if (draw.chance(0.3)) {
    path.jitter = draw.time(10us, 100ms);
    path.jitter_reorders = draw.chance(0.3);
  }
  if (draw.chance(0.25)) path.corrupt = draw.between(0.0, 0.05);
  if (draw.chance(0.2)) path.truncate = draw.between(0.0, 0.02);
  if (draw.chance(0.03)) path.mark_all = true;
}

AttackProfile draw_attack(Draw& draw) {
  AttackProfile attack;
  if (draw.chance(0.5)) return attack;
  const auto rate = [&] { return draw.chance(0.5) ? draw.spread(2, 200) : 0.0; };
  attack = {rate(), rate(), rate(), rate(), rate(), rate() / 10, rate()};
  return attack;
}

HostProfile draw_host(Draw& draw) {
  HostProfile host;
  host.lateness = draw.time(1us, draw.chance(0.1) ? 30ms : 1ms);
  host.batch_window = draw.time(1us, 500us);
  if (draw.chance(0.3)) host.socket_bytes = 212'992 * 2;
  host.gro = draw.chance(0.2) ? 0.0 : draw.chance(0.5) ? 1.0 : draw.between(0.2, 0.95);
  if (draw.chance(0.3)) host.drift_ppm = static_cast<std::int64_t>(draw.below(2001)) - 1000;
  return host;
}

AppProfile draw_app(Draw& draw, std::uint64_t seed) {
  AppProfile app;
  app.content_bytes = seed % 64 == 0 ? 10'000'000 : draw.whole(100e3, draw.chance(0.25) ? 10e6 : 3e6);
  app.chunk_bytes = 1U << (16 + draw.below(5));
  app.range_bytes = std::min<std::uint32_t>(app.chunk_bytes, static_cast<std::uint32_t>(draw.whole(1000, 1e6)));
  if (app.content_bytes / app.range_bytes > 1000)
    app.range_bytes = static_cast<std::uint32_t>(std::min<std::uint64_t>(app.chunk_bytes, app.content_bytes / 1000));
  app.max_requests = static_cast<std::uint32_t>(draw.whole(1, 32));
  app.max_outstanding = std::max<std::uint64_t>(app.range_bytes, draw.whole(64e3, 8e6));
  if (draw.chance(0.3)) app.reject = draw.between(0, 0.2);
  if (draw.chance(0.3)) app.cancel = draw.between(0, 0.2);
  app.interleave = draw.chance(0.4);
  if (draw.chance(0.3)) app.chatter = draw.between(0, 0.05);
  return app;
}

TimedEvent draw_event(Draw& draw, const Scenario& s) {
  TimedEvent event;
  event.at = Instant::from_ns(static_cast<std::int64_t>(draw.between(0, static_cast<double>(s.hurt_for.count()))));
  event.kind = static_cast<EventKind>(draw.below(kEventKinds));
  switch (event.kind) {
    case EventKind::kMtu:
      event.value = draw.chance(0.2) ? 600 + draw.below(600) : 1280 + draw.below(221);
      break;
    case EventKind::kDelay:
      event.value = static_cast<std::uint64_t>(draw.time(20us, 500ms).count());
      break;
    case EventKind::kRate:
      event.value = draw.whole(100e3, 50e6);
      break;
    case EventKind::kCloseClient:
    case EventKind::kCloseServer:
    case EventKind::kRestartClient:
    case EventKind::kRestartServer:
      return event;
    case EventKind::kLie:
      event.value = draw.below(kLies);
      return event;
    case EventKind::kJumpClient:
    case EventKind::kJumpServer:
      event.lasts = draw.time(1ms, draw.chance(0.2) ? 3600s : 5s);
      return event;
    default:
      break;
  }
  event.lasts = draw.time(5ms, draw.chance(0.2) ? 10s : 1s);
  return event;
}

}  // namespace

const char* name_of(EventKind kind) {
  static constexpr std::array<const char*, kEventKinds> kNames{
      "cut_up",         "cut_down",      "cut_both",       "mtu",          "delay",
      "rate",           "rebind_port",   "rebind_address", "stall_client", "stall_server",
      "jump_client",    "jump_server",   "close_client",   "close_server", "lie",
      "restart_client", "restart_server"};
  return kNames[static_cast<std::size_t>(kind)];
}

Scenario calm_scenario(std::uint64_t seed) {
  Scenario s;
  s.seed = seed;
  LinkProfile path;
  path.rate = 12'500'000;
  path.queue_bytes = 256'000;
  s.hurt = s.heal = {path, path};
  return s;
}

Scenario draw_scenario(std::uint64_t seed) {
  Draw draw(seed ^ 0x5ce1a210);
  Scenario s;
  s.seed = seed;
  s.real_tls = seed % 16 == 0;
  s.ipv6 = draw.chance(0.3);
  s.aes_256 = seed % 3 == 0;
  s.mtu_is_told = draw.chance(0.2);
  // With 2^8 no more than 512 packets can be under way: wide windows need wide epochs.
  if (draw.chance(0.25)) s.epoch_shift = static_cast<std::uint8_t>(9 + draw.below(8));
  s.demand_retry = draw.chance(0.15);
  s.heal = {draw_path(draw), draw_path(draw)};
  if (draw.chance(0.7)) s.heal[kServer] = s.heal[kClient];  // most paths are symmetric
  s.interface_mtu = draw.chance(0.7) ? 1500 : draw.chance(0.5) ? 9000 : 65535;
  s.hurt = s.heal;
  if (draw.chance(0.85)) {
    add_faults(draw, s.hurt[kClient]);
    add_faults(draw, s.hurt[kServer]);
  }
  s.hosts = {draw_host(draw), draw_host(draw)};
  s.attack = draw_attack(draw);
  s.attack_after_heal = draw.chance(0.3);
  s.app = draw_app(draw, seed);
  s.hurt_for = draw.time(100ms, 15s);
  if (draw.chance(0.5))
    for (std::uint64_t i = 1 + draw.below(6); i > 0; --i) s.events.push_back(draw_event(draw, s));
  // Armed from the start: told as soon as the server has left out a number.
  if (draw.chance(0.05))
    s.events.push_back(
        {Instant() + draw.time(10ms, 1s), EventKind::kLie, 0s, static_cast<std::uint64_t>(Lie::kAckOfSkipped)});
  std::sort(s.events.begin(), s.events.end(), [](const TimedEvent& a, const TimedEvent& b) { return a.at < b.at; });
  const double slowest = static_cast<double>(std::min(s.heal[0].rate, s.heal[1].rate));
  const Duration round_trip = s.heal[0].delay + s.heal[1].delay;
  // Each request waits its turn for a round trip or more; bytes may have to pass several times.
  const double rounds = static_cast<double>(s.app.content_bytes) / s.app.range_bytes / s.app.max_requests;
  const double bytes_s = static_cast<double>(s.app.content_bytes) / slowest;
  s.finish_within = 90s + round_trip * (200 + 2 * static_cast<std::int64_t>(rounds)) +
                    Duration(static_cast<std::int64_t>(6e9 * bytes_s));
  // Packets that were lost on their way and come from the attacker's store are new and authentic: they keep a session
  // from idling out whose other end is gone.
  if (s.attack_after_heal && s.attack.replayed > 0) s.finish_within += 180s;
  return s;
}

}  // namespace peernet::sim
