// The nonce of a packet. Not for other rooms.
#pragma once

#include "crypto/aead.hpp"

namespace peernet::crypto::internal {

/// The packet number, right-aligned, over the key's IV (as RFC 9001 5.3).
inline AeadNonce nonce_of(const AeadNonce& iv, PacketNumber pn) {
  AeadNonce nonce = iv;
  std::uint64_t n = pn.value();
  for (std::size_t i = nonce.size(); i-- > nonce.size() - 8; n >>= 8) nonce[i] ^= static_cast<std::byte>(n & 0xff);
  return nonce;
}

}  // namespace peernet::crypto::internal
