#include "transport/loss_recovery.hpp"

#include <algorithm>

#include "transport/mutants.hpp"

namespace peernet::transport {

void LossRecovery::on_sent(const SentPacket& packet) {
  SentPacket& slot = sent_.push(packet);
  slot.state = PacketState::kInFlight;
  slot.delivered = delivered_;
  if (!slot.ack_eliciting()) return;
  if (slot.in_window()) bytes_in_flight_ += slot.bytes;
  ++eliciting_in_flight_;
  last_eliciting_sent_ = slot.sent_at;
}

void LossRecovery::skip_number(Instant now) {
  SentPacket skipped;
  skipped.sent_at = now;
  sent_.push(skipped).state = PacketState::kSkipped;
}

void LossRecovery::leave_flight(const SentPacket& packet) {
  if (!packet.ack_eliciting()) return;
  const std::uint64_t bytes = packet.in_window() ? packet.bytes : 0;
  PN_CHECK(bytes_in_flight_ >= bytes && eliciting_in_flight_ > 0);
  bytes_in_flight_ -= bytes;
  --eliciting_in_flight_;
}

void LossRecovery::acknowledge(std::uint64_t pn, SentPacket& packet, AckOutcome& outcome, RecoveryListener& listener) {
  const bool spurious = packet.state == PacketState::kLost;
  outcome.eliciting |= packet.ack_eliciting();
  if (!outcome.any_new || pn >= outcome.largest_new) {
    outcome.largest_new = pn;
    outcome.largest_new_sent_at = packet.sent_at;
  }
  outcome.any_new = true;
  if ((packet.flags & SentPacket::kEctMarked) != 0) ++outcome.ect_marked;
  if (!spurious) {
    leave_flight(packet);
    if (packet.in_window()) {
      outcome.acked_bytes += packet.bytes;
      if (mutant(Mutant::kDoubleCountAckedBytes))
        bytes_in_flight_ -= std::min<std::uint64_t>(bytes_in_flight_, packet.bytes);
    }
  } else if (packet.ack_eliciting() && largest_acked_ && *largest_acked_ > pn) {
    // Reordering is wider than believed (RFC 9002 6.1.1 allows adapting): wait for as many packets, and a little
    // longer.
    packet_threshold_ = std::min(std::max(packet_threshold_, *largest_acked_ - pn + 1), kMaxPacketThreshold);
    time_eighths_ = std::min(time_eighths_ + 1, 8U);
  }
  if (packet.ack_eliciting()) delivered_ += packet.bytes;
  listener.on_packet_acked(pn, packet, spurious);
  packet.state = PacketState::kAcked;
  packet.delivered = 0;  // from now on: length of the acknowledged run that starts here
}

AckOutcome LossRecovery::on_ack(Instant now, std::span<const wire::PacketRange> ranges, RecoveryListener& listener) {
  AckOutcome outcome;
  if (ranges.empty()) return outcome;
  if (ranges.front().last.value() >= sent_.next()) {
    outcome.breach = true;
    return outcome;
  }
  const std::uint64_t largest = ranges.front().last.value();
  bool sampled = false;
  Instant sample_start;
  std::uint64_t sample_delivered = 0;
  for (std::size_t i = 0; i != ranges.size(); ++i) {
    const std::uint64_t end = ranges[i].last.value() + 1;
    std::uint64_t begin = std::max(ranges[i].first.value(), sent_.first());
    if (mutant(Mutant::kAckRangeOffByOne) && i + 1 == ranges.size()) ++begin;
    if (begin >= end) break;  // newest first: all further ranges lie below the ring
    for (std::uint64_t pn = begin; pn < end;) {
      SentPacket& packet = sent_[pn];
      if (packet.state == PacketState::kAcked) {
        pn += std::max<std::uint64_t>(packet.delivered, 1);  // runs make repeated ACKs of a large window cheap
        continue;
      }
      if (packet.state == PacketState::kSkipped) {
        if (!mutant(Mutant::kAcceptOptimisticAck)) {
          outcome.breach = true;
          return outcome;
        }
        ++pn;
        continue;
      }
      if (pn == largest && packet.ack_eliciting() && packet.state == PacketState::kInFlight && now > packet.sent_at) {
        sampled = true;
        sample_start = packet.sent_at;
        sample_delivered = packet.delivered;
        outcome.rate_app_limited = (packet.flags & SentPacket::kAppLimited) != 0;
      }
      acknowledge(pn, packet, outcome, listener);
      ++pn;
    }
    if (sent_[begin].state == PacketState::kAcked) sent_[begin].delivered = end - begin;
  }
  if (!largest_acked_ || largest > *largest_acked_) largest_acked_ = largest;
  if (sampled) {
    // All that was delivered between the sending of the largest packet and its acknowledgement.
    const double seconds = std::chrono::duration<double>(now - sample_start).count();
    outcome.rate = static_cast<std::uint64_t>(static_cast<double>(delivered_ - sample_delivered) / seconds);
  }
  return outcome;
}

LossOutcome LossRecovery::detect_lost(Instant now, const RttEstimator& rtt, RecoveryListener& listener) {
  LossOutcome outcome;
  loss_time_ = Instant::never();
  if (!largest_acked_) return outcome;
  const Duration base = rtt.loss_delay();
  const Duration delay = base + rtt.smoothed() * time_eighths_ / 8;
  bool run_open = false;
  Instant run_start;
  bool all_done_so_far = true;
  scan_from_ = std::max(scan_from_, sent_.first());
  for (std::uint64_t pn = scan_from_; pn < *largest_acked_;) {
    SentPacket& packet = sent_[pn];
    std::uint64_t step = 1;
    if (packet.state == PacketState::kAcked) {
      step = std::max<std::uint64_t>(packet.delivered, 1);
      run_open = false;
    } else if (packet.state == PacketState::kInFlight) {
      const bool lost = *largest_acked_ - pn >= packet_threshold_ || packet.sent_at + delay <= now;
      if (!lost) {
        if (packet.ack_eliciting()) loss_time_ = std::min(loss_time_, packet.sent_at + delay);
        all_done_so_far = false;
        run_open = false;
      } else {
        packet.state = PacketState::kLost;
        if (packet.ack_eliciting()) {
          if (!mutant(Mutant::kLeakInFlightOnLoss)) leave_flight(packet);
          ++outcome.lost_packets;
          outcome.lost_bytes += packet.bytes;
          if (!packet.is_mtu_probe() || mutant(Mutant::kProbeLossShrinksWindow)) {
            outcome.oldest_lost_sent_at =
                outcome.congestion ? std::min(outcome.oldest_lost_sent_at, packet.sent_at) : packet.sent_at;
            outcome.newest_lost_sent_at =
                outcome.congestion ? std::max(outcome.newest_lost_sent_at, packet.sent_at) : packet.sent_at;
            outcome.congestion = true;
            if (!run_open) {
              run_open = true;
              run_start = packet.sent_at;
            }
            outcome.longest_run = std::max(outcome.longest_run, packet.sent_at - run_start);
          }
          listener.on_packet_lost(pn, packet);
        }
      }
    }
    pn += step;
    if (all_done_so_far) scan_from_ = std::min(pn, *largest_acked_);
  }
  return outcome;
}

void LossRecovery::forget_old(Instant now, Duration keep) {
  // History must never keep new packets from being recorded: with little room left only what is in flight stays.
  const bool crowded = sent_.room() < sent_.maximum() / 4;
  std::uint64_t pn = sent_.first();
  for (; pn != sent_.next(); ++pn) {
    const SentPacket& packet = sent_[pn];
    const bool old = crowded || packet.sent_at + keep <= now;
    // Who acknowledges beyond a skipped number without claiming it has passed the test.
    const bool passed = packet.state == PacketState::kSkipped && largest_acked_ && *largest_acked_ > pn;
    const bool done = packet.state == PacketState::kAcked || passed ||
                      (old && packet.state != PacketState::kInFlight) || (old && !packet.ack_eliciting());
    if (!done) break;
  }
  sent_.forget_below(pn);
}

Instant LossRecovery::pto_deadline(const RttEstimator& rtt, Duration max_ack_delay) const {
  if (eliciting_in_flight_ == 0) return Instant::never();
  const std::uint32_t doublings = std::min(pto_count_, kMaxBackoff);
  return last_eliciting_sent_ + rtt.probe_timeout(max_ack_delay) * (std::int64_t{1} << doublings);
}

void LossRecovery::on_pto() {
  if (!mutant(Mutant::kNoPtoBackoff)) ++pto_count_;
}

void LossRecovery::check_invariants() const {
  std::uint64_t bytes = 0;
  std::uint64_t packets = 0;
  for (std::uint64_t pn = sent_.first(); pn != sent_.next(); ++pn) {
    const SentPacket& packet = sent_[pn];
    if (packet.state != PacketState::kInFlight || !packet.ack_eliciting()) continue;
    PN_CHECK(pn >= scan_from_);
    if (packet.in_window()) bytes += packet.bytes;
    ++packets;
  }
  PN_CHECK(bytes == bytes_in_flight_);
  PN_CHECK(packets == eliciting_in_flight_);
}

}  // namespace peernet::transport
