// Everything that happens to a swarm, drawn from the seed before it starts: hosts and their links, who shares, gets and
// lies, trackers, and a schedule of single events. Two acts: hurt (safety is checked), then heal and demand that every
// honest get ends. Liars stay liars.
#pragma once

#include <vector>

#include "sim/swarm_node.hpp"

namespace peernet::sim {

enum class SwarmEventKind : std::uint8_t {
  kPartition,       ///< hosts with an odd bit in value on one side, the others on the other
  kCutOneWay,       ///< from node to other
  kClog,            ///< value: permille of loss between node and other, and half a second more delay
  kStall,           ///< node gets no CPU
  kCrash,           ///< its process dies; back after the duration
  kPowerCut,        ///< its host dies, and with it what was not fsync'd
  kJump,            ///< its clock jumps forward by the duration
  kLeave,           ///< says goodbye for good (sharers)
  kTrackerDies,     ///< value: which
  kTrackerForgets,  ///< value: which
  kDiskFull,
  kDiskSlow,   ///< 50 times as slow
  kDiskFails,  ///< value: permille of operations with EIO
  kCount
};
const char* name_of(SwarmEventKind kind);

struct SwarmEvent {
  Instant at;
  SwarmEventKind kind{};
  std::uint32_t node = 0;
  std::uint32_t other = 0;
  Duration lasts = Duration::zero();
  std::uint64_t value = 0;
};

struct SwarmScenario {
  std::uint64_t seed = 0;
  std::uint64_t content_bytes = 1 << 20;
  std::uint32_t chunk_bytes = 16384;
  bool is_private = true;
  std::uint32_t trackers = 0;  ///< standalone ones; 0: the publisher is the tracker
  bool link_names_publisher = true;
  SwarmSettings settings;
  std::vector<NodePlan> nodes;  ///< the first is the publisher
  std::vector<SwarmEvent> events;
  Duration hurt_for = Duration::zero();
  Duration finish_within = 60s;  ///< after healing
};

/// nodes: 0 for as many as the seed says.
SwarmScenario draw_swarm(std::uint64_t seed, std::uint32_t nodes);

/// Equal hosts of 100 Mbit/s at 5 ms, nothing happens to them.
SwarmScenario calm_swarm(std::uint64_t seed, std::uint32_t getters, std::uint64_t content_bytes);

/// One publisher and a crowd that begins all at once, every link 10 Mbit/s each way: how long until the last one is
/// done?
SwarmScenario crowd(std::uint64_t seed, std::uint32_t getters);
inline constexpr std::uint64_t kCrowdRate = 1'250'000;

}  // namespace peernet::sim
