// What was counted: replies, losses, and each thing that a reply can have wrong.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.hpp"

namespace peernet::tracker_load {

/// Latencies in log-linear buckets, 32 an octave: 3 % wide.
class Histogram {
 public:
  void add(Duration latency);
  void merge(const Histogram& other);
  double quantile_us(double q) const;
  double max_us() const { return static_cast<double>(max_) / 1e3; }

 private:
  static constexpr int kStepBits = 5;

  std::vector<std::uint64_t> buckets_ = std::vector<std::uint64_t>(64 << kStepBits);
  std::uint64_t count_ = 0;
  std::uint64_t max_ = 0;
};

enum class Count : std::uint8_t {
  kSent,
  kBytesOut,
  kBytesIn,
  kLost,
  kLate,
  kSendBlocked,
  kSocketErrors,
  // Replies by kind.
  kConnects,
  kAnnounces,
  kScrapes,
  kNodeAnnounces,
  kHeartbeats,
  kQueries,
  kErrors,
  kContents,  ///< swarms that those replies were about: 32 of a full heartbeat
  // What makes a reply invalid.
  kBadTransaction,
  kBadAction,
  kBadLength,
  kBadCount,  ///< more peers than the swarm ever had, or than are counted
  kOverNumwant,
  kAlien,       ///< a listed peer that is none of ours
  kWrongSwarm,  ///< a peer of another swarm
  kGhost,       ///< one that never announced
  kStale,       ///< one that had stopped before the request was sent
  kDuplicate,   ///< one that is listed twice
  kWrongNode,   ///< a node whose ownership, address or flags are not what it announced
  kForgotten,   ///< a heartbeat's content that the tracker does not know any more
  // Worth knowing, never wrong.
  kListsChecked,
  kListsNonempty,
  kPeersListed,
  kSelfListed,
  kShortLists,  ///< below numwant in a swarm of more than twice that
  kSeedToSeed,
  kCount
};
std::string_view name_of(Count count);

struct Stats {
  Histogram latency;
  std::array<std::uint64_t, static_cast<std::size_t>(Count::kCount)> counts{};
  std::string first_error;    ///< words of the first error reply
  std::string first_invalid;  ///< what was wrong with the first invalid reply

  void add(Count count, std::uint64_t n = 1) { counts[static_cast<std::size_t>(count)] += n; }
  void invalid(Count count, const char* what);
  std::uint64_t at(Count count) const { return counts[static_cast<std::size_t>(count)]; }
  std::uint64_t replies() const { return sum(Count::kConnects, Count::kErrors); }
  std::uint64_t invalid() const { return sum(Count::kBadTransaction, Count::kForgotten); }
  void merge(const Stats& other);

 private:
  std::uint64_t sum(Count first, Count last) const;
};

/// CPU time and memory of a process, all zero for pid 0.
struct ProcessSample {
  double cpu_seconds = 0;  ///< time its threads ran, by the scheduler's count
  double rss_kib = 0;
};
ProcessSample sample_process(int pid);
/// CPU seconds of this process.
double own_cpu_seconds();

}  // namespace peernet::tracker_load
