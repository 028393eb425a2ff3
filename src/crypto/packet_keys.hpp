// The keys of sealed packets, one object per direction of a session. Keys roll by packet number, with no negotiation:
// epoch = packet number >> epoch_shift, secret[n + 1] = HKDF-Expand(secret[n], "pn1 next"), and the old secret is
// wiped.
#pragma once

#include <memory>

#include "base/types.hpp"
#include "crypto/aead.hpp"

namespace peernet::crypto {

inline constexpr std::uint8_t kEpochShift = 22;  ///< packets per key stay below the AES-GCM limits of RFC 9001 6.6
inline constexpr std::uint64_t kPreviousEpochGrace =
    4096;  ///< packets past the border for which the old key still opens

struct PacketKeyOptions {
  Cipher cipher = Cipher::kAes128Gcm;
  AeadBackend backend = AeadBackend::kAuto;
  std::uint8_t epoch_shift = kEpochShift;  ///< 8 in the simulator; 1 to 40
};

constexpr KeyEpoch epoch_of(PacketNumber pn, std::uint8_t epoch_shift) {
  return KeyEpoch(pn.value() >> epoch_shift);
}

/// The receiver follows its peer by one epoch at a time, so a sender must not use a number above this one while
/// `largest_acked` is the largest its peer has confirmed (at shift 22 no window ever comes near it).
constexpr PacketNumber last_safe_packet_number(PacketNumber largest_acked, std::uint8_t epoch_shift) {
  return PacketNumber((((largest_acked.value() >> epoch_shift) + 2) << epoch_shift) - 1);
}

/// Secret, IV and AEAD of one epoch. The next epoch's keys are derived ahead, so that a roll is a swap.
struct EpochKeys {
  std::unique_ptr<Aead> aead;
  AeadNonce iv{};
};

/// Seals this node's packets. Never allocates after construction.
class PacketSealer {
 public:
  /// `secret` is copied; the backend must be available (our own bug otherwise).
  PacketSealer(const PacketKeyOptions& options, const Hash256& secret);
  PacketSealer(PacketSealer&&) noexcept;
  PacketSealer& operator=(PacketSealer&&) noexcept;
  ~PacketSealer();

  /// out = ciphertext and tag (in.size() + 16 bytes). Packet numbers strictly increase: a number that does not is our
  /// own bug and aborts, since a repeated nonce would give the key away.
  void seal(PacketNumber pn, ByteSpan aad, ByteSpan in, MutableByteSpan out);

  KeyEpoch epoch() const { return epoch_; }

 private:
  void roll();

  PacketKeyOptions options_;
  Hash256 next_secret_{};  ///< of epoch_ + 1
  EpochKeys current_;
  EpochKeys next_;
  KeyEpoch epoch_{0};
  PacketNumber least_allowed_{0};
};

enum class OpenResult : std::uint8_t {
  kOk,
  kBadTag,    ///< forged, corrupted or shorter than a tag
  kBadEpoch,  ///< a key epoch that is over or further away than the next one; nothing was decrypted
};

/// Opens the peer's packets. Replay is not its business (replay_window.hpp). Never allocates after construction.
class PacketOpener {
 public:
  PacketOpener(const PacketKeyOptions& options, const Hash256& secret);
  PacketOpener(PacketOpener&&) noexcept;
  PacketOpener& operator=(PacketOpener&&) noexcept;
  ~PacketOpener();

  /// `in` = ciphertext and tag; in.size() - 16 bytes of `out` are written, zeros unless kOk (kBadEpoch writes nothing).
  /// Accepted epochs: the current one; the next one, which becomes current only if this packet opens; the previous one
  /// until a packet 4096 or more past the border has been opened. No state moves for a packet that does not open.
  OpenResult open(PacketNumber pn, ByteSpan aad, ByteSpan in, MutableByteSpan out);

  KeyEpoch epoch() const { return epoch_; }

 private:
  void roll();

  PacketKeyOptions options_;
  Hash256 next_secret_{};  ///< of epoch_ + 1
  EpochKeys previous_;
  EpochKeys current_;
  EpochKeys next_;
  KeyEpoch epoch_{0};
  bool previous_alive_ = false;
};

}  // namespace peernet::crypto
