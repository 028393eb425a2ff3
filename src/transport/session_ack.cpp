// An ACK frame: round trip, what arrived, what is lost, and what that means for window, MTU and ECN.
#include <algorithm>
#include <utility>

#include "transport/session_parts.hpp"

namespace peernet::transport {
namespace {

/// The packet number near `reference` that ends in these 32 bits.
std::uint64_t expand(std::uint32_t low, std::uint64_t reference) {
  const std::uint64_t candidate = (reference & ~std::uint64_t{UINT32_MAX}) | low;
  return candidate > reference && candidate > UINT32_MAX ? candidate - (std::uint64_t{1} << 32) : candidate;
}

}  // namespace

Duration Session::Parts::peer_ack_delay() const {
  return std::chrono::milliseconds(peer_parameters.ack_delay_max_ms);
}

void Session::Parts::on_ack(Instant now, const wire::AckFrame& frame) {
  ++stats.acks_received;
  const std::optional<std::uint64_t> before = recovery.largest_acked();
  const AckOutcome outcome = recovery.on_ack(now, frame.ranges.span(), *this);
  flush_ranges();
  if (outcome.breach) return breach(now, wire::DropReason::kFrameNotAllowed, "ACK of a packet that was never sent");
  if (state != SessionState::kEstablished) return;  // the owner closed from inside
  if (outcome.any_new) on_ack_outcome(now, frame, outcome, !before || frame.largest().value() > *before);
}

void Session::Parts::on_ack_outcome(Instant now, const wire::AckFrame& frame, const AckOutcome& outcome, bool raised) {
  // What left before the path changed says nothing about the new one.
  const bool this_path = outcome.largest_new_sent_at > path_changed_at;
  Duration sample{};
  if (this_path && outcome.eliciting && outcome.largest_new == frame.largest().value()) {
    sample = std::max<Duration>(now - outcome.largest_new_sent_at, 1us);
    if (sample > RttEstimator::kMaxSample) sample = 0ns;
  }
  if (sample != 0ns) {
    rtt.on_sample(sample, std::chrono::microseconds(frame.delay_us), peer_ack_delay());
  }
  if (outcome.eliciting) recovery.reset_pto();
  if (outcome.rate != 0 && this_path) rate.on_sample(now, outcome.rate, outcome.rate_app_limited, rtt.smoothed());

  if (raised) {
    const std::uint32_t marks = ecn.on_ack({frame.ect0, frame.ect1, frame.ce}, outcome.ect_marked);
    if (marks != 0 && this_path && congestion->on_congestion({now, outcome.largest_new_sent_at, true})) {
      ++stats.congestion_events;
      event_losses = 0;
    }
  }
  on_losses(now, recovery.detect_lost(now, rtt, *this));
  if (!this_path || outcome.acked_bytes == 0) return;
  congestion->on_ack({.now = now,
                      .acked_bytes = outcome.acked_bytes,
                      .largest_sent_at = outcome.largest_new_sent_at,
                      .largest_acked = outcome.largest_new,
                      .next_packet = recovery.next_number(),
                      .rtt_sample = sample,
                      .smoothed_rtt = rtt.smoothed(),
                      .window_limited = outcome.largest_new < limited_until});
}

void Session::Parts::on_losses(Instant now, const LossOutcome& outcome) {
  flush_ranges();
  stats.packets_lost += outcome.lost_packets;
  stats.bytes_lost += outcome.lost_bytes;
  if (probe_lost) {
    probe_lost = false;
    mtu.on_probe_lost(now);
  }
  if (large_lost) {
    large_lost = false;
    if (mtu.on_large_lost_round(now)) set_datagram_size();
  }
  if (!outcome.congestion || outcome.newest_lost_sent_at <= path_changed_at) return;
  if (congestion->on_congestion({now, outcome.newest_lost_sent_at, false})) {
    ++stats.congestion_events;
    event_losses = 0;
    event_first_sent = outcome.oldest_lost_sent_at;
  }
  event_losses += outcome.lost_packets;
  const Duration persistent =
      3 * (rtt.smoothed() + std::max<Duration>(4 * rtt.variance(), kGranularity) + peer_ack_delay());
  if (rtt.has_sample() && outcome.longest_run > persistent) {  // RFC 9002 7.6
    congestion->on_persistent_congestion();
    rtt.forget_minimum();
  }
}

void Session::Parts::on_packet_acked(std::uint64_t pn, const SentPacket& packet, bool spurious) {
  static_cast<void>(pn);
  if (spurious && packet.ack_eliciting()) {
    ++stats.packets_spurious;
    if (event_losses != 0 && packet.sent_at >= event_first_sent && --event_losses == 0)
      congestion->on_spurious_congestion();
  }
  if (packet.bytes > MtuSearch::kBase && !packet.is_mtu_probe()) mtu.on_large_acked();
  if (packet.is_data()) {
    const RequestId request(packet.request);
    const bool adjacent =
        acked.range.length != 0 && acked.request == request && acked.range.offset + acked.range.length == packet.offset;
    if (!adjacent) {
      flush_ranges();
      acked = {request, {packet.offset, 0}};
    }
    acked.range.length += packet.payload;
    return;
  }
  if (packet.is_mtu_probe()) {
    if (mtu.on_probe_acked(last_heard_at, packet.bytes)) set_datagram_size();
    return;
  }
  if ((packet.flags & SentPacket::kCarriesAck) != 0) acks.on_ack_acknowledged(expand(packet.request, acks.largest()));
  if (!spurious) frames.release(static_cast<std::uint16_t>(packet.offset));
}

void Session::Parts::on_packet_lost(std::uint64_t pn, const SentPacket& packet) {
  static_cast<void>(pn);
  if (packet.bytes > MtuSearch::kBase && !packet.is_mtu_probe()) large_lost = true;
  if (packet.is_mtu_probe()) {
    probe_lost = true;
    return;
  }
  if (packet.is_data()) {
    if (mutant(Mutant::kForgetLostData)) return;
    const RequestId request(packet.request);
    const bool adjacent =
        lost.range.length != 0 && lost.request == request && lost.range.offset + lost.range.length == packet.offset;
    if (!adjacent) {
      flush_ranges();
      lost = {request, {packet.offset, 0}};
    }
    lost.range.length += packet.payload;
    return;
  }
  const std::uint16_t chain = static_cast<std::uint16_t>(packet.offset);
  if (mutant(Mutant::kNeverRetransmitRequest) && chain != kNoFrame &&
      frames.first_type(chain) == wire::FrameType::kRequest)
    return frames.release(chain);
  stats.frames_retransmitted += frames.requeue(chain);
}

void Session::Parts::flush_ranges() {
  // Cleared first: the owner may close the session from inside, which flushes again.
  const Merging gone = std::exchange(lost, {});
  const Merging arrived = std::exchange(acked, {});
  if (gone.range.length != 0) handler->on_data_lost(gone.request, gone.range);
  if (arrived.range.length != 0) handler->on_data_acked(arrived.request, arrived.range);
}

}  // namespace peernet::transport
