#include "base/check.hpp"
#include "crypto/hash.hpp"

namespace peernet::crypto {

void sha256_leaves(ByteSpan data, std::size_t leaf_bytes, std::span<Hash256> out) {
  PN_CHECK(leaf_bytes > 0 && out.size() == (data.size() + leaf_bytes - 1) / leaf_bytes);
  for (Hash256& hash : out) {
    const std::size_t n = data.size() < leaf_bytes ? data.size() : leaf_bytes;
    hash = sha256(data.first(n));
    data = data.subspan(n);
  }
}

}  // namespace peernet::crypto
