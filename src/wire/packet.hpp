// The clear part of the four packet types. Everything here is inline: decode_header and decode_data run once per
// packet. Decoders check lengths and limits only; authenticity is the AEAD's business, with the bytes up to the sealed
// part as received (not as decoded) for its associated data.
#pragma once

#include <expected>

#include "base/bytes.hpp"
#include "base/types.hpp"
#include "wire/drop_reason.hpp"
#include "wire/spec.hpp"

namespace peernet::wire {

template <class T>
using Decoded = std::expected<T, DropReason>;

/// The 16 bytes in front of every packet.
struct PacketHeader {
  PacketType type = PacketType::kControl;
  std::uint8_t flags = 0;
  SessionId receiver;
  PacketNumber number;

  bool ack_now() const { return (flags & kFlagAckNow) != 0; }
  friend bool operator==(const PacketHeader&, const PacketHeader&) = default;
};

/// The 24 clear bytes of a DATA packet. offset counts from the start of the requested chunk or table page.
struct DataHeader {
  PacketHeader packet;
  RequestId request;
  std::uint32_t offset = 0;

  friend bool operator==(const DataHeader&, const DataHeader&) = default;
};

/// The clear part of a HANDSHAKE packet: its first clear_size(h) bytes are the associated data, the rest is sealed.
struct HandshakeHeader {
  PacketHeader packet;
  std::uint32_t version = kVersion;
  std::uint64_t initiator_id = 0;  ///< random, both directions' keys come from it
  SessionId sender;
  ByteSpan token;  ///< borrowed; empty unless a RETRY was answered
};

/// What a HANDSHAKE packet seals.
struct HandshakeBody {
  std::uint32_t offset = 0;  ///< of bytes in the sender's stream
  std::uint32_t acked = 0;   ///< the receiver's stream has arrived without gaps up to here
  ByteSpan bytes;            ///< borrowed
};

/// RETRY: all of it is associated data, nothing is sealed but the tag that ends it.
struct Retry {
  PacketHeader packet;
  std::uint32_t version = kVersion;
  std::uint64_t initiator_id = 0;
  ByteSpan token;  ///< borrowed, never empty
};

/// Fewest bytes a packet of this type can have: a packet with nothing in it is never sent.
constexpr std::size_t min_packet_size(PacketType type) {
  switch (type) {
    case PacketType::kHandshake:
      return kHandshakeClearSize + kHandshakeBodySize + kTagSize;
    case PacketType::kRetry:
      return kRetryClearSize + 1 + kTagSize;
    case PacketType::kData:
      return kDataOverhead + 1;
    case PacketType::kControl:
      return kControlOverhead + kFrameHeaderSize;
  }
  return kMaxDatagram + 1;
}

/// Reads and checks the first 16 bytes of a packet; also that it is long enough for its type. Reserved bytes and
/// unknown flags are ignored.
inline Decoded<PacketHeader> decode_header(ByteSpan packet) {
  if (packet.size() < kHeaderSize) return std::unexpected(packet.empty() ? DropReason::kEmpty : DropReason::kTooShort);
  if (packet.size() > kMaxDatagram) return std::unexpected(DropReason::kTooLong);
  ByteReader r(packet.first<kHeaderSize>());
  const std::uint8_t type = r.u8();
  if (type < static_cast<std::uint8_t>(PacketType::kHandshake) ||
      type > static_cast<std::uint8_t>(PacketType::kControl))
    return std::unexpected(DropReason::kUnknownType);
  PacketHeader h;
  h.type = static_cast<PacketType>(type);
  h.flags = r.u8();
  r.u16();
  h.receiver = SessionId(r.u32());
  h.number = PacketNumber(r.u64());
  if (packet.size() < min_packet_size(h.type)) return std::unexpected(DropReason::kTooShort);
  if (h.number.value() > kMaxPacketNumber) return std::unexpected(DropReason::kBadPacketNumber);
  return h;
}

/// Reads the 8 bytes that a DATA packet has more. header is decode_header's answer for the same packet.
inline DataHeader decode_data(const PacketHeader& header, ByteSpan packet) {
  ByteReader r(packet.subspan(kHeaderSize, kDataHeaderSize - kHeaderSize));
  DataHeader d;
  d.packet = header;
  d.request = RequestId(r.u32());
  d.offset = r.u32();
  return d;
}

inline void encode(const PacketHeader& h, std::span<std::byte, kHeaderSize> out) {
  ByteWriter w(out);
  w.u8(static_cast<std::uint8_t>(h.type));
  w.u8(h.flags);
  w.u16(0);
  w.u32(h.receiver.value());
  w.u64(h.number.value());
}

inline void encode(const DataHeader& h, std::span<std::byte, kDataHeaderSize> out) {
  encode(h.packet, out.first<kHeaderSize>());
  ByteWriter w(out.last<kDataHeaderSize - kHeaderSize>());
  w.u32(h.request.value());
  w.u32(h.offset);
}

inline std::size_t clear_size(const HandshakeHeader& h) {
  return kHandshakeClearSize + h.token.size();
}

/// Size of an encoded RETRY without its tag.
inline std::size_t clear_size(const Retry& r) {
  return kRetryClearSize + r.token.size();
}

/// Where the sealed bytes (tag included) of a packet start; header is decode_header's answer. HANDSHAKE and RETRY: use
/// clear_size().
inline std::size_t sealed_offset(const PacketHeader& header) {
  return header.type == PacketType::kData ? kDataHeaderSize : kHeaderSize;
}

/// The clear part of a HANDSHAKE packet. Nothing behind the version is looked at when the version is not ours.
Decoded<HandshakeHeader> decode_handshake(const PacketHeader& header, ByteSpan packet);

/// The opened body of a HANDSHAKE packet: plaintext without the tag. Padding behind the stream bytes is ignored; stream
/// bytes past kMaxHandshakeStream are refused.
Decoded<HandshakeBody> decode_handshake_body(ByteSpan plaintext);

/// A whole RETRY packet, tag included; the tag is the caller's to check, over all bytes in front of it.
Decoded<Retry> decode_retry(const PacketHeader& header, ByteSpan packet);

/// Each writes the struct and answers false if it does not fit (out) or is beyond the limits of spec.hpp (then out is
/// not to be sent). Retry: without the tag.
bool encode(const HandshakeHeader& h, ByteWriter& out);
bool encode(const HandshakeBody& b, ByteWriter& out);
bool encode(const Retry& r, ByteWriter& out);

}  // namespace peernet::wire
