// Random tracker messages within the limits, as their decoders would give them: shared by the tests and fuzz targets.
#pragma once

#include <variant>
#include <vector>

#include "base/rng.hpp"
#include "wire/tracker_messages.hpp"

namespace peernet::wire {

class SampleTrackerMessages {
 public:
  explicit SampleTrackerMessages(std::uint64_t seed) : rng_(seed) {}

  TrackerHeader header(TrackerAction action) { return {rng_.next(), action, u32()}; }

  AnnounceRequest announce() {
    AnnounceRequest r;
    r.swarm = array<20>();
    r.left = rng_.next();
    r.event = static_cast<AnnounceEvent>(rng_.below(4));
    r.numwant = static_cast<std::int32_t>(u32());
    r.port = port();
    return r;
  }

  NodeAnnounce node_announce() {
    NodeAnnounce r;
    r.swarm = array<20>();
    r.node = array<kNodeTagSize>();
    r.flags = flags(kContentComplete | kContentServed | kContentLeft | kReachesV4 | kReachesV6);
    r.numwant = static_cast<std::uint8_t>(u32());
    r.chunks = u32();
    r.rate_kib = u32();
    r.owned = owned(r.flags);
    return r;
  }

  Heartbeat heartbeat() {
    Heartbeat r;
    r.node = array<kNodeTagSize>();
    r.rate_kib = u32();
    for (std::size_t n = 1 + rng_.below(kMaxHeartbeatContents); n > 0; --n) {
      HeartbeatEntry entry;
      entry.swarm = array<20>();
      entry.flags = flags(kContentComplete | kContentServed | kContentLeft);
      // Who leaves says nothing of what it has.
      if ((entry.flags & kContentComplete) || !(entry.flags & kContentLeft)) entry.owned = owned(entry.flags);
      r.entries.push_back(entry);
    }
    return r;
  }

  Query query() { return {array<20>(), u32()}; }

  ConnectReply connect_reply(bool extended) {
    ConnectReply r;
    r.transaction = u32();
    r.connection_id = rng_.next();
    r.extended = extended;
    if (!extended) return r;
    r.epoch = u32();
    r.beat_ms = u32();
    r.observed = address();
    return r;
  }

  NodeAnnounceReply node_announce_reply(std::size_t peers) {
    NodeAnnounceReply r;
    r.transaction = u32();
    r.epoch = u32();
    r.beat_ms = u32();
    r.connection_id = rng_.next();
    r.observed = address();
    r.complete = u32();
    r.partial = u32();
    r.chunks = u32();
    for (; peers > 0; --peers) {
      NodePeer peer;
      peer.flags = flags(kContentComplete | kContentServed);
      peer.address = address();
      peer.rate_kib = u32();
      peer.node = array<kNodeTagSize>();
      peer.owned = owned(peer.flags);
      r.peers.push_back(peer);
    }
    return r;
  }

  HeartbeatReply heartbeat_reply() { return {u32(), u32(), u32(), rng_.next(), u32()}; }

  QueryReply query_reply(std::size_t nodes) {
    QueryReply r{u32(), u32(), u32(), u32(), u32(), u32(), u32(), u32(), {}};
    for (; nodes > 0; --nodes) {
      ListedNode node;
      node.flags = flags(kContentComplete | kContentServed);
      node.address = address();
      node.age_ms = u32();
      node.rate_kib = u32();
      node.chunks = u32();
      node.node = array<kNodeTagSize>();
      node.owned = owned(node.flags);
      r.nodes.push_back(node);
    }
    return r;
  }

  /// A reply of each kind; lists of any length up to the longest.
  std::vector<TrackerReply> replies() {
    return {connect_reply(false),
            connect_reply(true),
            node_announce_reply(rng_.below(kMaxNodePeers + 1)),
            heartbeat_reply(),
            query_reply(rng_.below(kMaxListedNodes + 1)),
            Goodbye{u32(), rng_.next()},
            ErrorReply{u32(), "any words"}};
  }

  Address address() {
    Address out = Address::v4(1, 2, 3, static_cast<std::uint8_t>(u32()), port());
    if (rng_.chance(0.5)) out.ip = array<16>();
    return out;
  }

 private:
  std::uint32_t u32() { return static_cast<std::uint32_t>(rng_.next()); }
  std::uint16_t port() { return static_cast<std::uint16_t>(1 + rng_.below(65535)); }
  std::uint8_t flags(int known) { return static_cast<std::uint8_t>(u32() & static_cast<std::uint32_t>(known)); }
  OwnershipBits owned(std::uint8_t flags) {
    return (flags & kContentComplete) ? all_owned() : array<kOwnershipBytes>();
  }
  template <std::size_t N>
  ByteArray<N> array() {
    ByteArray<N> out;
    for (auto& b : out) b = static_cast<std::byte>(rng_.next());
    return out;
  }

  Rng rng_;
};

/// Encodes whichever reply it is.
inline std::vector<std::byte> encoded(const TrackerReply& reply) {
  std::vector<std::byte> out(kMaxTrackerReply);
  out.resize(std::visit(
      [&](const auto& r) {
        if constexpr (std::is_same_v<std::decay_t<decltype(r)>, ErrorReply>)
          return encode_error(out, r.transaction, r.text, out.size());
        else
          return encode(out, r);
      },
      reply));
  out.shrink_to_fit();  // an exact block: a sanitizer sees any read past the end
  return out;
}

}  // namespace peernet::wire
