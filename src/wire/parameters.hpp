// The parameter block: what each side tells the other in front of its TLS bytes. It is not secret; it is authentic once
// the handshake is finished, because both blocks, byte for byte, are part of the exporter's context.
#pragma once

#include <optional>

#include "base/bytes.hpp"
#include "wire/packet.hpp"

namespace peernet::wire {

struct Parameters {
  std::uint32_t version = kVersion;
  std::uint64_t features = 0;     ///< offered; what both have set is in use. Unknown bits are ignored
  std::uint64_t instance_id = 0;  ///< random per running node: how a node recognises itself
  std::uint8_t shard_count = 1;   ///< >= 1; see shard_of()
  std::uint8_t ciphers = 0;       ///< initiator: all it can do; responder: exactly the one chosen
  std::uint16_t ack_delay_max_ms = 25;
  std::uint32_t idle_timeout_ms = 30'000;     ///< the smaller one of both sides is used
  std::uint16_t max_datagram = kMinDatagram;  ///< largest UDP payload the sender of this block takes, >= 1200
  std::uint16_t max_requests = 1;             ///< requests the sender of this block serves at a time, >= 1

  friend bool operator==(const Parameters&, const Parameters&) = default;
};

/// Reads a block (without its u16 length). Bytes behind the known fields are ignored; unknown cipher bits are kept.
/// kUnknownVersion, or kBadParameters for values outside the limits of spec.hpp.
Decoded<Parameters> decode_parameters(ByteSpan block);

/// Writes the u16 length and the block, with extra as its ignorable tail. False if it does not fit.
bool encode(const Parameters& p, ByteWriter& out, ByteSpan extra = {});

/// The block at the start of a handshake stream of which `stream` has arrived: nothing while it is incomplete,
/// kBadParameters as soon as its length is out of bounds. The TLS bytes start at 2 + block size.
Decoded<std::optional<ByteSpan>> parameter_block(ByteSpan stream);

/// The responder's choice among what the initiator offers: AES-128-GCM first (5 to 10 % quicker, FACTS), 0 if none.
std::uint8_t choose_cipher(std::uint8_t offered, std::uint8_t supported);

/// Whether a responder's block answers this offer: exactly one cipher, and one that was offered.
bool answers(const Parameters& offer, const Parameters& answer);

}  // namespace peernet::wire
