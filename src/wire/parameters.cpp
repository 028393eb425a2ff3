#include "wire/parameters.hpp"

#include <bit>

namespace peernet::wire {

Decoded<Parameters> decode_parameters(ByteSpan block) {
  if (block.size() < kParametersSize || block.size() > kMaxParameterBlock)
    return std::unexpected(DropReason::kBadParameters);
  ByteReader r(block);
  Parameters p;
  p.version = r.u32();
  p.features = r.u64();
  p.instance_id = r.u64();
  p.shard_count = r.u8();
  p.ciphers = r.u8();
  p.ack_delay_max_ms = r.u16();
  p.idle_timeout_ms = r.u32();
  p.max_datagram = r.u16();
  p.max_requests = r.u16();
  if (p.version != kVersion) return std::unexpected(DropReason::kUnknownVersion);
  const bool good = p.shard_count >= 1 && (p.ciphers & kCiphersKnown) != 0 && p.ack_delay_max_ms <= kMaxAckDelayMs &&
                    p.idle_timeout_ms >= kMinIdleTimeoutMs && p.max_datagram >= kMinDatagram && p.max_requests >= 1;
  if (!good) return std::unexpected(DropReason::kBadParameters);
  return p;
}

bool encode(const Parameters& p, ByteWriter& out, ByteSpan extra) {
  const std::size_t size = kParametersSize + extra.size();
  if (size > kMaxParameterBlock || out.remaining() < 2 + size) return false;
  out.u16(static_cast<std::uint16_t>(size));
  out.u32(p.version);
  out.u64(p.features);
  out.u64(p.instance_id);
  out.u8(p.shard_count);
  out.u8(p.ciphers);
  out.u16(p.ack_delay_max_ms);
  out.u32(p.idle_timeout_ms);
  out.u16(p.max_datagram);
  out.u16(p.max_requests);
  out.bytes(extra);
  return true;
}

Decoded<std::optional<ByteSpan>> parameter_block(ByteSpan stream) {
  if (stream.size() < 2) return std::nullopt;
  ByteReader r(stream);
  const std::size_t size = r.u16();
  if (size < kParametersSize || size > kMaxParameterBlock) return std::unexpected(DropReason::kBadParameters);
  if (r.remaining() < size) return std::nullopt;
  return r.bytes(size);
}

std::uint8_t choose_cipher(std::uint8_t offered, std::uint8_t supported) {
  const std::uint8_t both = offered & supported;
  if ((both & kCipherAes128Gcm) != 0) return kCipherAes128Gcm;
  return both & kCipherAes256Gcm;
}

bool answers(const Parameters& offer, const Parameters& answer) {
  return std::has_single_bit(answer.ciphers) && (answer.ciphers & offer.ciphers & kCiphersKnown) != 0;
}

}  // namespace peernet::wire
