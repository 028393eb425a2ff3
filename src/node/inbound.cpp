// The way in of a shard, top to bottom: completions of the kernel -> datagrams -> runs of one session -> the session
// opens them (straight into chunk buffers) -> what became whole is verified and written by Fetch::work. Unknown senders
// go through the acceptor; what is no packet of PN/1 is for trackers and their clients (discovery.cpp).
#include <algorithm>
#include <variant>

#include "node/memory_plan.hpp"
#include "node/shard.hpp"

namespace peernet::node {
namespace {

std::uint64_t first_packet_key(const Address& from, std::uint64_t initiator_id) {
  std::uint64_t key = initiator_id ^ (std::uint64_t{from.port} << 48);
  for (const std::byte b : from.ip) key = key * 0x100000001b3u ^ static_cast<std::uint64_t>(b);
  return key;
}

bool is_packet_type(std::byte first) {
  const auto type = static_cast<std::uint8_t>(first);
  return type >= static_cast<std::uint8_t>(wire::PacketType::kHandshake) &&
         type <= static_cast<std::uint8_t>(wire::PacketType::kControl);
}

std::uint64_t payload_of(io::OpToken op) {
  return op.value() & ((std::uint64_t{1} << 56) - 1);
}

SessionId receiver_of(ByteSpan datagram) {
  return SessionId(ByteReader(datagram.subspan(wire::kReceiverOffset, 4)).u32());
}

}  // namespace

// ---------------------------------------------------------------------------------------------- completions

void Shard::on_datagrams(Instant now, std::span<io::Received> batch) {
  now_ = now;
  ShardCounters::bump(counters_.datagrams, batch.size());
  for (const io::Received& received : batch) route(received);
}

void Shard::on_sent(io::OpToken op, std::int32_t result) {
  const auto kind = static_cast<TokenKind>(op.value() >> 56);
  const auto slot = static_cast<std::uint16_t>(op.value() & 0xffff);
  const SendSlot sent = kind == TokenKind::kTrain ? train_sends_[slot] : control_sends_[slot];
  kind == TokenKind::kTrain ? trains_.give_back(slot) : controls_.give_back(slot);
  if (result >= 0) return;
  ShardCounters::bump(counters_.send_errors);  // otherwise as if the network had lost it
  Peer* peer = peers_.get(sent.peer);
  if (peer == nullptr || result != -EMSGSIZE) return;
  peer->session.on_datagram_too_big(now_, sent.datagram_bytes);
  touch(*peer);
}

void Shard::on_read(io::OpToken op, std::int64_t result) {
  const std::uint64_t payload = payload_of(op);
  serving_.on_read({static_cast<std::uint32_t>(payload), static_cast<std::uint32_t>(payload >> 32)}, result);
}

void Shard::on_file(io::OpToken op, io::FileOp, std::int64_t result) {
  if (static_cast<TokenKind>(op.value() >> 56) == TokenKind::kRead) return on_read(op, result);
  const std::uint64_t payload = payload_of(op);
  Fetch* fetch = this->fetch(static_cast<std::uint32_t>(payload >> 32));
  PN_CHECK(fetch != nullptr);  // a fetch outlives its operations
  fetch->on_file(static_cast<std::uint32_t>(payload), result);
}

// ---------------------------------------------------------------------------------------------- routing

// Nearly always all datagrams of a coalesced batch are of one session; each is still routed by its own id.
void Shard::route(const io::Received& received) {
  const std::size_t total = received.bytes.size();
  if (total == 0) {
    counters_.drop(wire::DropReason::kEmpty);
    return;
  }
  const std::size_t segment = received.segment_size == 0 ? total : received.segment_size;
  for (std::size_t at = 0; at < total;) {
    const MutableByteSpan first = received.bytes.subspan(at, std::min(segment, total - at));
    std::size_t end = at + first.size();
    if (first.size() < wire::kHeaderSize || !is_packet_type(first[0])) {
      on_unrouted(received, first);
      at = end;
      continue;
    }
    const SessionId id = receiver_of(first);
    while (end < total) {
      const MutableByteSpan next = received.bytes.subspan(end, std::min(segment, total - end));
      if (next.size() < wire::kHeaderSize || !is_packet_type(next[0]) || receiver_of(next) != id) break;
      end += next.size();
    }
    const SlabHandle handle = sessions_.find(id);
    Peer* peer = handle ? peers_.get(handle) : nullptr;
    if (peer != nullptr) {
      deliver(*peer, received, received.bytes.subspan(at, end - at));
      at = end;
    } else {
      on_unrouted(received, first);
      at += first.size();
    }
  }
}

void Shard::deliver(Peer& peer, const io::Received& received, MutableByteSpan bytes) {
  transport::Datagram datagram;
  datagram.bytes = bytes;
  datagram.segment_size = received.segment_size;
  datagram.from = received.from;
  datagram.ecn = received.ecn;
  peer.session.on_datagram(now_, datagram, peer);
  touch(peer);
}

void Shard::on_unrouted(const io::Received& received, MutableByteSpan datagram) {
  if (!is_packet_type(datagram[0]) && discovery_.on_datagram(received.from, datagram)) return;
  const auto header = wire::decode_header(datagram);
  if (!header) {
    counters_.drop(header.error());
  } else if (header->type != wire::PacketType::kHandshake) {
    counters_.drop(wire::DropReason::kUnknownSession);
  } else {
    on_handshake_packet(received, datagram, *header);
  }
}

// ---------------------------------------------------------------------------------------------- newcomers

void Shard::on_handshake_packet(const io::Received& received, MutableByteSpan datagram,
                                const wire::PacketHeader& header) {
  if (const auto decoded = wire::decode_handshake(header, datagram)) {
    const auto known = first_packets_.find(first_packet_key(received.from, decoded->initiator_id));
    if (known != first_packets_.end()) {
      Peer* peer = peers_.get(known->second);
      PN_CHECK(peer != nullptr);
      if (peer->session.initiator_id() == decoded->initiator_id) deliver(*peer, received, datagram);
      return;
    }
  }
  const transport::Verdict verdict = acceptor_.on_packet({now_, datagram, received.from, half_open_});
  if (const auto* refuse = std::get_if<transport::Refuse>(&verdict)) {
    counters_.drop(refuse->reason);
  } else if (const auto* retry = std::get_if<transport::SendRetry>(&verdict)) {
    ShardCounters::bump(counters_.retries_sent);
    send_raw(received.from, ByteSpan(retry->bytes).first(retry->size));
  } else {
    accept(received, datagram, std::get<transport::Accept>(verdict));
  }
}

void Shard::accept(const io::Received& received, MutableByteSpan datagram, const transport::Accept& accept) {
  if (stopping_ || serving_.empty() || context_.full()) {  // a node that serves nothing lets nobody in
    counters_.drop(wire::DropReason::kSessionLimit);
    return;
  }
  transport::SessionConfig config = session_config(received.from);
  config.role = transport::Role::kResponder;
  config.initiator_id = accept.initiator_id;
  config.remote_id = accept.initiator_session;
  config.first_receiver_id = accept.first_receiver_id;
  config.address_validated = accept.address_validated;
  Peer* peer = add_peer(config, context_.handshakes->start_responder());
  if (peer == nullptr) {
    counters_.drop(wire::DropReason::kSessionLimit);
    return;
  }
  peer->half_open = true;
  ++half_open_;
  ShardCounters::bump(counters_.sessions_accepted);
  peer->first_packet_key = first_packet_key(received.from, accept.initiator_id);
  first_packets_[peer->first_packet_key] = peer->self;
  deliver(*peer, received, datagram);
}

}  // namespace peernet::node
