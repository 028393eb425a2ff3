// One direction of a path: rate, queue, delay, and everything a network may do to a datagram.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "base/rng.hpp"
#include "base/time.hpp"
#include "sim/datagram.hpp"

namespace peernet::sim {

/// Losses in bursts (Gilbert 1960, Elliott 1963): a good state without loss and a bad state with loss.
struct BurstLoss {
  double enter = 0;  ///< chance per datagram to go bad
  double leave = 1;  ///< chance per datagram to go good
  double loss = 0;   ///< chance to lose a datagram while bad
};

struct LinkProfile {
  Duration delay = 10ms;
  Duration jitter = Duration::zero();     ///< uniform, on top of delay
  bool jitter_reorders = false;           ///< else datagrams leave in the order they came
  std::uint64_t rate = 125'000'000;       ///< bytes of IP packets a second
  std::uint64_t queue_bytes = 1 << 20;    ///< tail drop above this
  std::uint64_t mark_bytes = UINT64_MAX;  ///< queue above which ECT packets become CE
  bool clear_ecn = false;                 ///< a router that wipes the ECN bits
  bool mark_all = false;                  ///< a router that marks every ECT packet
  std::uint32_t mtu = 1500;               ///< bytes of IP packet; longer ones vanish without a word
  double loss = 0;
  BurstLoss burst;
  double duplicate = 0;
  double reorder = 0;  ///< chance to be held back by up to reorder_by
  Duration reorder_by = Duration::zero();
  double corrupt = 0;
  double truncate = 0;
};

enum class Fate : std::uint8_t {
  kDelivered,
  kCut,
  kTooLong,
  kLost,
  kBurstLost,
  kQueueFull,
  kDuplicated,
  kReordered,
  kCorrupted,
  kTruncated,
  kMarked
};
inline constexpr std::size_t kFates = 11;
const char* name_of(Fate fate);

class Link {
 public:
  struct Arrival {
    Instant at;
    Datagram datagram;
  };

  Link(const LinkProfile& profile, std::uint64_t seed) : profile_(profile), rng_(seed) {}

  /// Appends what will come out at the other end, and when: nothing, the datagram, or more than one.
  void transmit(Instant now, Datagram datagram, std::vector<Arrival>& out);

  /// Loses exactly these of the following datagrams (0: the next one); for cases that need a loss at a known place.
  void lose_next(std::uint32_t count) { forced_losses_ = count; }

  LinkProfile& profile() { return profile_; }
  const LinkProfile& profile() const { return profile_; }
  bool is_cut() const { return cut_; }
  void set_cut(bool cut) { cut_ = cut; }
  std::uint64_t count(Fate fate) const { return counts_[static_cast<std::size_t>(fate)]; }
  /// Bytes it was given to carry, with IP's.
  std::uint64_t carried() const { return carried_; }
  /// No datagram of more than this many IP bytes came through whole (the largest that was delivered).
  std::uint32_t longest_delivered() const { return longest_delivered_; }

 private:
  void note(Fate fate) { ++counts_[static_cast<std::size_t>(fate)]; }
  bool swallowed(Instant now, const Datagram& datagram);
  bool in_burst_loss();
  void damage(Datagram& datagram);
  Instant departure(Instant now, std::uint32_t bytes);

  LinkProfile profile_;
  Rng rng_;
  Instant busy_until_;
  Instant last_arrival_;
  bool bad_state_ = false;
  bool cut_ = false;
  std::uint32_t forced_losses_ = 0;
  std::uint32_t longest_delivered_ = 0;
  std::uint64_t carried_ = 0;
  std::array<std::uint64_t, kFates> counts_{};
};

}  // namespace peernet::sim
