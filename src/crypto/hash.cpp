// SHA-256 by OpenSSL's low-level calls: deprecated in 3.0, but the only ones that neither allocate nor fetch (an EVP
// digest does both per context), and the same SHA-NI code runs underneath.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "crypto/hash.hpp"

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include <algorithm>
#include <cstring>
#include <new>

#include "base/check.hpp"

namespace peernet::crypto {
namespace {

constexpr std::size_t kBlockBytes = 64;

SHA256_CTX* context(std::byte* state) {
  return std::launder(reinterpret_cast<SHA256_CTX*>(state));
}

}  // namespace

void Sha256::reset() {
  static_assert(sizeof(SHA256_CTX) == sizeof state_ && alignof(SHA256_CTX) <= 8);
  SHA256_Init(new (state_.data()) SHA256_CTX);
}

void Sha256::update(ByteSpan data) {
  if (!data.empty()) SHA256_Update(context(state_.data()), data.data(), data.size());
}

Hash256 Sha256::finish() {
  Hash256 out;
  SHA256_Final(reinterpret_cast<unsigned char*>(out.data()), context(state_.data()));
  reset();
  return out;
}

Hash256 sha256(ByteSpan data) {
  Sha256 hash;
  hash.update(data);
  return hash.finish();
}

HmacSha256::HmacSha256(ByteSpan key) {
  ByteArray<kBlockBytes> block{};
  if (key.size() > kBlockBytes) {
    const Hash256 hashed = sha256(key);
    std::copy(hashed.begin(), hashed.end(), block.begin());
  } else if (!key.empty()) {
    std::memcpy(block.data(), key.data(), key.size());
  }
  for (std::byte& b : block) b ^= std::byte{0x36};
  inner_.update(block);
  for (std::byte& b : block) b ^= std::byte{0x36 ^ 0x5c};
  outer_.update(block);
  wipe(block);
}

HmacSha256::~HmacSha256() {
  wipe({reinterpret_cast<std::byte*>(&inner_), sizeof inner_});
  wipe({reinterpret_cast<std::byte*>(&outer_), sizeof outer_});
}

Hash256 HmacSha256::finish() {
  outer_.update(inner_.finish());
  return outer_.finish();
}

Hash256 hmac_sha256(ByteSpan key, ByteSpan data) {
  HmacSha256 mac(key);
  mac.update(data);
  return mac.finish();
}

Hash256 hkdf_extract(ByteSpan salt, ByteSpan input_key) {
  return hmac_sha256(salt, input_key);
}

void hkdf_expand(ByteSpan secret, ByteSpan info, MutableByteSpan out) {
  PN_CHECK(out.size() <= 255 * sizeof(Hash256));
  const HmacSha256 keyed(secret);
  Hash256 block{};
  std::uint8_t counter = 0;
  while (!out.empty()) {
    HmacSha256 mac = keyed;
    if (counter != 0) mac.update(block);
    mac.update(info);
    const std::byte last{++counter};
    mac.update({&last, 1});
    block = mac.finish();
    const std::size_t n = std::min(out.size(), block.size());
    std::memcpy(out.data(), block.data(), n);
    out = out.subspan(n);
  }
  wipe(block);
}

bool equal_constant_time(ByteSpan a, ByteSpan b) {
  return a.size() == b.size() && (a.empty() || CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0);
}

void wipe(MutableByteSpan secret) {
  OPENSSL_cleanse(secret.data(), secret.size());
}

}  // namespace peernet::crypto
