// What was sent and became of it: acknowledgement, loss detection and probe timeout (RFC 9002 sections 5 and 6) over
// the ring of sent packets. Decides nothing about windows; tells its caller what was acknowledged and lost.
#pragma once

#include <optional>
#include <span>

#include "transport/rtt.hpp"
#include "transport/sent_packets.hpp"
#include "wire/frames.hpp"

namespace peernet::transport {

/// Told per packet, in ascending order within one range or one scan.
class RecoveryListener {
 public:
  virtual ~RecoveryListener() = default;
  /// `spurious`: it had been declared lost before.
  virtual void on_packet_acked(std::uint64_t pn, const SentPacket& packet, bool spurious) = 0;
  /// Only packets that want an acknowledgement.
  virtual void on_packet_lost(std::uint64_t pn, const SentPacket& packet) = 0;
};

struct AckOutcome {
  bool breach = false;            ///< it acknowledges what was never sent: close the session
  bool any_new = false;           ///< something in flight was acknowledged (spurious losses included)
  bool eliciting = false;         ///< some newly acknowledged packet had asked for an ACK
  std::uint64_t largest_new = 0;  ///< largest newly acknowledged number
  Instant largest_new_sent_at;
  std::uint64_t acked_bytes = 0;  ///< that were in flight
  std::uint64_t ect_marked = 0;   ///< newly acknowledged packets sent as ECT(0)
  std::uint64_t rate = 0;         ///< delivery rate sample, bytes/s; 0: none
  bool rate_app_limited = false;
};

struct LossOutcome {
  std::uint64_t lost_packets = 0;
  std::uint64_t lost_bytes = 0;
  Instant oldest_lost_sent_at;
  Instant newest_lost_sent_at;  ///< of packets that count for congestion
  bool congestion = false;      ///< something other than an MTU probe was lost
  Duration longest_run{};       ///< span of send times of lost packets with none acknowledged between (7.6)
};

class LossRecovery {
 public:
  static constexpr std::uint64_t kPacketThreshold = 3;
  static constexpr std::uint64_t kMaxPacketThreshold = 512;  ///< how far reordering may make it grow
  static constexpr std::uint32_t kMaxBackoff = 10;           ///< doublings of the PTO

  explicit LossRecovery(std::uint32_t max_packets) : sent_(64, max_packets) {}

  std::uint64_t next_number() const { return sent_.next(); }
  /// Packets that may still be recorded.
  std::uint32_t room() const { return sent_.room(); }

  /// Records the packet that takes next_number(). room() must not be 0.
  void on_sent(const SentPacket& packet);
  /// Burns next_number(): nobody can honestly acknowledge it (RFC 9000 21.4).
  void skip_number(Instant now);

  /// Marks what `ranges` (newest first, as decoded) acknowledges.
  AckOutcome on_ack(Instant now, std::span<const wire::PacketRange> ranges, RecoveryListener& listener);
  /// Finds lost packets; call after on_ack and an RTT update, and when loss_time() has come.
  LossOutcome detect_lost(Instant now, const RttEstimator& rtt, RecoveryListener& listener);
  /// Forgets records that no longer matter; lost ones are kept for `keep` to notice spurious losses.
  void forget_old(Instant now, Duration keep);

  /// When some packet becomes lost by time; never() if none is waiting for that.
  Instant loss_time() const { return loss_time_; }
  /// When to probe; never() with nothing in flight. `max_ack_delay` as the peer promised.
  Instant pto_deadline(const RttEstimator& rtt, Duration max_ack_delay) const;
  void on_pto();
  void reset_pto() { pto_count_ = 0; }
  std::uint32_t pto_count() const { return pto_count_; }

  std::uint64_t bytes_in_flight() const { return bytes_in_flight_; }
  std::uint64_t eliciting_in_flight() const { return eliciting_in_flight_; }
  std::optional<std::uint64_t> largest_acked() const { return largest_acked_; }
  std::uint64_t packet_threshold() const { return packet_threshold_; }
  std::uint64_t delivered_bytes() const { return delivered_; }

  SentPackets& packets() { return sent_; }
  const SentPackets& packets() const { return sent_; }
  /// Aborts unless the counters equal the sums over the ring.
  void check_invariants() const;

 private:
  void acknowledge(std::uint64_t pn, SentPacket& packet, AckOutcome& outcome, RecoveryListener& listener);
  void leave_flight(const SentPacket& packet);

  SentPackets sent_;
  std::uint64_t scan_from_ = 0;  ///< nothing below is in flight
  std::optional<std::uint64_t> largest_acked_;
  std::uint64_t bytes_in_flight_ = 0;
  std::uint64_t eliciting_in_flight_ = 0;
  std::uint64_t delivered_ = 0;
  std::uint64_t packet_threshold_ = kPacketThreshold;
  std::uint32_t time_eighths_ = 0;  ///< eighths of an RTT waited on top, after spurious losses
  Instant loss_time_ = Instant::never();
  Instant last_eliciting_sent_;
  std::uint32_t pto_count_ = 0;
};

}  // namespace peernet::transport
