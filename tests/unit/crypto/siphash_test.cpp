#include "crypto/siphash.hpp"

#include <openssl/core_names.h>
#include <openssl/evp.h>

#include <bit>
#include <cstring>

#include "unit/crypto/testing.hpp"

namespace peernet::crypto {
namespace {

/// As the reference implementation writes it: lowest byte first.
std::string written(std::uint64_t value) {
  if constexpr (std::endian::native == std::endian::big) value = std::byteswap(value);
  Bytes out(sizeof(value));
  std::memcpy(out.data(), &value, sizeof(value));
  return to_hex(out);
}

std::string openssl_siphash(const Hash128& key, ByteSpan data) {
  EVP_MAC* mac = EVP_MAC_fetch(nullptr, "SIPHASH", nullptr);
  EVP_MAC_CTX* context = EVP_MAC_CTX_new(mac);
  std::size_t size = 8;
  const OSSL_PARAM params[] = {OSSL_PARAM_construct_size_t(OSSL_MAC_PARAM_SIZE, &size), OSSL_PARAM_construct_end()};
  Bytes out(8);
  std::size_t written_bytes = 0;
  EXPECT_EQ(EVP_MAC_init(context, reinterpret_cast<const unsigned char*>(key.data()), key.size(), params), 1);
  EXPECT_EQ(EVP_MAC_update(context, reinterpret_cast<const unsigned char*>(data.data()), data.size()), 1);
  EXPECT_EQ(EVP_MAC_final(context, reinterpret_cast<unsigned char*>(out.data()), &written_bytes, out.size()), 1);
  EXPECT_EQ(written_bytes, out.size());
  EVP_MAC_CTX_free(context);
  EVP_MAC_free(mac);
  return to_hex(out);
}

/// The first rows of vectors_sip64 in the reference implementation: key 00 01 .. 0f, message 00 01 .. n-1.
TEST(SipHash, AgreesWithTheReferenceVectors) {
  const char* const kVectors[] = {
      "310e0edd47db6f72", "fd67dc93c539f874", "5a4fa9d909806c0d", "2d7efbd796666785",
      "b7877127e09427cf", "8da699cd64557618", "cee3fe586e46c9cb", "37d1018bf50002ab",
      "6224939a79f5f593", "b0e4a90bdf82009e", "f3b9dd94c5bb5d7a", "a7ad6b22462fb3f4",
      "fbe50e86bc8f1e75", "903d84c02756ea14", "eef27a8e90ca23f7", "e545be4961ca29a1",
  };
  Hash128 key;
  for (std::size_t i = 0; i < key.size(); ++i) key[i] = static_cast<std::byte>(i);
  Bytes message;
  for (const char* const expected : kVectors) {
    EXPECT_EQ(written(siphash24(key, message)), expected) << message.size() << " bytes";
    message.push_back(static_cast<std::byte>(message.size()));
  }
}

TEST(SipHash, AgreesWithOpensslOnAnyLength) {
  Rng rng(3);
  for (std::size_t size = 0; size <= 300; ++size) {
    const Bytes data = random_bytes(rng, size);
    Hash128 key;
    std::memcpy(key.data(), random_bytes(rng, key.size()).data(), key.size());
    ASSERT_EQ(written(siphash24(key, data)), openssl_siphash(key, data)) << size << " bytes";
  }
}

}  // namespace
}  // namespace peernet::crypto
