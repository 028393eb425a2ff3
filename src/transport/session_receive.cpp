// In: datagram -> segments -> header -> replay check -> open (DATA straight into its target) -> mark -> frames.
#include <utility>

#include "transport/session_parts.hpp"

namespace peernet::transport {

void Session::Parts::on_datagram(Instant now, const Datagram& datagram) {
  MutableByteSpan rest = datagram.bytes;
  if (rest.empty()) drop(wire::DropReason::kEmpty);
  const std::size_t segment = datagram.segment_size == 0 ? rest.size() : datagram.segment_size;
  while (!rest.empty()) {
    const std::size_t n = std::min(segment, rest.size());
    on_packet(now, rest.first(n), datagram);
    rest = rest.subspan(n);
  }
  end_run();
  flush_ranges();
  recovery.forget_old(now, 2 * rtt.probe_timeout(0ns));
}

void Session::Parts::on_packet(Instant now, MutableByteSpan packet, const Datagram& datagram) {
  const wire::Decoded<wire::PacketHeader> header = wire::decode_header(packet);
  if (!header) return drop(header.error());
  const bool first_id = header->type == wire::PacketType::kHandshake && config.role == Role::kResponder &&
                        header->receiver == config.first_receiver_id;
  if (header->receiver != config.local_id && !first_id) return drop(wire::DropReason::kUnknownSession);
  if (header->type != wire::PacketType::kData) end_run();
  path.on_received(datagram.from, packet.size());
  if (state == SessionState::kClosing) {
    // Whoever still sends has missed our CLOSE: repeat it, after 1, 2, 4, ... packets (RFC 9000 10.2.1).
    ++closing_received;
    if ((closing_received & (closing_received - 1)) == 0) close_owed = true;
  }
  if (state == SessionState::kClosing || state == SessionState::kClosed) {
    if (!mutant(Mutant::kDataAfterClose) || header->type != wire::PacketType::kData)
      return drop(wire::DropReason::kClosed);
  }
  switch (header->type) {
    case wire::PacketType::kHandshake:
      return on_handshake(now, *header, packet, datagram.from);
    case wire::PacketType::kRetry:
      return on_retry(*header, packet);
    case wire::PacketType::kData:
    case wire::PacketType::kControl:
      return on_sealed(now, *header, packet, datagram);
  }
}

void Session::Parts::on_sealed(Instant now, const wire::PacketHeader& header, MutableByteSpan packet,
                               const Datagram& datagram) {
  if (!keys && mutant(Mutant::kKeysBeforeFinished) && exchange && exchange->heard_peer())
    establish(now, packet.size(), datagram.from);
  if (!keys) return drop(wire::DropReason::kNotEstablished);
  if (mutant(Mutant::kForgetEpochRoll) && crypto::epoch_of(header.number, config.epoch_shift) != KeyEpoch(0))
    return drop(wire::DropReason::kBadEpoch);
  switch (replay.check(header.number)) {
    case crypto::ReplayWindow::Verdict::kNew:
      break;
    case crypto::ReplayWindow::Verdict::kDuplicate:
      if (mutant(Mutant::kIgnoreReplay)) break;
      return drop(wire::DropReason::kReplayed);
    case crypto::ReplayWindow::Verdict::kTooOld:
      return drop(wire::DropReason::kTooOld);
  }
  if (header.type == wire::PacketType::kData) {
    on_data_packet(now, header, packet, datagram);
  } else {
    on_control_packet(now, header, packet, datagram);
  }
}

bool Session::Parts::opened(crypto::OpenResult result) {
  if (result == crypto::OpenResult::kOk) return true;
  drop(result == crypto::OpenResult::kBadTag ? wire::DropReason::kBadTag : wire::DropReason::kBadEpoch);
  return false;
}

/// Tells the owner of the run's bytes. They are marked a datagram at a time: most of what a packet costs beside its
/// cipher is looking up where it belongs.
void Session::Parts::end_run() {
  const Run ended = std::exchange(run, {});
  if (ended.range.length != 0) handler->on_data(ended.request, ended.range);
}

/// Room for the file bytes of a packet: behind those of the packets before it, or what the owner gives. Empty: none.
MutableByteSpan Session::Parts::room_for(RequestId request, DataRange range) {
  const bool goes_on = !run.room.empty() && run.request == request &&
                       range.offset - run.range.offset == run.range.length &&
                       range.length <= run.room.size() - run.range.length;
  if (!goes_on) {
    end_run();
    if (range.offset > UINT32_MAX - range.length) return {};
    run = {request, {range.offset, 0}, handler->data_target(request, range)};
    if (run.room.empty()) return {};
    PN_CHECK(run.room.size() >= range.length);
  }
  return run.room.subspan(run.range.length, range.length);
}

void Session::Parts::on_data_packet(Instant now, const wire::PacketHeader& header, MutableByteSpan packet,
                                    const Datagram& datagram) {
  const wire::DataHeader data = wire::decode_data(header, packet);
  const DataRange range{data.offset, static_cast<std::uint32_t>(packet.size() - wire::kDataOverhead)};
  const MutableByteSpan sealed = packet.subspan(wire::kDataHeaderSize);
  MutableByteSpan target = room_for(data.request, range);
  if (state != SessionState::kEstablished && !mutant(Mutant::kDataAfterClose)) {  // closed from inside
    run = {};
    return;
  }
  if (mutant(Mutant::kMarkBeforeTagCompare) && !target.empty()) {
    replay.mark(header.number);
    run = {};
    handler->on_data(data.request, range);
    target = {};
  }
  // Without a target it is opened where it lies: it must still be acknowledged, or the peer would send it again.
  const MutableByteSpan out = target.empty() ? sealed.first(range.length) : target;
  if (!opened(keys->opener.open(header.number, packet.first(wire::kDataHeaderSize), sealed, out))) return;
  on_authentic(now, header, packet.size(), datagram);
  if (target.empty()) {
    ++stats.data_to_scratch;
  } else {
    stats.data_bytes_received += range.length;
    run.range.length += range.length;
  }
  acknowledge_later(now, header, packet.size(), true, datagram);
}

void Session::Parts::on_control_packet(Instant now, const wire::PacketHeader& header, MutableByteSpan packet,
                                       const Datagram& datagram) {
  const MutableByteSpan sealed = packet.subspan(wire::kHeaderSize);
  const MutableByteSpan body = sealed.first(sealed.size() - wire::kTagSize);
  if (!opened(keys->opener.open(header.number, packet.first(wire::kHeaderSize), sealed, body))) return;
  on_authentic(now, header, packet.size(), datagram);
  const bool eliciting = on_frames(now, body);
  acknowledge_later(now, header, packet.size(), eliciting, datagram);
}

void Session::Parts::on_authentic(Instant now, const wire::PacketHeader& header, std::size_t bytes,
                                  const Datagram& datagram) {
  const bool highest = replay.empty() || header.number > replay.largest();
  if (replay.check(header.number) == crypto::ReplayWindow::Verdict::kNew) replay.mark(header.number);
  ++stats.packets_received;
  stats.bytes_received += bytes;
  last_heard_at = now;
  eliciting_since_heard.reset();
  if (!confirmed) confirm();
  // Only the newest packet says where the peer is now (RFC 9000 9.3).
  if (highest || mutant(Mutant::kMigrateOnOldPacket)) maybe_move_path(now, bytes, datagram.from);
}

void Session::Parts::acknowledge_later(Instant now, const wire::PacketHeader& header, std::size_t bytes, bool eliciting,
                                       const Datagram& datagram) {
  if (datagram.ecn == 3) ++stats.ce_received;
  acks.on_packet(now,
                 {.pn = header.number.value(),
                  .bytes = static_cast<std::uint32_t>(bytes),
                  .ack_eliciting = eliciting,
                  .ack_now = header.ack_now(),
                  .ecn = datagram.ecn},
                 rtt.smoothed());
}

}  // namespace peernet::transport
