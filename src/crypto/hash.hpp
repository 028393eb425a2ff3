// Hashes: SHA-256 (names, Merkle trees), XXH3-128 (fast check of chunks; not a defence against liars), HMAC and HKDF
// over SHA-256 (RFC 2104, RFC 5869). Nothing here allocates.
#pragma once

#include <span>

#include "base/types.hpp"

namespace peernet::crypto {

Hash256 sha256(ByteSpan data);

/// Streaming SHA-256. A copy continues on its own. After finish() the object is new again.
class Sha256 {
 public:
  Sha256() { reset(); }
  void reset();
  void update(ByteSpan data);
  Hash256 finish();

 private:
  alignas(8) ByteArray<112> state_;  // an OpenSSL SHA256_CTX
};

/// SHA-256 of every `leaf_bytes` piece of `data` (the last one may be shorter); out.size() = number of pieces.
/// Quicker than one sha256() a piece where the CPU allows: independent messages are hashed side by side. With
/// leaf_bytes 64 over a row of hashes it makes the row of a Merkle tree above it.
void sha256_leaves(ByteSpan data, std::size_t leaf_bytes, std::span<Hash256> out);

/// XXH3-128, seed 0, in the canonical (big-endian) form.
Hash128 xxh3_128(ByteSpan data);

/// Streaming XXH3-128. A copy continues on its own. After finish() the object is new again.
class Xxh3 {
 public:
  Xxh3() { reset(); }
  void reset();
  void update(ByteSpan data);
  Hash128 finish();

 private:
  alignas(64) ByteArray<576> state_;  // an XXH3_state_t
};

Hash256 hmac_sha256(ByteSpan key, ByteSpan data);

/// Streaming HMAC-SHA256.
class HmacSha256 {
 public:
  explicit HmacSha256(ByteSpan key);
  HmacSha256(const HmacSha256&) = default;
  HmacSha256& operator=(const HmacSha256&) = default;
  ~HmacSha256();
  void update(ByteSpan data) { inner_.update(data); }
  Hash256 finish();

 private:
  Sha256 inner_;
  Sha256 outer_;
};

Hash256 hkdf_extract(ByteSpan salt, ByteSpan input_key);
/// Fills `out`; at most 255 * 32 bytes (our own bug otherwise). `info` is a label without a terminating zero.
void hkdf_expand(ByteSpan secret, ByteSpan info, MutableByteSpan out);

/// The bytes of a string literal without its terminating zero: label("pn1 key").
template <std::size_t N>
ByteSpan label(const char (&text)[N]) {
  return as_bytes(text, N - 1);
}

/// Compares without telling by time where the first difference is. Different lengths are unequal.
bool equal_constant_time(ByteSpan a, ByteSpan b);
/// Overwrites a secret; the compiler does not remove it.
void wipe(MutableByteSpan secret);

}  // namespace peernet::crypto
