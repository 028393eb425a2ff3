// Deadlines, and what happens when they have come.
#include <algorithm>

#include "transport/session_parts.hpp"

namespace peernet::transport {

Instant Session::Parts::pto_deadline() const {
  return recovery.pto_deadline(rtt, peer_ack_delay());
}

Instant Session::Parts::idle_deadline() const {
  Duration idle = config.idle_timeout;
  if (keys) idle = std::min<Duration>(idle, std::chrono::milliseconds(peer_parameters.idle_timeout_ms));
  idle = std::max(idle, 3 * rtt.probe_timeout(peer_ack_delay()));  // RFC 9000 10.1
  return std::max(last_heard_at, eliciting_since_heard.value_or(last_heard_at)) + idle;
}

Instant Session::Parts::keep_alive_deadline() const {
  if (config.keep_alive == 0ns || recovery.eliciting_in_flight() != 0 || !frames.queue_empty()) return Instant::never();
  return std::max(last_heard_at, last_sent_at) + config.keep_alive;
}

Instant Session::Parts::next_deadline() const {
  switch (state) {
    case SessionState::kClosed:
      return Instant::never();
    case SessionState::kClosing:
      return closing_until;
    case SessionState::kHandshake:
      return std::min(exchange->deadline(), created_at + config.handshake_timeout);
    case SessionState::kEstablished:
      break;
  }
  Instant at = std::min(idle_deadline(), path.deadline());
  if (exchange) at = std::min({at, exchange->deadline(), created_at + config.handshake_timeout});
  // RFC 9002 A.8: while a packet waits to be declared lost by time, no probe is due.
  at = std::min(at, recovery.loss_time().is_never() ? pto_deadline() : recovery.loss_time());
  at = std::min(at, keep_alive_deadline());
  // What cannot be sent now must not wake anyone: an arrival will change that.
  const bool can_send = numbers_left(0) && path.allowance() >= wire::kControlOverhead + FrameStore::kSmallBytes;
  if (can_send) at = std::min(at, acks.deadline());
  if (probe_allowed()) at = std::min(at, mtu.next_probe_at());
  return at;
}

void Session::Parts::on_timeout(Instant now) {
  if (state == SessionState::kClosing && now >= closing_until) state = SessionState::kClosed;
  if (state == SessionState::kClosing || state == SessionState::kClosed) return;
  if (exchange) {
    if (now >= created_at + config.handshake_timeout)
      return finish(now, CloseCause::kHandshakeTimeout, wire::CloseCode::kNone, "the handshake took too long");
    exchange->on_timeout(now);
  }
  if (state != SessionState::kEstablished) return;
  if (now >= idle_deadline())
    return finish(now, CloseCause::kIdle, wire::CloseCode::kNone, "nothing was heard for too long");
  if (now >= path.deadline()) on_path_deadline(now);
  if (state != SessionState::kEstablished) return;
  if (!recovery.loss_time().is_never()) {
    if (now >= recovery.loss_time()) on_losses(now, recovery.detect_lost(now, rtt, *this));
  } else if (now >= pto_deadline()) {
    on_probe_timeout();
    if (recovery.pto_count() >= 3 && mtu.on_repeated_pto(now)) set_datagram_size();
    if (recovery.pto_count() >= 3 && stats.packets_received == 0) ecn.on_all_test_packets_lost();
  }
  if (state == SessionState::kEstablished && now >= keep_alive_deadline())
    push_frame(wire::PingFrame{rng.next()}, FrameStore::For::kSession);
}

/// Probes go beyond the window (RFC 9002 7.5). They carry the oldest frames that are unacknowledged, so that a lost
/// REQUEST at the end of a burst costs one PTO and not one more round trip; file bytes wait for the ACK of the probe.
void Session::Parts::on_probe_timeout() {
  recovery.on_pto();
  ++stats.pto_total;
  probes_owed = recovery.pto_count() > 1 ? 2 : 1;
  SentPackets& packets = recovery.packets();
  constexpr std::uint64_t kMostSearched = 256;
  const std::uint64_t end = std::min(packets.next(), packets.first() + kMostSearched);
  for (std::uint64_t pn = packets.first(); pn < end; ++pn) {
    SentPacket& packet = packets[pn];
    if (packet.state != PacketState::kInFlight || packet.is_data() || packet.is_mtu_probe()) continue;
    const std::uint16_t chain = static_cast<std::uint16_t>(packet.offset);
    if (chain == kNoFrame) continue;
    packet.offset = kNoFrame;
    if (mutant(Mutant::kNeverRetransmitRequest) && frames.first_type(chain) == wire::FrameType::kRequest) {
      frames.release(chain);
      continue;
    }
    stats.frames_retransmitted += frames.requeue(chain);
    break;
  }
}

}  // namespace peernet::transport
