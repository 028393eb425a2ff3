#include "world.hpp"

#include <algorithm>

#include "base/bytes.hpp"
#include "discovery/rendezvous.hpp"

namespace peernet::discovery {
namespace {

/// Turns of one node at one instant before its timers count as a loop.
constexpr int kMaxTurnsAtOnce = 8;

}  // namespace

SwarmId swarm_of(std::uint32_t number) {
  SwarmId swarm{};
  ByteWriter(swarm).u32(number + 1);
  return swarm;
}

std::vector<SwarmId> swarms_of(std::uint32_t count) {
  std::vector<SwarmId> out;
  for (std::uint32_t i = 0; i < count; ++i) out.push_back(swarm_of(i));
  return out;
}

std::size_t SimNode::count(DiscoveryEvent::Kind kind) const {
  return static_cast<std::size_t>(std::ranges::count(events, kind, &DiscoveryEvent::kind));
}

std::size_t SimNode::count(DiscoveryEvent::Kind kind, const std::string& tracker) const {
  return static_cast<std::size_t>(std::ranges::count_if(
      events, [&](const DiscoveryEvent& event) { return event.kind == kind && event.tracker == tracker; }));
}

std::size_t World::add_tracker(Duration beat, std::size_t dead_addresses) {
  const std::size_t index = trackers.size();
  auto tracker = std::make_unique<SimTracker>();
  const auto number = static_cast<std::uint8_t>(index + 1);
  tracker->name = "tracker" + std::to_string(index) + ".example:7000";
  for (std::size_t i = 0; i < dead_addresses; ++i)
    tracker->addresses.push_back(Address::v4(10, 9, static_cast<std::uint8_t>(i), number, 7000));
  tracker->addresses.push_back(Address::v4(10, 0, 0, number, 7000));
  tracker->times.beat = beat;
  trackers.push_back(std::move(tracker));
  restart(index);
  return index;
}

void World::restart(std::size_t tracker) {
  tracker::CoreOptions options;
  ByteWriter(options.secret).u64(rng_.next());
  options.epoch = 1000 + ++epochs_;
  options.times = trackers[tracker]->times;
  trackers[tracker]->core = std::make_unique<tracker::TrackerCore>(options);
}

std::size_t World::add_node(std::uint16_t port) {
  const std::size_t index = nodes.size();
  SimNode node;
  ByteWriter(node.tag).u64(rng_.next());
  node.address =
      Address::v4(10, 1, static_cast<std::uint8_t>(index / 200), static_cast<std::uint8_t>(index % 200 + 1), port);
  node.set = std::make_unique<TrackerSet>(SetOptions{.node = node.tag, .seed = rng_.next(), .port = port});
  nodes.push_back(std::move(node));
  return index;
}

ContentKey World::add(std::size_t node, const SwarmId& swarm, const std::vector<std::size_t>& where,
                      const ContentState& state) {
  ContentOptions options;
  options.swarm = swarm;
  options.state = state;
  options.numwant = 20;
  for (const std::size_t tracker : where) options.trackers.push_back(trackers[tracker]->endpoint());
  const ContentKey key = nodes[node].set->add(now, options);
  turn(node);
  return key;
}

void World::turn(std::size_t index) {
  SimNode& node = nodes[index];
  if (node.frozen) return;
  std::array<std::byte, wire::kMaxTrackerRequest> buffer;
  while (const auto transmit = node.set->poll_transmit(now, buffer)) {
    ++sent_by_nodes;
    send(node.address, transmit->to, ByteSpan(buffer).first(transmit->size));
  }
  while (auto event = node.set->poll_event()) node.events.push_back(std::move(*event));
}

void World::send(const Address& from, const Address& to, ByteSpan bytes) {
  const int copies = rng_.chance(faults.repeat) ? 2 : 1;
  for (int i = 0; i < copies; ++i) {
    if (rng_.chance(faults.loss)) continue;
    const auto jitter = static_cast<std::int64_t>(rng_.below(static_cast<std::uint64_t>(faults.jitter.count()) + 1));
    flying_.emplace(now + faults.delay + Duration(jitter), Flying{from, to, {bytes.begin(), bytes.end()}});
  }
}

void World::serve(SimTracker& tracker, std::size_t index, const Flying& datagram) {
  ++tracker.heard;
  if (tracker.dead) return;
  ByteSpan request = datagram.bytes;
  if (tracker.plain && request.size() == wire::kExtendedConnectSize) request = request.first(wire::kConnectRequestSize);
  std::array<std::byte, wire::kMaxTrackerReply> out;
  const std::size_t size = tracker.core->answer(now, datagram.from, request, out, tracker.counters);
  if (size == 0) return;
  if (swallow && swallow(index, ByteSpan(out).first(size))) return;
  send(datagram.to, datagram.from, ByteSpan(out).first(size));
}

void World::arrive(const Flying& datagram) {
  for (std::size_t i = 0; i < trackers.size(); ++i)
    if (trackers[i]->addresses.back() == datagram.to) return serve(*trackers[i], i, datagram);
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (nodes[i].address != datagram.to || nodes[i].frozen) continue;
    PN_CHECK(nodes[i].set->on_datagram(now, datagram.from, datagram.bytes));
    return turn(i);
  }
}

