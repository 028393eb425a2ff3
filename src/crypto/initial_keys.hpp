// Keys of HANDSHAKE and RETRY packets: derived from a public salt and the initiator's random id (as RFC 9001 5.2
// and 5.8). They keep blind attackers and broken links out; they keep nothing secret.
#pragma once

#include <memory>

#include "base/types.hpp"
#include "crypto/aead.hpp"

namespace peernet::crypto {

/// initial = HKDF-Extract(kInitialSalt, initiator_id as 8 bytes); per direction secret = HKDF-Expand(initial, "pn1
/// initiator" or "pn1 responder", 32), key = HKDF-Expand(secret, "pn1 key", 16), iv = HKDF-Expand(secret, "pn1 iv",
/// 12). The salt is the SHA-256 of the text "PeerNet PN/1 initial salt", so that nobody could choose it.
Hash256 initial_salt();

struct InitialKey {
  ByteArray<16> key{};
  AeadNonce iv{};
};
struct InitialKeys {
  InitialKey initiator;  ///< seals what the initiator sends
  InitialKey responder;
};
InitialKeys derive_initial_keys(std::uint64_t initiator_id);

/// The same derivation with the text "retry" in place of the id and the label "pn1 retry": a constant of the protocol.
InitialKey retry_key();

/// Seals and opens handshake packets; reusable for any number of them (no allocation after construction), one thread.
class InitialProtection {
 public:
  explicit InitialProtection(AeadBackend backend);

  /// Switches to a pair of nodes; free if it is the same initiator_id as before.
  void rekey(std::uint64_t initiator_id);

  enum class From : std::uint8_t { kInitiator, kResponder };
  /// out = ciphertext and tag. Handshake packets have a number space of their own in each direction.
  void seal(From from, PacketNumber pn, ByteSpan aad, ByteSpan in, MutableByteSpan out);
  [[nodiscard]] bool open(From from, PacketNumber pn, ByteSpan aad, ByteSpan in, MutableByteSpan out);

  /// The tag of a RETRY packet over everything in front of it.
  ByteArray<kAeadTagBytes> retry_tag(ByteSpan packet_without_tag);
  [[nodiscard]] bool check_retry_tag(ByteSpan packet_without_tag, ByteSpan tag);

 private:
  std::unique_ptr<Aead> initiator_;
  std::unique_ptr<Aead> responder_;
  std::unique_ptr<Aead> retry_;
  AeadNonce initiator_iv_{};
  AeadNonce responder_iv_{};
  AeadNonce retry_nonce_{};
  std::uint64_t initiator_id_ = 0;
  bool keyed_ = false;
};

}  // namespace peernet::crypto
