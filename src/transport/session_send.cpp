// Out: CLOSE, handshake, MTU probe, then one CONTROL packet with ACKs and as many reliable frames as fit.
#include <algorithm>
#include <cstring>

#include "transport/session_parts.hpp"

namespace peernet::transport {
namespace {

/// After so many packets in a row that only acknowledge, a PING is added: its ACK tells what need not be repeated,
/// gives a round trip, and lets the key epoch advance.
constexpr std::uint64_t kAckOnlyRun = 32;
/// Numbers kept for control packets when file bytes have used up an epoch that the peer has not confirmed.
constexpr std::uint64_t kControlNumbers = 64;
constexpr double kGreaseChance = 1.0 / 64;

}  // namespace

std::optional<Transmit> Session::Parts::poll_transmit(Instant now, MutableByteSpan out) {
  switch (state) {
    case SessionState::kHandshake:
      return poll_handshake(now, out);
    case SessionState::kEstablished: {
      if (std::optional<Transmit> handshake = poll_handshake(now, out)) return handshake;
      if (std::optional<Transmit> control = poll_control(now, out)) return control;
      return poll_mtu_probe(now, out);
    }
    case SessionState::kClosing:
      return poll_close(now, out);
    case SessionState::kClosed:
      return std::nullopt;
  }
  return std::nullopt;
}

/// The receiver follows a key epoch only once it is confirmed (crypto::last_safe_packet_number).
std::uint64_t Session::Parts::epoch_room() const {
  const PacketNumber largest(recovery.largest_acked().value_or(0));
  const std::uint64_t last = crypto::last_safe_packet_number(largest, config.epoch_shift).value();
  return last >= recovery.next_number() ? last + 1 - recovery.next_number() : 0;
}

bool Session::Parts::numbers_left(std::uint64_t reserve) const {
  return epoch_room() > reserve && recovery.room() > reserve;
}

std::uint64_t Session::Parts::window_room() const {
  const std::uint64_t window = congestion->window();
  const std::uint64_t in_flight = recovery.bytes_in_flight();
  if (in_flight == 0) return std::max<std::uint64_t>(window, mtu.current());  // one packet may always go
  return window > in_flight ? window - in_flight : 0;
}

bool Session::Parts::may_send_frames() const {
  return !frames.queue_empty() &&
         window_room() >= wire::kControlOverhead + std::min<std::size_t>(frames.front().size(), mtu.current());
}

void Session::Parts::record(const SentPacket& packet) {
  SentPacket sent = packet;
  if (ecn.mark() && (sent.flags & SentPacket::kEctMarked) != 0) ecn.on_marked_sent();
  if (app_limited) sent.flags |= SentPacket::kAppLimited;
  recovery.on_sent(sent);
  ++stats.packets_sent;
  stats.bytes_sent += sent.bytes;
  path.on_sent(sent.bytes);
  last_sent_at = sent.sent_at;
  if (!sent.ack_eliciting()) return;
  if (!eliciting_since_heard) eliciting_since_heard = sent.sent_at;
  if (recovery.bytes_in_flight() * 2 >= congestion->window() && congestion->in_slow_start())
    limited_until = recovery.next_number();
}

/// Seals out[16, 16 + body) where it lies, behind the header that this writes, and records the packet.
Transmit Session::Parts::seal_control(Instant now, MutableByteSpan out, std::size_t body, SentPacket packet,
                                      bool ack_now) {
  PacketNumber number(recovery.next_number());
  if (mutant(Mutant::kReusePacketNumberAfterPto) && recovery.pto_count() != 0) number = number - 1;
  wire::encode(wire::PacketHeader{.type = wire::PacketType::kControl,
                                  .flags = ack_now ? wire::kFlagAckNow : std::uint8_t{0},
                                  .receiver = remote_id,
                                  .number = number},
               out.first<wire::kHeaderSize>());
  keys->sealer.seal(number, out.first(wire::kHeaderSize), out.subspan(wire::kHeaderSize, body),
                    out.subspan(wire::kHeaderSize));
  const std::size_t size = body + wire::kControlOverhead;
  const bool marked = ecn.mark();
  packet.sent_at = now;
  packet.bytes = static_cast<std::uint16_t>(size);
  if (marked) packet.flags |= SentPacket::kEctMarked;
  record(packet);
  return {.bytes = size,
          .to = path.remote(),
          .ecn = marked ? std::uint8_t{2} : std::uint8_t{0},
          .kind = TransmitKind::kControl};
}

void Session::Parts::write_acks(Instant now, ByteWriter& w) {
  const std::span<const Range<std::uint64_t>> ranges = acks.received().ranges();
  // What has changed since the last ACK must be told; one frame holds 64 ranges, so heavy loss takes several.
  const std::size_t wanted = std::min(std::max(acks.unreported(), wire::kMaxAckRanges), ranges.size());
  const Duration delay = std::max<Duration>(now - acks.largest_at(), 0ns);
  std::size_t told = 0;
  while (told < wanted) {
    wire::AckFrame frame;
    while (told < wanted && !frame.ranges.full()) {
      const Range<std::uint64_t>& r = ranges[ranges.size() - 1 - told];
      frame.ranges.push_back({PacketNumber(r.first), PacketNumber(r.end - 1)});
      ++told;
    }
    if (mutant(Mutant::kAckUnreceived)) {
      wire::PacketRange& oldest = frame.ranges.back();
      if (oldest.first.value() > 0) oldest.first = oldest.first - 1;
    }
    frame.delay_us = static_cast<std::uint32_t>(
        std::min<std::int64_t>(std::chrono::duration_cast<std::chrono::microseconds>(delay).count(), UINT32_MAX));
    frame.ect0 = acks.ect0();
    frame.ect1 = acks.ect1();
    frame.ce = acks.ce();
    if (!wire::encode(frame, w)) return;
  }
}

/// Moves queued frames into the packet while they fit; returns their chain.
std::uint16_t Session::Parts::write_frames(ByteWriter& w, bool beyond_window) {
  std::uint16_t chain = kNoFrame;
  const std::uint64_t room = beyond_window ? UINT64_MAX : window_room();
  while (!frames.queue_empty()) {
    const ByteSpan front = frames.front();
    if (front.size() > w.remaining() || w.position() + front.size() + wire::kControlOverhead > room) break;
    w.bytes(front);
    chain = frames.take(chain);
  }
  return chain;
}

std::optional<Transmit> Session::Parts::poll_control(Instant now, MutableByteSpan out) {
  const bool probe = probes_owed != 0;
  if (!probe && !may_send_frames() && !acks.due(now)) return std::nullopt;
  if (!numbers_left(0)) return std::nullopt;
  const std::uint64_t most = std::min<std::uint64_t>({out.size(), mtu.current(), path.allowance()});
  if (most < wire::kControlOverhead + FrameStore::kSmallBytes) return std::nullopt;

  const MutableByteSpan body = out.subspan(wire::kHeaderSize, static_cast<std::size_t>(most) - wire::kControlOverhead);
  ByteWriter w(body);
  SentPacket packet;
  if (acks.pending()) {
    write_acks(now, w);
    packet.flags |= SentPacket::kCarriesAck;
    packet.request = static_cast<std::uint32_t>(acks.largest());
    acks.on_ack_sent();
    ++stats.acks_sent;
  }
  const std::uint16_t chain = write_frames(w, probe);
  packet.offset = chain;
  bool eliciting = chain != kNoFrame;
  const bool epoch_waits = epoch_room() < std::uint64_t{1} << (config.epoch_shift - 1);
  if (!eliciting && (probe || ++acks_only_sent >= kAckOnlyRun || epoch_waits))
    eliciting = wire::encode(wire::Frame(wire::PingFrame{rng.next()}), w);
  if (eliciting) {
    packet.flags |= SentPacket::kAckEliciting;
    acks_only_sent = 0;
    if (w.remaining() > 8 && rng.chance(kGreaseChance)) {  // so that skipping unknown frames stays possible
      w.u8(static_cast<std::uint8_t>(0x3f + 0x20 * rng.below(7)));
      w.u16(0);
    }
  }
  if (w.position() == 0) return std::nullopt;
  const bool ack_now = eliciting && (probe || ack_now_next);
  if (eliciting) ack_now_next = false;
  if (probe && eliciting) --probes_owed;
  return seal_control(now, out, w.position(), packet, ack_now);
}

bool Session::Parts::probe_allowed() const {
  return state == SessionState::kEstablished && confirmed && path.validated() && rtt.has_sample() &&
         numbers_left(kControlNumbers);
}

std::optional<Transmit> Session::Parts::poll_mtu_probe(Instant now, MutableByteSpan out) {
  if (!probe_allowed()) return std::nullopt;
  const std::uint32_t size = mtu.probe_size(now);
  if (size == 0 || size > out.size()) return std::nullopt;
  const std::size_t body = size - wire::kControlOverhead;
  ByteWriter w(out.subspan(wire::kHeaderSize, body));
  PN_CHECK(wire::encode(wire::Frame(wire::PingFrame{rng.next()}), w));
  PN_CHECK(w.remaining() >= wire::kFrameHeaderSize);
  PN_CHECK(wire::encode(wire::Frame(wire::PaddingFrame{w.remaining() - wire::kFrameHeaderSize}), w));
  SentPacket packet;
  packet.flags = SentPacket::kAckEliciting | SentPacket::kMtuProbe;
  packet.offset = kNoFrame;
  mtu.on_probe_sent();
  Transmit transmit = seal_control(now, out, body, packet, true);
  transmit.kind = TransmitKind::kMtuProbe;
  return transmit;
}

std::optional<Transmit> Session::Parts::poll_close(Instant now, MutableByteSpan out) {
  if (!close_owed) return std::nullopt;
  close_owed = false;
  const std::uint64_t most = std::min<std::uint64_t>({out.size(), MtuSearch::kBase, path.allowance()});
  if (most < wire::kControlOverhead + wire::kFrameHeaderSize + 2 + close_text.size()) return std::nullopt;
  if (!numbers_left(0)) return std::nullopt;
  ByteWriter w(out.subspan(wire::kHeaderSize, static_cast<std::size_t>(most) - wire::kControlOverhead));
  const wire::CloseFrame frame{close_code, std::string_view(close_text.begin(), close_text.size())};
  PN_CHECK(wire::encode(wire::Frame(frame), w));
  SentPacket packet;
  packet.offset = kNoFrame;
  Transmit transmit = seal_control(now, out, w.position(), packet, false);
  transmit.kind = TransmitKind::kClose;
  return transmit;
}

}  // namespace peernet::transport