bool World::inject(const Address& from, std::size_t node, ByteSpan datagram) {
  const bool ours = nodes[node].set->on_datagram(now, from, datagram);
  turn(node);
  return ours;
}

Instant World::next_event() const {
  Instant next = flying_.empty() ? Instant::never() : flying_.begin()->first;
  for (const SimNode& node : nodes)
    if (!node.frozen) next = std::min(next, node.set->next_deadline());
  for (const auto& tracker : trackers) next = std::min(next, tracker->core->next_sweep());
  return next;
}

void World::step(Instant to) {
  now = std::max(now, to);
  while (!flying_.empty() && flying_.begin()->first <= now) {
    const Flying datagram = std::move(flying_.extract(flying_.begin()).mapped());
    arrive(datagram);
  }
  for (auto& tracker : trackers)
    for (int i = 0; i < 1000 && tracker->core->next_sweep() <= now; ++i) tracker->core->sweep(now, tracker->counters);
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (nodes[i].frozen) continue;
    for (int turns = 0; nodes[i].set->next_deadline() <= now; ++turns) {
      PN_CHECK(turns < kMaxTurnsAtOnce);
      nodes[i].set->on_timeout(now);
      turn(i);
    }
  }
}

void World::run_for(Duration time) {
  const Instant end = now + time;
  while (next_event() <= end) step(next_event());
  now = end;
}

bool World::run_until(Duration limit, const std::function<bool()>& condition) {
  const Instant end = now + limit;
  while (!condition()) {
    const Instant next = next_event();
    if (next > end) {
      now = end;
      return condition();
    }
    step(next);
  }
  return true;
}

std::optional<tracker::PeerSummary> World::listed(std::size_t tracker, const SwarmId& swarm, std::size_t node) const {
  std::optional<tracker::PeerSummary> found;
  trackers[tracker]->core->visit_peers_of(now, swarm, [&](const tracker::PeerSummary& peer) {
    if (peer.node.address == nodes[node].address) found = peer;
  });
  return found;
}

std::size_t World::listed_count(std::size_t tracker, const std::vector<SwarmId>& swarms, std::size_t node) const {
  return static_cast<std::size_t>(
      std::ranges::count_if(swarms, [&](const SwarmId& swarm) { return listed(tracker, swarm, node).has_value(); }));
}

std::uint64_t World::count(std::size_t tracker, tracker::Event event) const {
  return trackers[tracker]->counters.events[static_cast<std::size_t>(event)].load();
}

std::vector<std::size_t> World::ranked(const SwarmId& swarm) const {
  std::vector<std::string_view> names;
  for (const auto& tracker : trackers) names.push_back(tracker->name);
  return rank_trackers(names, swarm);
}

}  // namespace peernet::discovery
