#include "crypto/hash.hpp"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <xxhash.h>

#include <cstring>

#include "crypto/xxh3_kernels.hpp"
#include "unit/crypto/testing.hpp"

namespace peernet::crypto {
namespace {

Hash256 evp_sha256(ByteSpan data) {
  Hash256 out;
  EXPECT_EQ(EVP_Digest(data.data(), data.size(), reinterpret_cast<unsigned char*>(out.data()), nullptr, EVP_sha256(),
                       nullptr),
            1);
  return out;
}

TEST(Sha256, AgreesWithFips180) {
  EXPECT_EQ(to_hex(sha256({})), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(to_hex(sha256(from_text("abc"))), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(to_hex(sha256(Bytes(1000000, std::byte{'a'}))),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, StreamingInAnyPiecesEqualsOneShotAndStartsAnew) {
  Rng rng(1);
  Sha256 hash;
  for (int round = 0; round < 200; ++round) {
    const Bytes data = random_bytes(rng, rng.below(1000));
    for (ByteSpan rest = data; !rest.empty();) {
      const std::size_t n = 1 + rng.below(rest.size());
      hash.update(rest.first(n));
      rest = rest.subspan(n);
      hash.update({});
    }
    Sha256 copy = hash;
    ASSERT_EQ(hash.finish(), evp_sha256(data));
    copy.update(from_text("more"));
    Bytes longer = data;
    for (const std::byte b : from_text("more")) longer.push_back(b);
    ASSERT_EQ(copy.finish(), evp_sha256(longer));
  }
}

TEST(Sha256, LeavesAreTheHashesOfTheirPieces) {
  Rng rng(2);
  // Around the sizes where the padding takes one block or two.
  for (const std::size_t leaf : {1u, 32u, 55u, 56u, 63u, 64u, 65u, 100u, 119u, 120u, 16384u}) {
    for (int round = 0; round < 40; ++round) {
      const Bytes data = random_bytes(rng, rng.below(leaf * 9 + 1));
      std::vector<Hash256> out((data.size() + leaf - 1) / leaf);
      sha256_leaves(data, leaf, out);
      for (std::size_t i = 0; i < out.size(); ++i) {
        const std::size_t at = i * leaf;
        ASSERT_EQ(out[i], evp_sha256(ByteSpan(data).subspan(at, std::min<std::size_t>(leaf, data.size() - at))))
            << leaf << " " << i;
      }
    }
  }
}

TEST(Sha256, ALeafCountThatDoesNotFitIsOurOwnBug) {
  std::vector<Hash256> out(2);
  EXPECT_DEATH(sha256_leaves(Bytes(16), 16, out), "out.size");
}

TEST(Hmac, AgreesWithRfc4231) {
  EXPECT_EQ(to_hex(hmac_sha256(Bytes(20, std::byte{0x0b}), from_text("Hi There"))),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  EXPECT_EQ(to_hex(hmac_sha256(from_text("Jefe"), from_text("what do ya want for nothing?"))),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(to_hex(hmac_sha256(Bytes(131, std::byte{0xaa}),
                               from_text("Test Using Larger Than Block-Size Key - Hash Key First"))),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

TEST(Hmac, AgreesWithOpensslForKeysOfAnyLength) {
  Rng rng(3);
  for (std::size_t n = 1; n < 140; ++n) {
    const Bytes key = random_bytes(rng, n);
    const Bytes data = random_bytes(rng, rng.below(300));
    Hash256 expected;
    std::size_t size = 0;
    ASSERT_NE(EVP_Q_mac(nullptr, "HMAC", nullptr, "SHA256", nullptr, key.data(), key.size(),
                        reinterpret_cast<const unsigned char*>(data.data()), data.size(),
                        reinterpret_cast<unsigned char*>(expected.data()), expected.size(), &size),
              nullptr);
    ASSERT_EQ(hmac_sha256(key, data), expected) << n;
  }
}

TEST(Hkdf, AgreesWithRfc5869) {
  const Bytes ikm(22, std::byte{0x0b});
  const Hash256 prk = hkdf_extract(from_hex("000102030405060708090a0b0c"), ikm);
  EXPECT_EQ(to_hex(prk), "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5");
  Bytes okm(42);
  hkdf_expand(prk, from_hex("f0f1f2f3f4f5f6f7f8f9"), okm);
  EXPECT_EQ(to_hex(okm), "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865");
  const Hash256 unsalted = hkdf_extract({}, ikm);
  EXPECT_EQ(to_hex(unsalted), "19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04");
  hkdf_expand(unsalted, {}, okm);
  EXPECT_EQ(to_hex(okm), "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8");
}

TEST(Hkdf, AgreesWithOpensslForEveryLength) {
  Rng rng(4);
  EVP_KDF* const kdf = EVP_KDF_fetch(nullptr, "HKDF", nullptr);
  for (const std::size_t n : {1u, 12u, 16u, 31u, 32u, 33u, 64u, 255u, 8160u}) {
    Bytes secret = random_bytes(rng, 32);
    Bytes info = random_bytes(rng, 1 + rng.below(40));
    EVP_KDF_CTX* const context = EVP_KDF_CTX_new(kdf);
    char digest[] = "SHA256";
    int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
    const OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
                                 OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
                                 OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, secret.data(), secret.size()),
                                 OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info.data(), info.size()),
                                 OSSL_PARAM_construct_end()};
    Bytes expected(n);
    ASSERT_EQ(EVP_KDF_derive(context, reinterpret_cast<unsigned char*>(expected.data()), n, params), 1);
    EVP_KDF_CTX_free(context);
    Bytes out(n);
    hkdf_expand(secret, info, out);
    EXPECT_EQ(out, expected) << n;
  }
  EVP_KDF_free(kdf);
  Bytes too_long(8161);
  EXPECT_DEATH(hkdf_expand(Hash256{}, {}, too_long), "255");
}

Hash128 library_xxh3(ByteSpan data) {
  Hash128 out;
  XXH128_canonicalFromHash(reinterpret_cast<XXH128_canonical_t*>(out.data()), XXH3_128bits(data.data(), data.size()));
  return out;
}

std::vector<const internal::Xxh3Kernel*> kernels() {
  std::vector<const internal::Xxh3Kernel*> out = {&internal::kXxh3Portable};
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2")) out.push_back(&internal::kXxh3Avx2);
  if (__builtin_cpu_supports("avx512f")) out.push_back(&internal::kXxh3Avx512);
#endif
  return out;
}

TEST(Xxh3, OfNothingIsTheKnownConstant) {
  EXPECT_EQ(to_hex(xxh3_128({})), "99aa06d3014798d86001c324468d497f");
}

TEST(Xxh3, EveryKernelAgreesWithTheLibraryForEverySize) {
  Rng rng(5);
  const Bytes data = random_bytes(rng, 70000);
  for (const internal::Xxh3Kernel* kernel : kernels()) {
    for (std::size_t n = 0; n <= data.size(); n += n < 3000 ? 1 : 997) {
      Hash128 out;
      kernel->one_shot(data.data(), n, reinterpret_cast<unsigned char*>(out.data()));
      ASSERT_EQ(out, library_xxh3(ByteSpan(data).first(n))) << kernel->name << " " << n;
    }
  }
}

TEST(Xxh3, EveryKernelStreamsToTheSameHash) {
  Rng rng(6);
  const Bytes data = random_bytes(rng, 70000);
  for (const internal::Xxh3Kernel* kernel : kernels()) {
    for (int round = 0; round < 100; ++round) {
      const ByteSpan all = ByteSpan(data).first(rng.below(data.size()));
      alignas(64) ByteArray<576> state{};
      kernel->reset(state.data());
      for (ByteSpan rest = all; !rest.empty();) {
        const std::size_t n = 1 + rng.below(std::min<std::size_t>(rest.size(), 3000));
        kernel->update(state.data(), rest.data(), n);
        rest = rest.subspan(n);
      }
      Hash128 out;
      kernel->digest(state.data(), reinterpret_cast<unsigned char*>(out.data()));
      ASSERT_EQ(out, library_xxh3(all)) << kernel->name;
    }
  }
}

TEST(Xxh3, StreamingEqualsOneShotCopiesPartAndItStartsAnew) {
  Rng rng(7);
  Xxh3 hash;
  for (int round = 0; round < 50; ++round) {
    const Bytes data = random_bytes(rng, 1 + rng.below(5000));
    const std::size_t cut = rng.below(data.size());
    hash.update(ByteSpan(data).first(cut));
    Xxh3 copy = hash;
    hash.update(ByteSpan(data).subspan(cut));
    ASSERT_EQ(hash.finish(), xxh3_128(data));
    ASSERT_EQ(copy.finish(), xxh3_128(ByteSpan(data).first(cut)));
  }
}

TEST(Hashes, NeverAllocate) {
  const Bytes data(20000);
  Bytes out(32);
  std::vector<Hash256> leaves(2);
  sha256(data);
  const std::uint64_t before = allocations();
  xxh3_128(data);
  Xxh3 hash;
  hash.update(data);
  hash.finish();
  sha256_leaves(data, 16384, leaves);
  hkdf_expand(hkdf_extract(data, data), label("x"), out);
  EXPECT_EQ(allocations(), before);
}

TEST(ConstantTime, EqualMeansSameLengthAndSameBytes) {
  EXPECT_TRUE(equal_constant_time({}, {}));
  const Bytes a = from_hex("010203");
  for (const char* other : {"", "0102", "01020304", "010204", "810203"})
    EXPECT_FALSE(equal_constant_time(a, from_hex(other)));
  EXPECT_TRUE(equal_constant_time(a, from_hex("010203")));
}

TEST(Wipe, LeavesZeros) {
  Bytes secret = from_hex("0102030405");
  wipe(secret);
  EXPECT_EQ(secret, Bytes(5));
  wipe({});
}

}  // namespace
}  // namespace peernet::crypto
