// What is remembered of a peer, in as few bytes as it takes: a million of them is the normal case.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>

#include "base/address.hpp"
#include "base/bytes.hpp"
#include "base/time.hpp"
#include "crypto/siphash.hpp"
#include "tracker/settings.hpp"
#include "wire/tracker_messages.hpp"

namespace peernet::tracker {

/// An instant as records keep it. Both wrap; ages are far below half of their range as long as sweep() is called.
struct Moment {
  std::uint32_t ms = 0;
  std::uint16_t tick = 0;  ///< of 1/128 legacy interval, 15 bits
};

inline constexpr std::uint16_t kTickMask = 0x7fff;
inline constexpr std::uint16_t kSeederBit = 0x8000;

/// A legacy peer: its observed IP and announced port, in network byte order and in this order, as replies carry them.
struct LegacyV4 {
  static constexpr std::uint32_t kPerBucket = 64;
  static constexpr std::size_t kReplySize = wire::kPeerSizeV4;

  std::uint32_t ip = 0;
  std::uint16_t port = 0;
  std::uint16_t meta = 0;  ///< kSeederBit and the tick it was last seen

  bool same_peer(const LegacyV4& other) const { return ((ip ^ other.ip) | std::uint32_t(port ^ other.port)) == 0; }
  bool in_front() const { return (meta & kSeederBit) != 0; }
};
static_assert(sizeof(LegacyV4) == 8);

struct LegacyV6 {
  static constexpr std::uint32_t kPerBucket = 32;
  static constexpr std::size_t kReplySize = wire::kPeerSizeV6;

  ByteArray<16> ip{};
  std::uint16_t port = 0;
  std::uint16_t meta = 0;

  bool same_peer(const LegacyV6& other) const { return port == other.port && ip == other.ip; }
  bool in_front() const { return (meta & kSeederBit) != 0; }
};
static_assert(sizeof(LegacyV6) == 20);

/// A node: its observed address. One cache line; few to a bucket, so that a heartbeat finds its own in a line or two.
struct alignas(64) Node {
  static constexpr std::uint32_t kPerBucket = 4;

  ByteArray<16> ip{};
  std::uint16_t port = 0;  ///< host byte order
  std::uint8_t flags = 0;  ///< wire::kContentComplete, wire::kContentServed
  std::uint8_t unused = 0;
  std::uint32_t seen_ms = 0;
  std::uint32_t rate_kib = 0;
  std::uint32_t chunks = 0;
  wire::NodeTag node{};
  wire::OwnershipBits owned{};

  bool same_peer(const Node& other) const { return port == other.port && ip == other.ip; }
  bool in_front() const { return (flags & wire::kContentComplete) != 0; }
};
static_assert(sizeof(Node) == 64);

inline std::uint16_t network_order(std::uint16_t v) {
  return to_big_endian(v);  // its own inverse
}

inline void set_peer(LegacyV4& peer, const Address& ip, std::uint16_t port) {
  std::memcpy(&peer.ip, ip.ip.data() + 12, 4);
  peer.port = network_order(port);
}
inline void set_peer(LegacyV6& peer, const Address& ip, std::uint16_t port) {
  peer.ip = ip.ip;
  peer.port = network_order(port);
}
inline void set_peer(Node& peer, const Address& ip, std::uint16_t port) {
  peer.ip = ip.ip;
  peer.port = port;
}

inline Address address_of(const LegacyV4& peer) {
  Address out = Address::v4(0, 0, 0, 0, network_order(peer.port));
  std::memcpy(out.ip.data() + 12, &peer.ip, 4);
  return out;
}
inline Address address_of(const LegacyV6& peer) {
  Address out;
  out.ip = peer.ip;
  out.port = network_order(peer.port);
  return out;
}
inline Address address_of(const Node& peer) {
  Address out;
  out.ip = peer.ip;
  out.port = peer.port;
  return out;
}

/// The keyed hash of table places: whoever chooses swarm ids and addresses cannot choose where they go.
class TableHash {
 public:
  explicit TableHash(const Hash128& key) : key_(key) {}

  std::uint64_t of(const SwarmId& swarm) const { return crypto::siphash24(key_, swarm); }
  std::uint64_t of_number(std::uint64_t n) const { return crypto::siphash24(key_, std::as_bytes(std::span(&n, 1))); }
  std::uint32_t operator()(const LegacyV4& peer) const { return of_start<6>(&peer); }
  std::uint32_t operator()(const LegacyV6& peer) const { return of_start<18>(&peer); }
  std::uint32_t operator()(const Node& peer) const { return of_start<18>(&peer); }

 private:
  /// Address and port are the first bytes of every record.
  template <std::size_t N>
  std::uint32_t of_start(const void* record) const {
    ByteArray<N> start;
    std::memcpy(start.data(), record, N);
    return static_cast<std::uint32_t>(crypto::siphash24(key_, start));
  }
  Hash128 key_;
};

/// When a peer counts as dead.
class Ages {
 public:
  explicit Ages(const Times& times)
      : tick_ns_(std::max<std::int64_t>(times.interval.count() / 128, 1)),
        node_limit_ms_(static_cast<std::int32_t>(
            std::chrono::duration_cast<std::chrono::milliseconds>(times.beat).count() * wire::kBeatsUntilDead)) {}

  Moment moment(Instant t) const {
    return {static_cast<std::uint32_t>(floor_div(t.ns(), 1'000'000)),
            static_cast<std::uint16_t>(floor_div(t.ns(), tick_ns_) & kTickMask)};
  }
  bool dead(const Node& peer, Moment now) const { return node_age(peer, now) > node_limit_ms_; }
  bool dead(const LegacyV4& peer, Moment now) const { return ticks(peer.meta, now) > kLegacyLimit; }
  bool dead(const LegacyV6& peer, Moment now) const { return ticks(peer.meta, now) > kLegacyLimit; }

  /// Of an age that no record could keep, such as a snapshot's.
  bool dead_at(std::uint32_t age_ms, bool legacy) const {
    const std::int64_t limit_ms = legacy ? kLegacyLimit * tick_ns_ / 1'000'000 : node_limit_ms_;
    return age_ms > limit_ms;
  }

  std::uint32_t age_ms(const Node& peer, Moment now) const { return static_cast<std::uint32_t>(node_age(peer, now)); }
  std::uint32_t age_ms(const LegacyV4& peer, Moment now) const { return ms_of(ticks(peer.meta, now)); }
  std::uint32_t age_ms(const LegacyV6& peer, Moment now) const { return ms_of(ticks(peer.meta, now)); }

 private:
  static constexpr std::int32_t kLegacyLimit = 128 * 3 / 2;

  static std::int64_t floor_div(std::int64_t a, std::int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }
  // Another thread may be a moment ahead of this one: an age below 0 is 0.
  static std::int32_t node_age(const Node& peer, Moment now) {
    return std::max(static_cast<std::int32_t>(now.ms - peer.seen_ms), 0);
  }
  static std::int32_t ticks(std::uint16_t meta, Moment now) {
    const std::uint32_t age = (std::uint32_t{now.tick} - meta) & kTickMask;
    return age > kTickMask / 2 ? 0 : static_cast<std::int32_t>(age);
  }
  std::uint32_t ms_of(std::int32_t ticks) const { return static_cast<std::uint32_t>(ticks * tick_ns_ / 1'000'000); }

  std::int64_t tick_ns_;
  std::int32_t node_limit_ms_;
};

}  // namespace peernet::tracker
