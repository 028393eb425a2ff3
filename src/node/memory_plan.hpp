// How much memory a node may use, in one place. Pools are reserved at start and touched by need.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace peernet::node {

// Per shard, out. Trains and read blocks stay small so that they stay in the cache (25 to 40 % of a receiver's cost was
// cache misses with pools of 16 MiB).
inline constexpr std::size_t kTrainBytes = 65536;   ///< one GSO train: at most 65507 bytes
inline constexpr std::uint32_t kTrains = 16;        ///< trains sealed and not yet done with by the kernel
inline constexpr std::uint32_t kReadBlocks = 16;    ///< pieces of files being read or waiting to be sealed
inline constexpr std::size_t kControlBytes = 2048;  ///< a control or handshake datagram up to this size
inline constexpr std::uint32_t kControlSlots = 64;
inline constexpr std::uint32_t kMaxSends = kTrains + kControlSlots;
inline constexpr std::size_t kSendMemory =
    kTrainBytes * kTrains + kTrainBytes * kReadBlocks + kControlBytes * kControlSlots;

// Per shard, in.
inline constexpr std::uint32_t kMaxPeers = 4096;  ///< sessions, half-open ones included
inline constexpr std::uint32_t kReceiveBuffers = 16;

// Per process: a half-open session holds about 68 KiB, nearly all of it TLS state.
inline constexpr std::uint32_t kMaxHalfOpen = 64;            ///< above this a handshake is answered with RETRY
inline constexpr std::uint32_t kMaxHalfOpenValidated = 256;  ///< above this even with a token it is dropped

// Per download.
inline constexpr std::size_t kAssemblyMemory = 24u << 20;  ///< chunks being received, verified and written
inline constexpr std::size_t kFetchMemory = 32u << 20;     ///< reserved for them: two chunks of the largest size fit
inline constexpr std::uint16_t kMaxAssemblies = 24;
/// From this content size on those buffers are backed by huge pages: 6,000 page faults cost a tenth of receiving 200 MB.
inline constexpr std::uint64_t kHugePagesFrom = 32u << 20;
/// Buffers of one chunk each.
constexpr std::uint16_t assemblies_for(std::uint32_t chunk_bytes) {
  return static_cast<std::uint16_t>(std::clamp<std::size_t>(kAssemblyMemory / chunk_bytes, 2, kMaxAssemblies));
}

// 8 shards x send memory and receive buffers (66 KiB each), one download, the program and its libraries (about 20 MiB
// resident): the promise is 64 MiB a process.
static_assert(8 * (kSendMemory + kReceiveBuffers * 66 * 1024) + kAssemblyMemory / 2 < (64u << 20));

}  // namespace peernet::node
