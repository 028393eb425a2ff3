// What a tracker knows as bytes for its disk, so that a restarted one is good in its first seconds. Nothing in a file
// is believed before its checksum compares equal and all of it has been read once.
//
//   "PNTRKSNP"  version u32  reserved u32  wall-clock second u64
//   'S' swarm (20 bytes)  completed u32
//   '4' or '6': a legacy peer of it     ip (4 or 16)  port u16  age u32 ms  flags u8
//   'n' or 'N': a node of it (v4, v6)   the same, then rate u32 KiB/s  chunks u32  tag (16)  owned (16, unless
//   complete)
//   ... more peers, more swarms ('S' again for a swarm that was seen before adds to it) ...
//   'E' number of peers u64  XXH3-128 of all bytes before it (16)
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "base/types.hpp"
#include "crypto/hash.hpp"
#include "tracker/tracker_core.hpp"

namespace peernet::tracker {

inline constexpr std::uint32_t kSnapshotVersion = 1;

/// Makes a snapshot piece by piece: write gathered() whenever it pleases, clear(), go on. finish() gathers the end.
class SnapshotEncoder {
 public:
  /// second: of the wall clock (Unix time), from which the ages count.
  explicit SnapshotEncoder(std::uint64_t second);

  void add(const SwarmSummary& swarm, const PeerSummary& peer);
  void finish();

  /// The bytes since the last clear(); its memory is kept, so that a walk under a lock seldom allocates.
  ByteSpan gathered() const { return buffer_; }
  void clear();
  std::uint64_t peers() const { return peers_; }

 private:
  void append(ByteSpan bytes);

  std::vector<std::byte> buffer_;
  crypto::Xxh3 checksum_;
  std::optional<SwarmId> swarm_;
  std::uint64_t peers_ = 0;
};

enum class SnapshotFault : std::uint8_t { kForeign, kOtherVersion, kTooShort, kChecksum, kMalformed };
/// "it is cut off": a phrase for a sentence.
std::string_view text_of(SnapshotFault fault);

struct SnapshotContents {
  std::uint64_t second = 0;  ///< when it was made
  std::uint64_t peers = 0;
};

struct SnapshotVisitor {
  std::function<void(const SwarmId&, std::uint32_t completed)> swarm;
  std::function<void(const SwarmId&, const PeerSummary&)> peer;
};

/// Checks all of a file, then visits what it holds in its order; a fault is told before anything is visited.
std::expected<SnapshotContents, SnapshotFault> read_snapshot(ByteSpan file, const SnapshotVisitor& visitor);

}  // namespace peernet::tracker
