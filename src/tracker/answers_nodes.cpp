// The extension: announces, heartbeats and queries of PeerNet nodes.
#include <algorithm>
#include <array>
#include <bit>

#include "tracker/core_parts.hpp"
#include "tracker/peer_choice.hpp"

namespace peernet::tracker {
namespace {

constexpr std::uint8_t kKeptFlags = wire::kContentComplete | wire::kContentServed;
/// Entries of a heartbeat that are looked up side by side: enough for their cache misses to overlap, few enough not to
/// hold many stripes at once.
constexpr std::size_t kHeartbeatGroup = 8;
/// Buckets a query looks into before it gives a short page, if they are full of the dead.
constexpr int kQueryBuckets = 64;

Node node_from(const Address& from, const wire::NodeAnnounce& announce, Moment now) {
  Node node;
  set_peer(node, from, from.port);
  node.flags = announce.flags & kKeptFlags;
  node.seen_ms = now.ms;
  node.rate_kib = announce.rate_kib;
  node.chunks = announce.chunks;
  node.node = announce.node;
  node.owned = announce.owned;
  return node;
}

/// What most of these nodes say about the number of chunks; 0 if none says anything.
std::uint32_t usual_chunks(std::span<const std::uint32_t> told) {
  std::uint32_t best = 0;
  std::ptrdiff_t votes = 0;
  for (const std::uint32_t chunks : told) {
    const std::ptrdiff_t n = chunks == 0 ? 0 : std::ranges::count(told, chunks);
    if (n > votes) {
      votes = n;
      best = chunks;
    }
  }
  return best;
}

/// Asks the set for it: of the nodes in a bucket or two.
std::uint32_t chunks_told(const PeerSet<Node>& nodes, const Node& asker, const Ages& ages, Moment now) {
  std::array<std::uint32_t, 2 * Node::kPerBucket> told{};
  std::size_t count = 0;
  for (std::uint32_t i = 0; i < std::min(nodes.bucket_count(), 2u); ++i) {
    for (const Node& node : nodes.records(i)) {
      if (count == told.size()) break;
      if (!node.same_peer(asker) && !ages.dead(node, now)) told[count++] = node.chunks;
    }
  }
  return usual_chunks(std::span(told).first(count));
}

}  // namespace

std::size_t TrackerCore::Parts::node_announce(const Asked& asked) {
  const auto request = wire::decode_node_announce(asked.datagram);
  if (!request) return refuse(asked, request.error());
  asked.counters.count(Event::kNodeAnnounces);
  const bool any_family = (request->flags & (wire::kReachesV4 | wire::kReachesV6)) != 0;
  const NodeWishes wishes{
      .places = std::min<std::uint32_t>(request->numwant, wire::kMaxNodePeers),
      .v4 = any_family ? (request->flags & wire::kReachesV4) != 0 : asked.from.is_v4(),
      .v6 = any_family ? (request->flags & wire::kReachesV6) != 0 : !asked.from.is_v4(),
  };
  const Node node = node_from(asked.from, *request, asked.moment);
  const SwarmName name = shared.name(request->swarm);
  wire::NodeAnnounceReply reply;
  reply.transaction = asked.header.transaction;
  reply.epoch = epoch;
  reply.beat_ms = beat_ms();
  reply.connection_id = ids.issue(asked.now, asked.from, IdKind::kExtended);
  reply.observed = asked.from;
  Listing result = Listing::kListed;
  Stripe& stripe = stripe_of(name);
  {
    const Locked locked(stripe.lock);
    Swarm* swarm = nullptr;
    if (request->flags & wire::kContentLeft) {
      if (stripe.say_goodbye(name, node, request->node)) asked.counters.count(Event::kGoodbyes);
      swarm = stripe.look(name, asked.moment);
    } else {
      const Listed listed = stripe.list(name, node, asked.moment);
      result = listed.result;
      swarm = listed.swarm;
      if (swarm != nullptr)
        choose_nodes(swarm->nodes, node, wishes, shared.ages, asked.moment, stripe.rng, reply.peers);
    }
    if (const std::uint64_t expired = stripe.take_expired()) asked.counters.count(Event::kExpired, expired);
    if (swarm != nullptr) {
      reply.complete = swarm->nodes.front();
      reply.partial = swarm->nodes.size() - reply.complete;
      reply.chunks = chunks_told(swarm->nodes, node, shared.ages, asked.moment);
    }
  }
  if (result != Listing::kListed) return refuse(asked, result);
  return wire::encode(asked.out, reply);
}

std::size_t TrackerCore::Parts::heartbeat(const Asked& asked) {
  const auto request = wire::decode_heartbeat(asked.datagram);
  if (!request) return refuse(asked, request.error());
  asked.counters.count(Event::kHeartbeats);
  asked.counters.count(Event::kHeartbeatContents, request->entries.size());
  Node like;
  set_peer(like, asked.from, asked.from.port);
  const std::uint32_t hash = shared.hash(like);
  std::uint32_t unknown = 0;
  std::uint64_t goodbyes = 0;
  for (std::size_t first = 0; first < request->entries.size(); first += kHeartbeatGroup) {
    const std::size_t count = std::min(kHeartbeatGroup, request->entries.size() - first);
    std::array<SwarmName, kHeartbeatGroup> names;
    std::uint64_t wanted = 0;  // bit i: stripe i; all of a group are held at once, locked in this order by everybody
    static_assert(kStripes <= 64);
    for (std::size_t i = 0; i < count; ++i) {
      names[i] = shared.name(request->entries[first + i].swarm);
      wanted |= std::uint64_t{1} << stripe_number(names[i]);
    }
    for (std::uint64_t left = wanted; left != 0; left &= left - 1)
      stripes[static_cast<std::size_t>(std::countr_zero(left))]->lock.lock();
    // Stage by stage over the group, so that memory answers for all of them at once.
    for (std::size_t i = 0; i < count; ++i) stripe_of(names[i]).swarms.prefetch_index(names[i]);
    for (std::size_t i = 0; i < count; ++i) stripe_of(names[i]).swarms.prefetch_swarm(names[i]);
    for (std::size_t i = 0; i < count; ++i)
      if (const Swarm* swarm = stripe_of(names[i]).swarms.find(names[i])) swarm->nodes.prefetch_rest();
    for (std::size_t i = 0; i < count; ++i)
      if (const Swarm* swarm = stripe_of(names[i]).swarms.find(names[i])) swarm->nodes.prefetch_bucket(hash);
    for (std::size_t i = 0; i < count; ++i)
      if (const Swarm* swarm = stripe_of(names[i]).swarms.find(names[i])) swarm->nodes.prefetch_records(hash);
    for (std::size_t i = 0; i < count; ++i) {
      const wire::HeartbeatEntry& entry = request->entries[first + i];
      Stripe& stripe = stripe_of(names[i]);
      if (entry.flags & wire::kContentLeft) {
        goodbyes += stripe.say_goodbye(names[i], like, request->node);
        continue;
      }
      Swarm* swarm = stripe.swarms.find(names[i]);
      Node* old = swarm == nullptr ? nullptr : swarm->nodes.find(like, hash);
      // Another node at the address of a dead one, or one that was dead: announce.
      if (old == nullptr || old->node != request->node || shared.ages.dead(*old, asked.moment)) {
        unknown |= std::uint32_t{1} << (first + i);
        continue;
      }
      Node fresh = *old;
      fresh.flags = entry.flags & kKeptFlags;
      fresh.owned = entry.owned;
      fresh.rate_kib = request->rate_kib;
      fresh.seen_ms = asked.moment.ms;
      swarm->nodes.replace(old, hash, fresh);
    }
    for (std::uint64_t left = wanted; left != 0; left &= left - 1)
      stripes[static_cast<std::size_t>(std::countr_zero(left))]->lock.unlock();
  }
  if (goodbyes != 0) asked.counters.count(Event::kGoodbyes, goodbyes);
  return wire::encode(asked.out,
                      wire::HeartbeatReply{.transaction = asked.header.transaction,
                                           .epoch = epoch,
                                           .beat_ms = beat_ms(),
                                           .connection_id = ids.issue(asked.now, asked.from, IdKind::kExtended),
                                           .unknown = unknown});
}

std::size_t TrackerCore::Parts::query(const Asked& asked) {
  const auto request = wire::decode_query(asked.datagram);
  if (!request) return refuse(asked, request.error());
  asked.counters.count(Event::kQueries);
  wire::QueryReply reply;
  reply.transaction = asked.header.transaction;
  reply.epoch = epoch;
  reply.beat_ms = beat_ms();
  const SwarmName name = shared.name(request->swarm);
  Stripe& stripe = stripe_of(name);
  const Locked locked(stripe.lock);
  const Swarm* swarm = stripe.look(name, asked.moment);
  if (const std::uint64_t expired = stripe.take_expired()) asked.counters.count(Event::kExpired, expired);
  if (swarm == nullptr) return wire::encode(asked.out, reply);
  reply.complete = swarm->nodes.front();
  reply.partial = swarm->nodes.size() - reply.complete;
  reply.legacy_seeders = swarm->seeders();
  reply.legacy_leechers = swarm->leechers();
  reply.cursor = request->cursor;
  // Pages by place (PeerSet): whoever stays is on one of them, however the set grows meanwhile.
  std::vector<std::pair<std::uint32_t, const Node*>> bucket;
  for (int looked = 0; looked < kQueryBuckets && !swarm->nodes.empty(); ++looked) {
    const std::uint32_t i = swarm->nodes.bucket_at(reply.cursor);
    bucket.clear();
    for (const Node& node : swarm->nodes.records(i)) {
      const std::uint32_t place = PeerSet<Node>::place_of(shared.hash(node));
      if (place >= reply.cursor && !shared.ages.dead(node, asked.moment)) bucket.emplace_back(place, &node);
    }
    std::ranges::sort(bucket);
    for (const auto& [place, node] : bucket) {
      reply.cursor = place;
      if (reply.nodes.full()) return wire::encode(asked.out, reply);
      reply.nodes.push_back({.flags = node->flags,
                             .address = address_of(*node),
                             .age_ms = shared.ages.age_ms(*node, asked.moment),
                             .rate_kib = node->rate_kib,
                             .chunks = node->chunks,
                             .node = node->node,
                             .owned = node->owned});
    }
    reply.cursor = swarm->nodes.end_of(i);
    if (reply.cursor == 0) break;
  }
  if (swarm->nodes.empty()) reply.cursor = 0;
  return wire::encode(asked.out, reply);
}

void TrackerCore::announce_local(Instant now, const Address& address, const wire::NodeAnnounce& announce) {
  const Moment moment = parts_->shared.ages.moment(now);
  const Node node = node_from(address, announce, moment);
  const SwarmName name = parts_->shared.name(announce.swarm);
  Stripe& stripe = parts_->stripe_of(name);
  const Locked locked(stripe.lock);
  if (announce.flags & wire::kContentLeft) {
    stripe.unlist(name, node);
  } else {
    stripe.list(name, node, moment);
  }
}

}  // namespace peernet::tracker
