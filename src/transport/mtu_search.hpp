// Datagram packetization-layer path MTU discovery (RFC 8899): how large may a datagram be? Sizes are UDP payload bytes.
#pragma once

#include <cstdint>

#include "base/time.hpp"

namespace peernet::transport {

/// kSearching -> kComplete (found, or nothing to find); kSearching | kComplete -> kWaiting (black hole: back to the
/// base)
/// -> kSearching; kComplete -> kSearching (after kRaiseAfter, paths may have become wider).
class MtuSearch {
 public:
  static constexpr std::uint32_t kBase = 1200;
  static constexpr std::uint32_t kCommon = 1452;        ///< fits 1500-byte links under both IP versions: tried second
  static constexpr std::uint32_t kCloseEnough = 16;     ///< stop when the answer is known to this many bytes
  static constexpr std::uint32_t kMaxProbes = 3;        ///< lost probes of one size before it counts as too large
  static constexpr std::uint32_t kBlackHoleRounds = 3;  ///< loss rounds of large packets with none delivered
  static constexpr Duration kRaiseAfter = 600s;
  static constexpr Duration kWaitAfterBlackHole = 1s;

  /// `limit`: largest size worth trying; `enabled` false: stays at the base.
  MtuSearch(std::uint32_t limit, bool enabled);

  /// Datagram size to use now.
  std::uint32_t current() const { return current_; }
  std::uint32_t limit() const { return limit_; }
  /// A smaller limit became known (the peer's parameters).
  void set_limit(std::uint32_t limit);

  /// Size of the probe to send now, 0 for none. One probe is outstanding at a time.
  std::uint32_t probe_size(Instant now) const;
  /// When probe_size may become non-zero without anything arriving.
  Instant next_probe_at() const;

  void on_probe_sent() { outstanding_ = true; }
  /// True if current() grew.
  bool on_probe_acked(Instant now, std::uint32_t size);
  void on_probe_lost(Instant now);
  /// The kernel or the path said so at once (EMSGSIZE). True if current() fell.
  bool on_too_big(Instant now, std::uint32_t size);

  /// Of packets above the base size: one got through / a round of loss detection lost some. True if current() fell.
  void on_large_acked() { bad_rounds_ = 0; }
  bool on_large_lost_round(Instant now);
  /// Probe timeouts in a row: large packets may be what does not get through. True if current() fell.
  bool on_repeated_pto(Instant now);

  void reset(Instant now);
  bool complete() const { return phase_ == Phase::kComplete; }

 private:
  enum class Phase : std::uint8_t { kSearching, kComplete, kWaiting };

  void choose(Instant now);
  bool fall_back(Instant now);
  void restart_search();

  std::uint32_t limit_;
  bool enabled_;
  Phase phase_ = Phase::kSearching;
  std::uint32_t current_ = kBase;
  std::uint32_t too_large_ = 0;  ///< smallest size known not to pass
  std::uint32_t candidate_ = 0;
  std::uint32_t lost_ = 0;  ///< probes of the candidate that were lost
  std::uint32_t bad_rounds_ = 0;
  bool outstanding_ = false;
  Instant resume_at_ = Instant::never();
};

}  // namespace peernet::transport
