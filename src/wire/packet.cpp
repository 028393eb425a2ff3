#include "wire/packet.hpp"

namespace peernet::wire {

Decoded<HandshakeHeader> decode_handshake(const PacketHeader& header, ByteSpan packet) {
  ByteReader r(packet);
  r.bytes(kHeaderSize);
  HandshakeHeader h;
  h.packet = header;
  h.version = r.u32();
  h.initiator_id = r.u64();
  if (r.failed()) return std::unexpected(DropReason::kTooShort);
  if (h.version != kVersion) return std::unexpected(DropReason::kUnknownVersion);
  h.sender = SessionId(r.u32());
  const std::size_t token_size = r.u16();
  if (token_size > kMaxTokenSize) return std::unexpected(DropReason::kMalformedHandshake);
  h.token = r.bytes(token_size);
  if (r.failed() || r.remaining() < kHandshakeBodySize + kTagSize) return std::unexpected(DropReason::kTooShort);
  return h;
}

Decoded<HandshakeBody> decode_handshake_body(ByteSpan plaintext) {
  ByteReader r(plaintext);
  HandshakeBody b;
  b.offset = r.u32();
  b.acked = r.u32();
  const std::size_t size = r.u16();
  b.bytes = r.bytes(size);
  if (r.failed()) return std::unexpected(DropReason::kMalformedHandshake);
  if (b.acked > kMaxHandshakeStream) return std::unexpected(DropReason::kMalformedHandshake);
  if (std::uint64_t{b.offset} + size > kMaxHandshakeStream) return std::unexpected(DropReason::kHandshakeOverflow);
  return b;
}

Decoded<Retry> decode_retry(const PacketHeader& header, ByteSpan packet) {
  ByteReader r(packet);
  r.bytes(kHeaderSize);
  Retry retry;
  retry.packet = header;
  retry.version = r.u32();
  retry.initiator_id = r.u64();
  if (r.failed()) return std::unexpected(DropReason::kTooShort);
  if (retry.version != kVersion) return std::unexpected(DropReason::kUnknownVersion);
  const std::size_t token_size = r.u16();
  if (r.failed()) return std::unexpected(DropReason::kTooShort);
  if (token_size == 0 || token_size > kMaxTokenSize) return std::unexpected(DropReason::kMalformedHandshake);
  retry.token = r.bytes(token_size);
  r.bytes(kTagSize);
  if (r.failed()) return std::unexpected(DropReason::kTooShort);
  if (!r.finished()) return std::unexpected(DropReason::kMalformedHandshake);
  return retry;
}

bool encode(const HandshakeHeader& h, ByteWriter& out) {
  if (h.token.size() > kMaxTokenSize || out.remaining() < clear_size(h)) return false;
  ByteArray<kHeaderSize> header;
  encode(h.packet, header);
  out.bytes(header);
  out.u32(h.version);
  out.u64(h.initiator_id);
  out.u32(h.sender.value());
  out.u16(static_cast<std::uint16_t>(h.token.size()));
  out.bytes(h.token);
  return true;
}

bool encode(const HandshakeBody& b, ByteWriter& out) {
  if (std::uint64_t{b.offset} + b.bytes.size() > kMaxHandshakeStream || b.acked > kMaxHandshakeStream) return false;
  if (out.remaining() < kHandshakeBodySize + b.bytes.size()) return false;
  out.u32(b.offset);
  out.u32(b.acked);
  out.u16(static_cast<std::uint16_t>(b.bytes.size()));
  out.bytes(b.bytes);
  return true;
}

bool encode(const Retry& r, ByteWriter& out) {
  if (r.token.empty() || r.token.size() > kMaxTokenSize || out.remaining() < clear_size(r)) return false;
  ByteArray<kHeaderSize> header;
  encode(r.packet, header);
  out.bytes(header);
  out.u32(r.version);
  out.u64(r.initiator_id);
  out.u16(static_cast<std::uint16_t>(r.token.size()));
  out.bytes(r.token);
  return true;
}

}  // namespace peernet::wire
