// AES-GCM with one key: the only cipher of PN/1 packets. Two backends stand behind it: intel-ipsec-mb (about 50 ns a
// call) and OpenSSL EVP (300 to 600 ns a call, always built).
#pragma once

#include <memory>

#include "base/types.hpp"
#include "peernet/error.hpp"

namespace peernet::crypto {

/// The values are the bits of the handshake's cipher bitmap.
enum class Cipher : std::uint8_t { kAes128Gcm = 1, kAes256Gcm = 2 };
enum class AeadBackend : std::uint8_t { kAuto, kIpsecMb, kOpenssl };

inline constexpr std::size_t kAeadTagBytes = 16;
inline constexpr std::size_t kAeadNonceBytes = 12;
using AeadNonce = ByteArray<kAeadNonceBytes>;

constexpr std::size_t key_bytes(Cipher cipher) {
  return cipher == Cipher::kAes128Gcm ? 16 : 32;
}

/// One key schedule. An object belongs to one thread at a time; no call allocates. Keys are wiped on destruction.
/// Input and output of seal and open either start at the same byte (in place) or do not overlap at all.
class Aead {
 public:
  Aead() = default;
  Aead(const Aead&) = delete;
  Aead& operator=(const Aead&) = delete;
  virtual ~Aead() = default;

  /// Replaces the key; `key` has key_bytes(cipher) bytes. Must be called before the first seal or open.
  virtual void set_key(ByteSpan key) = 0;

  /// out = ciphertext, then the tag: the first plaintext.size() + 16 bytes of `out` are written. The pass over the
  /// bytes is also the copy. A nonce must never serve twice under a key: that is the caller's promise.
  virtual void seal(const AeadNonce& nonce, ByteSpan aad, ByteSpan plaintext, MutableByteSpan out) = 0;

  /// sealed = ciphertext, then the tag; the first sealed.size() - 16 bytes of `out` are written. False if the tag does
  /// not match (compared in constant time) or `sealed` is shorter than a tag: then those bytes are zeros, never
  /// unverified plaintext, and bytes opened in place are lost.
  [[nodiscard]] virtual bool open(const AeadNonce& nonce, ByteSpan aad, ByteSpan sealed, MutableByteSpan out) = 0;
};

/// True if make_aead(backend, ...) works on this build and this CPU. kAuto and kOpenssl always do.
bool aead_backend_available(AeadBackend backend);

/// What kAuto means here: ipsec-mb where it is available, else OpenSSL.
AeadBackend resolve_aead_backend(AeadBackend backend);

/// "ipsec-mb" or "openssl" (after resolving kAuto), as in `--aead`.
const char* name_of(AeadBackend backend);

/// Fails only with kUsage, for a backend that is not available.
Result<std::unique_ptr<Aead>> make_aead(AeadBackend backend, Cipher cipher);

}  // namespace peernet::crypto
