// The receiving side of acknowledgements: which packet numbers arrived and when the peer should be told.
#pragma once

#include <cstdint>

#include "base/range_set.hpp"
#include "base/time.hpp"

namespace peernet::transport {

struct ArrivedPacket {
  std::uint64_t pn = 0;
  std::uint32_t bytes = 0;
  bool ack_eliciting = false;
  bool ack_now = false;
  std::uint8_t ecn = 0;
};

/// Policy: at once (that is, once per receive batch) on ACK_NOW, on a new gap, on reordering and on a CE mark; else
/// when a quarter of the window hint has arrived or min(RTT / 4, 25 ms) after the first unacknowledged packet.
class AckTracker {
 public:
  /// Ranges kept; the lowest are forgotten first (the peer has been told of them often, or counts them as lost).
  static constexpr std::size_t kMaxRanges = 256;
  using Received = RangeSet<std::uint64_t, WhenFull::kDropLowest>;

  static constexpr Duration kMaxDelay = 25ms;

  void on_packet(Instant now, const ArrivedPacket& packet, Duration rtt);
  void set_window_hint(std::uint64_t bytes) { window_hint_ = bytes; }
  /// A quarter of this size arrived since the last ACK: send one.
  bool due(Instant now) const { return pending_ && (at_once_ || now >= deadline_); }
  /// An ACK would tell the peer something: worth adding to a packet that goes out anyway.
  bool pending() const { return pending_; }
  Instant deadline() const { return !pending_ ? Instant::never() : at_once_ ? Instant::from_ns(0) : deadline_; }

  /// Ranges from the top that changed since the last ACK; an ACK should list at least these.
  std::size_t unreported() const { return unreported_; }
  const Received& received() const { return received_; }
  std::uint64_t largest() const { return largest_; }
  Instant largest_at() const { return largest_at_; }
  std::uint32_t ect0() const { return ect0_; }
  std::uint32_t ect1() const { return ect1_; }
  std::uint32_t ce() const { return ce_; }

  void on_ack_sent();
  /// The peer has seen our ACK up to `largest`: older numbers need not be repeated.
  void on_ack_acknowledged(std::uint64_t largest);

 private:
  /// Ranges from the top down to the one that holds pn.
  std::size_t depth_of(std::uint64_t pn) const;

  Received received_{kMaxRanges};
  std::uint64_t largest_ = 0;
  Instant largest_at_;
  Instant deadline_ = Instant::never();
  std::uint64_t window_hint_ = 256 * 1024;
  std::uint64_t bytes_since_ack_ = 0;
  std::size_t unreported_ = 0;
  std::uint32_t ect0_ = 0;
  std::uint32_t ect1_ = 0;
  std::uint32_t ce_ = 0;
  bool pending_ = false;
  bool at_once_ = false;
};

}  // namespace peernet::transport
