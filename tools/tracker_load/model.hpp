// What every simulated peer is and does, exactly: so that each list, count and scrape of a tracker can be called right
// or wrong. Swarms are consecutive ranges of peer numbers whose sizes follow a Zipf law.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "base/time.hpp"
#include "options.hpp"

namespace peernet::tracker_load {

enum class PeerKind : std::uint8_t { kAbsent = 0, kLeecher = 1, kSeeder = 2 };

/// A peer is written by the thread that owns its source; others look while they check lists, where a value that is a
/// moment old is as good: hence relaxed atomics.
class Model {
 public:
  explicit Model(const Options& options);

  std::uint32_t peers() const { return starts_.back(); }
  std::uint32_t swarms() const { return static_cast<std::uint32_t>(starts_.size()) - 1; }
  std::uint32_t first_of(std::uint32_t swarm) const { return starts_[swarm]; }
  std::uint32_t end_of(std::uint32_t swarm) const { return starts_[swarm + 1]; }
  std::uint32_t size_of(std::uint32_t swarm) const { return end_of(swarm) - first_of(swarm); }
  std::uint32_t swarm_of(std::uint32_t peer) const { return swarm_of_[peer]; }
  /// What it is when it starts.
  PeerKind initial_kind(std::uint32_t peer) const;

  struct PeerState {
    PeerKind kind = PeerKind::kAbsent;
    bool busy = false;    ///< an announce is under way
    bool unsure = false;  ///< one was lost: the tracker may have got it
    bool settled() const { return !busy && !unsure; }
  };
  PeerState state_of(std::uint32_t peer) const;
  void set_state(std::uint32_t peer, PeerState state);
  void set_busy(std::uint32_t peer);
  void set_unsure(std::uint32_t peer);
  /// An announce was answered: what the peer is now.
  void set_answered(std::uint32_t peer, PeerKind kind, Instant at);
  bool ever_stopped(std::uint32_t peer) const { return stopped_ms_[peer].load(std::memory_order_relaxed) != 0; }
  bool stopped_before(std::uint32_t peer, Instant at) const;

 private:
  std::uint64_t seed_;
  double seeders_;
  Instant start_;
  std::vector<std::uint32_t> starts_;
  std::vector<std::uint32_t> swarm_of_;
  std::vector<std::atomic<std::uint8_t>> states_;
  std::vector<std::atomic<std::uint32_t>> stopped_ms_;  ///< since start_, when "stopped" was last answered; 0: never
};

}  // namespace peernet::tracker_load
