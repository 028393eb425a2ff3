// Requests as simulated clients send them, and the arithmetic that names swarms and clients.
#pragma once

#include <cstdint>
#include <cstring>

#include "base/bytes.hpp"
#include "base/types.hpp"
#include "wire/tracker_messages.hpp"

namespace peernet::tracker_load {

/// A bijection that spreads its argument over all bits (splitmix64).
constexpr std::uint64_t mix64(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15ULL;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

/// mix64 as a number in [0, 1).
constexpr double unit_of(std::uint64_t x) {
  return static_cast<double>(mix64(x) >> 11) * 0x1p-53;
}

inline SwarmId swarm_id(std::uint64_t seed, std::uint32_t swarm) {
  const std::uint64_t first = mix64(seed * 1'000'003 + swarm);
  const std::uint64_t second = mix64(first);
  const std::uint64_t third = mix64(second);
  SwarmId out;
  std::memcpy(out.data(), &first, 8);
  std::memcpy(out.data() + 8, &second, 8);
  std::memcpy(out.data() + 16, &third, 4);
  return out;
}

struct ClientAnnounce {
  std::uint64_t connection_id = 0;
  std::uint32_t transaction = 0;
  std::uint32_t client = 0;  ///< makes the peer id
  SwarmId swarm{};
  bool complete = false;
  wire::AnnounceEvent event = wire::AnnounceEvent::kNone;
  std::uint32_t numwant = 0;
  std::uint16_t port = 0;
};

// Each writes one datagram and returns its size; the span holds kMaxTrackerRequest bytes.

inline std::size_t write_connect(MutableByteSpan out, std::uint32_t transaction) {
  return wire::encode_connect(out, {.transaction = transaction, .extended = false});
}

inline std::size_t write_announce(MutableByteSpan out, const ClientAnnounce& a) {
  ByteArray<20> peer_id;
  std::memcpy(peer_id.data(), "-PB0100-", 8);
  for (std::uint32_t i = 0; i < 12; ++i)
    peer_id[8 + i] = static_cast<std::byte>('a' + (i < 8 ? a.client >> (4 * i) & 15 : 0));
  return wire::encode(out, {a.connection_id, wire::TrackerAction::kAnnounce, a.transaction},
                      wire::AnnounceRequest{.swarm = a.swarm,
                                            .left = a.complete ? 0 : std::uint64_t{1} << 20,
                                            .event = a.event,
                                            .numwant = static_cast<std::int32_t>(a.numwant),
                                            .port = a.port},
                      peer_id);
}

/// A request header; hashes or anything else follow it.
inline std::size_t write_header(MutableByteSpan out, std::uint64_t connection_id, std::uint32_t action,
                                std::uint32_t transaction) {
  ByteWriter writer(out);
  writer.u64(connection_id);
  writer.u32(action);
  writer.u32(transaction);
  return writer.position();
}

inline void put_hash(MutableByteSpan out, std::size_t at, const SwarmId& swarm) {
  std::memcpy(out.data() + at, swarm.data(), swarm.size());
}

}  // namespace peernet::tracker_load
