// Numbers that the peer must not foresee although it sees earlier ones: the answer to a path challenge (RFC 9000 8.2.1)
// and which packet number is left out. Each is HMAC-SHA256 of a counter under the session's secret; xoshiro would be
// solved from a few of its outputs, and PINGs carry them.
#pragma once

#include "base/bytes.hpp"
#include "crypto/hash.hpp"

namespace peernet::transport {

class SecretRandom {
 public:
  explicit SecretRandom(const Hash256& secret) : secret_(secret) {}

  std::uint64_t next() {
    ByteArray<8> message;
    ByteWriter(message).u64(counter_++);
    const Hash256 out = crypto::hmac_sha256(secret_, message);
    return ByteReader(out).u64();
  }
  /// In [0, bound), bound below 2^16: the remainder's bias is below 2^-48.
  std::uint64_t below(std::uint64_t bound) { return next() % bound; }

 private:
  Hash256 secret_;
  std::uint64_t counter_ = 0;
};

}  // namespace peernet::transport
