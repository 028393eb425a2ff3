// HANDSHAKE and RETRY packets in both directions, and the moment in which keys begin to serve.
#include <algorithm>
#include <array>

#include "transport/session_parts.hpp"

namespace peernet::transport {
namespace {

using From = crypto::InitialProtection::From;

From own_side(Role role) {
  return role == Role::kInitiator ? From::kInitiator : From::kResponder;
}
From other_side(Role role) {
  return role == Role::kInitiator ? From::kResponder : From::kInitiator;
}

}  // namespace

void Session::Parts::on_handshake(Instant now, const wire::PacketHeader& header, MutableByteSpan packet,
                                  const Address& from) {
  if (!exchange) return;  // a repetition after the end; HANDSHAKE_DONE or its repetition answers it
  const wire::Decoded<wire::HandshakeHeader> h = wire::decode_handshake(header, packet);
  if (!h) return drop(h.error());
  const bool known_sender = config.role == Role::kResponder || exchange->heard_peer();
  if (h->initiator_id != config.initiator_id || (known_sender && h->sender != remote_id))
    return drop(wire::DropReason::kUnexpectedHandshake);
  // Copies made by the network are no repetition by the peer: those have numbers of their own.
  if (handshake_replay.check(header.number) != crypto::ReplayWindow::Verdict::kNew)
    return drop(wire::DropReason::kReplayed);
  const std::size_t clear = wire::clear_size(*h);
  const MutableByteSpan sealed = packet.subspan(clear);
  const MutableByteSpan body = sealed.first(sealed.size() - wire::kTagSize);
  initial->rekey(config.initiator_id);
  if (!initial->open(other_side(config.role), header.number, packet.first(clear), sealed, body))
    return drop(wire::DropReason::kBadTag);
  const wire::Decoded<wire::HandshakeBody> parsed = wire::decode_handshake_body(body);
  if (!parsed) return drop(parsed.error());
  handshake_replay.mark(header.number);
  if (!known_sender) remote_id = h->sender;
  last_heard_at = now;
  ++stats.packets_received;
  stats.bytes_received += packet.size();

  exchange->on_body(now, *parsed);
  if (exchange->state() == HandshakeExchange::State::kFailed) {
    const wire::DropReason why = exchange->failure();
    drop(why);
    return finish(now, CloseCause::kHandshakeFailed, wire::CloseCode::kProtocol, wire::name_of(why));
  }
  if (exchange->state() == HandshakeExchange::State::kFinished && state == SessionState::kHandshake)
    establish(now, packet.size(), from);
}

void Session::Parts::on_retry(const wire::PacketHeader& header, ByteSpan packet) {
  // At most one, and only before anything of the responder was heard: else an attacker could keep us from connecting.
  if (config.role != Role::kInitiator || !exchange || retry_taken || exchange->heard_peer())
    return drop(wire::DropReason::kUnexpectedRetry);
  const wire::Decoded<wire::Retry> retry = wire::decode_retry(header, packet);
  if (!retry) return drop(retry.error());
  if (retry->initiator_id != config.initiator_id) return drop(wire::DropReason::kUnexpectedRetry);
  const std::size_t covered = packet.size() - wire::kTagSize;
  if (!initial->check_retry_tag(packet.first(covered), packet.subspan(covered))) return drop(wire::DropReason::kBadTag);
  retry_taken = true;
  for (const std::byte b : retry->token) token.push_back(b);
  exchange->restart();
}

void Session::Parts::establish(Instant now, std::size_t bytes, const Address& from) {
  const bool initiator = config.role == Role::kInitiator;
  const ByteSpan own = exchange->own_block();
  const ByteSpan theirs = exchange->peer_block();
  std::array<std::byte, 20 + 2 * (2 + wire::kMaxParameterBlock)> context_bytes;
  ByteWriter context(context_bytes);
  context.u32(wire::kVersion);
  context.u64(config.initiator_id);
  context.u32((initiator ? config.local_id : remote_id).value());
  context.u32((initiator ? remote_id : config.local_id).value());
  context.bytes(initiator ? own : theirs);
  context.bytes(initiator ? theirs : own);
  PN_CHECK(!context.failed());

  const crypto::SessionSecrets secrets = exchange->tls().export_secrets(context.written());
  const crypto::PacketKeyOptions options{.cipher = static_cast<crypto::Cipher>(exchange->cipher()),
                                         .backend = config.aead_backend,
                                         .epoch_shift = config.epoch_shift};
  const Hash256& send = initiator ? secrets.initiator_to_responder : secrets.responder_to_initiator;
  const Hash256& receive = initiator ? secrets.responder_to_initiator : secrets.initiator_to_responder;
  keys.emplace(crypto::PacketSealer(options, send), crypto::PacketOpener(options, receive));
  binding = secrets.binding;
  peer = exchange->tls().peer_id();
  peer_parameters = exchange->peer_parameters();
  mtu.set_limit(peer_parameters.max_datagram);
  if (exchange->rtt_sample()) rtt.on_sample(*exchange->rtt_sample(), 0ns, 0ns);

  state = SessionState::kEstablished;
  last_heard_at = now;
  if (!initiator) {
    // Finished proves that the initiator has seen our random bytes, but not where: from another address than the one
    // they were sent to (a NAT, or a first packet that somebody copied) it proves neither of the two.
    if (from == path.remote()) path.validate();
    confirmed = true;
    exchange.reset();
    initial.reset();
    PN_CHECK(push_frame(wire::HandshakeDoneFrame{}, FrameStore::For::kSession));
    ack_now_next = true;
    maybe_move_path(now, bytes, from);
  }
  handler->on_established(peer, peer_parameters);
}

/// A sealed packet of the responder opened: it has our Finished.
void Session::Parts::confirm() {
  confirmed = true;
  exchange.reset();
  initial.reset();
}

std::optional<Transmit> Session::Parts::poll_handshake(Instant now, MutableByteSpan out) {
  if (!exchange || !exchange->wants_to_send()) return std::nullopt;
  const bool initiator = config.role == Role::kInitiator;
  wire::HandshakeHeader h{.packet = {.type = wire::PacketType::kHandshake,
                                     .flags = 0,
                                     .receiver = remote_id,
                                     .number = PacketNumber(handshake_number)},
                          .version = wire::kVersion,
                          .initiator_id = config.initiator_id,
                          .sender = config.local_id,
                          .token = token.span()};
  const std::size_t clear = wire::clear_size(h);
  constexpr std::size_t kAround = wire::kHandshakeBodySize + wire::kTagSize;
  PN_CHECK(out.size() >= wire::kMinDatagram);
  const std::size_t most = static_cast<std::size_t>(std::min<std::uint64_t>(wire::kMinDatagram, path.allowance()));
  if (most < clear + kAround + 1) return std::nullopt;  // an unvalidated address has had three times what it sent

  // An initiator's flight that holds the stream's beginning may be the first packet seen: always 1200 bytes.
  const bool pad = initiator && exchange->at_start();
  const wire::HandshakeBody body = exchange->next_body(now, most - clear - kAround);
  ByteWriter w(out.first(pad ? wire::kMinDatagram - wire::kTagSize : most - wire::kTagSize));
  PN_CHECK(wire::encode(h, w) && wire::encode(body, w));
  if (pad) w.zeros(w.remaining());
  const std::size_t size = w.position() + wire::kTagSize;
  initial->rekey(config.initiator_id);
  initial->seal(own_side(config.role), h.packet.number, out.first(clear), out.subspan(clear, w.position() - clear),
                out.subspan(clear));
  ++handshake_number;
  ++stats.packets_sent;
  stats.bytes_sent += size;
  path.on_sent(size);
  last_sent_at = now;
  return Transmit{.bytes = size, .to = path.remote(), .ecn = 0, .kind = TransmitKind::kHandshake};
}

}  // namespace peernet::transport
