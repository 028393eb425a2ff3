// Walks over what is listed. A slice is copied under the stripe's lock and shown after it, so that whoever looks may
// take his time, or ask the core again.
#include <algorithm>
#include <limits>
#include <utility>

#include "tracker/core_parts.hpp"

namespace peernet::tracker {
namespace {

constexpr std::uint32_t kSliceRecords = 2048;
constexpr std::uint32_t kSliceSwarms = 2048;

template <class Record>
PeerSummary summary_of_peer(const Record& peer, const Ages& ages, Moment now) {
  PeerSummary out;
  out.node.address = address_of(peer);
  out.node.age_ms = ages.age_ms(peer, now);
  if constexpr (std::is_same_v<Record, Node>) {
    out.node.flags = peer.flags;
    out.node.rate_kib = peer.rate_kib;
    out.node.chunks = peer.chunks;
    out.node.node = peer.node;
    out.node.owned = peer.owned;
  } else {
    out.legacy = true;
    out.seeder = peer.in_front();
  }
  return out;
}

void bring_back(LegacyV4& peer, const PeerSummary& from, Moment seen) {
  set_peer(peer, from.node.address, from.node.address.port);
  peer.meta = static_cast<std::uint16_t>(seen.tick | (from.seeder ? kSeederBit : 0));
}
void bring_back(LegacyV6& peer, const PeerSummary& from, Moment seen) {
  set_peer(peer, from.node.address, from.node.address.port);
  peer.meta = static_cast<std::uint16_t>(seen.tick | (from.seeder ? kSeederBit : 0));
}
void bring_back(Node& peer, const PeerSummary& from, Moment seen) {
  set_peer(peer, from.node.address, from.node.address.port);
  peer.flags = from.node.flags & (wire::kContentComplete | wire::kContentServed);
  peer.seen_ms = seen.ms;
  peer.rate_kib = from.node.rate_kib;
  peer.chunks = from.node.chunks;
  peer.node = from.node.node;
  peer.owned = from.node.owned;
}

/// Lists the peer as last seen then, unless it has spoken since.
template <class Record>
bool restore_as(const Ages& ages, Stripe& stripe, const SwarmName& name, const PeerSummary& from, Instant now) {
  const Moment moment = ages.moment(now);
  Record peer;
  bring_back(peer, from, ages.moment(now - std::chrono::milliseconds(from.node.age_ms)));
  const Locked locked(stripe.lock);
  if (stripe.find(name, peer, moment) != nullptr) return true;
  return !ages.dead(peer, moment) && stripe.list(name, peer, moment).result == Listing::kListed;
}

}  // namespace

SwarmSummary summary_of(const Swarm& swarm) {
  return {.swarm = swarm.id,
          .nodes_complete = swarm.nodes.front(),
          .nodes_partial = swarm.nodes.size() - swarm.nodes.front(),
          .legacy_seeders = swarm.seeders(),
          .legacy_leechers = swarm.leechers(),
          .completed = swarm.completed};
}

template <class F>
void TrackerCore::Parts::visit_slice(Moment now, VisitCursor& cursor, const F& f) {
  std::uint32_t budget = kSliceRecords;
  while (budget == kSliceRecords && !cursor.done) {  // empty stripes are passed over
    if (cursor.stripe >= kStripes) {
      cursor.done = true;
      return;
    }
    Stripe& stripe = *stripes[cursor.stripe];
    const Locked locked(stripe.lock);
    WalkPlace place{cursor.swarm, cursor.part};
    const bool more = stripe.walk(place, budget, [&](const Swarm& swarm, const auto& set, std::uint32_t bucket) {
      for (const auto& peer : set.records(bucket))
        if (!shared.ages.dead(peer, now)) f(swarm, peer);
    });
    cursor.stripe += more ? 0 : 1;
    cursor.swarm = more ? place.swarm : 0;
    cursor.part = more ? place.part : 0;
    cursor.done = cursor.stripe == kStripes;
  }
}

void TrackerCore::goodbyes(Instant now, VisitCursor& cursor,
                           const std::function<void(const Address&, ByteSpan)>& send) {
  const Parts& p = *parts_;
  std::vector<Address> nodes;
  parts_->visit_slice(p.shared.ages.moment(now), cursor, [&](const Swarm&, const auto& peer) {
    if constexpr (std::is_same_v<std::decay_t<decltype(peer)>, Node>) nodes.push_back(address_of(peer));
  });
  for (const Address& to : nodes) {
    ByteArray<wire::kGoodbyeSize> datagram;
    wire::encode(datagram, wire::Goodbye{.epoch = p.epoch, .connection_id = p.ids.issue(now, to, IdKind::kExtended)});
    send(to, datagram);
  }
}

void TrackerCore::visit_swarms(VisitCursor& cursor, const std::function<void(const SwarmSummary&)>& visit) const {
  std::vector<SwarmSummary> slice;
  while (slice.empty() && !cursor.done) {
    if (cursor.stripe >= Parts::kStripes) {
      cursor.done = true;
      return;
    }
    Stripe& stripe = *parts_->stripes[cursor.stripe];
    const Locked locked(stripe.lock);
    const std::uint32_t size = stripe.swarms.size();
    std::uint32_t left = cursor.swarm == 0 ? size : std::min(cursor.swarm, size);
    while (left > 0 && slice.size() < kSliceSwarms) slice.push_back(summary_of(stripe.swarms.at(--left)));
    cursor.swarm = left;
    if (left == 0) ++cursor.stripe;
    cursor.done = cursor.stripe == Parts::kStripes;
  }
  for (const SwarmSummary& swarm : slice) visit(swarm);
}

void TrackerCore::visit_peers(Instant now, VisitCursor& cursor,
                              const std::function<void(const SwarmSummary&, const PeerSummary&)>& visit) const {
  const Ages& ages = parts_->shared.ages;
  const Moment moment = ages.moment(now);
  std::vector<SwarmSummary> swarms;
  std::vector<std::pair<std::size_t, PeerSummary>> slice;  // with the place of its swarm in `swarms`
  parts_->visit_slice(moment, cursor, [&](const Swarm& swarm, const auto& peer) {
    if (swarms.empty() || swarms.back().swarm != swarm.id) swarms.push_back(summary_of(swarm));
    slice.emplace_back(swarms.size() - 1, summary_of_peer(peer, ages, moment));
  });
  for (const auto& [swarm, peer] : slice) visit(swarms[swarm], peer);
}

bool TrackerCore::visit_peers_of(Instant now, const SwarmId& swarm,
                                 const std::function<void(const PeerSummary&)>& visit) const {
  const Ages& ages = parts_->shared.ages;
  const Moment moment = ages.moment(now);
  const SwarmName name = parts_->shared.name(swarm);
  Stripe& stripe = parts_->stripe_of(name);
  std::vector<PeerSummary> slice;
  const auto copy = [&](const Swarm&, const auto& set, std::uint32_t bucket) {
    for (const auto& peer : set.records(bucket))
      if (!ages.dead(peer, moment)) slice.push_back(summary_of_peer(peer, ages, moment));
  };
  bool known = false;
  std::uint32_t part = 0;
  do {
    slice.clear();
    {
      const Locked locked(stripe.lock);
      Swarm* found = stripe.swarms.find(name);
      if (found == nullptr) return known;
      known = true;
      do part = Stripe::step(*found, part, copy);
      while (part != 0 && slice.size() < kSliceRecords);
    }
    for (const PeerSummary& peer : slice) visit(peer);
  } while (part != 0);
  return true;
}

bool TrackerCore::restore(Instant now, const SwarmId& swarm, const PeerSummary& peer) {
  const Ages& ages = parts_->shared.ages;
  const SwarmName name = parts_->shared.name(swarm);
  Stripe& stripe = parts_->stripe_of(name);
  if (peer.node.address.port == 0 || ages.dead_at(peer.node.age_ms, peer.legacy)) return false;
  if (!peer.legacy) return restore_as<Node>(ages, stripe, name, peer, now);
  return peer.node.address.is_v4() ? restore_as<LegacyV4>(ages, stripe, name, peer, now)
                                   : restore_as<LegacyV6>(ages, stripe, name, peer, now);
}

void TrackerCore::restore_completed(const SwarmId& swarm, std::uint32_t completed) {
  const SwarmName name = parts_->shared.name(swarm);
  Stripe& stripe = parts_->stripe_of(name);
  const Locked locked(stripe.lock);
  if (Swarm* found = stripe.swarms.find(name)) found->completed = completed;
}

}  // namespace peernet::tracker
