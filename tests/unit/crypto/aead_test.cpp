#include "crypto/aead.hpp"

#include <cstring>

#include "crypto/aead_backends.hpp"
#include "unit/crypto/testing.hpp"

namespace peernet::crypto {
namespace {

struct GcmVector {
  const char* key;
  const char* nonce;
  const char* aad;
  const char* plaintext;
  const char* ciphertext;
  const char* tag;
};

// Test cases 1 to 4 and 13 to 16 of the GCM specification (McGrew and Viega), those with a 96-bit IV.
constexpr const char* kKey128 = "feffe9928665731c6d6a8f9467308308";
constexpr const char* kKey256 = "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308";
constexpr const char* kNonce = "cafebabefacedbaddecaf888";
constexpr const char* kAad = "feedfacedeadbeeffeedfacedeadbeefabaddad2";
constexpr const char* kZero16 = "00000000000000000000000000000000";
constexpr const char* kZero32 = "0000000000000000000000000000000000000000000000000000000000000000";
constexpr const char* kZero12 = "000000000000000000000000";
constexpr const char* kText64 =
    "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525"
    "b16aedf5aa0de657ba637b391aafd255";
constexpr const char* kText60 =
    "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525"
    "b16aedf5aa0de657ba637b39";
constexpr GcmVector kVectors[] = {
    {kZero16, kZero12, "", "", "", "58e2fccefa7e3061367f1d57a4e7455a"},
    {kZero16, kZero12, "", kZero16, "0388dace60b6a392f328c2b971b2fe78", "ab6e47d42cec13bdf53a67b21257bddf"},
    {kKey128, kNonce, "", kText64,
     "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5aac84aa05"
     "1ba30b396a0aac973d58e091473f5985",
     "4d5c2af327cd64a62cf35abd2ba6fab4"},
    {kKey128, kNonce, kAad, kText60,
     "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5aac84aa05"
     "1ba30b396a0aac973d58e091",
     "5bc94fbc3221a5db94fae95ae7121a47"},
    {kZero32, kZero12, "", "", "", "530f8afbc74536b9a963b4f1c4cb738b"},
    {kZero32, kZero12, "", kZero16, "cea7403d4d606b6e074ec5d3baf39d18", "d0d1c8a799996bf0265b98b5d48ab919"},
    {kKey256, kNonce, "", kText64,
     "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838"
     "c5f61e6393ba7a0abcc9f662898015ad",
     "b094dac5d93471bdec1a502270e3cc6c"},
    {kKey256, kNonce, kAad, kText60,
     "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838"
     "c5f61e6393ba7a0abcc9f662",
     "76fc6ece0f4e1768cddf8853bb2d551b"},
};

class AeadBackends : public ::testing::TestWithParam<AeadBackend> {
 protected:
  void SetUp() override {
    if (!aead_backend_available(GetParam())) GTEST_SKIP() << "ipsec-mb is not in this build or not for this CPU";
  }
  std::unique_ptr<Aead> make(Cipher cipher) { return std::move(*make_aead(GetParam(), cipher)); }
};

INSTANTIATE_TEST_SUITE_P(Both, AeadBackends, ::testing::Values(AeadBackend::kIpsecMb, AeadBackend::kOpenssl),
                         [](const auto& each) { return each.param == AeadBackend::kIpsecMb ? "IpsecMb" : "Openssl"; });

TEST_P(AeadBackends, AgreesWithTheVectorsOfTheSpecification) {
  for (const GcmVector& v : kVectors) {
    const Bytes key = from_hex(v.key);
    const Bytes aad = from_hex(v.aad);
    const Bytes text = from_hex(v.plaintext);
    const AeadNonce nonce = array_of<12>(from_hex(v.nonce));
    const std::unique_ptr<Aead> aead = make(key.size() == 16 ? Cipher::kAes128Gcm : Cipher::kAes256Gcm);
    aead->set_key(key);
    Bytes sealed(text.size() + kAeadTagBytes);
    aead->seal(nonce, aad, text, sealed);
    EXPECT_EQ(to_hex(sealed), std::string(v.ciphertext) + v.tag);
    Bytes opened(text.size());
    EXPECT_TRUE(aead->open(nonce, aad, sealed, opened));
    EXPECT_EQ(opened, text);
  }
}

TEST_P(AeadBackends, OpensInPlaceWhatWasSealedInPlace) {
  Rng rng(1);
  const std::unique_ptr<Aead> aead = make(Cipher::kAes128Gcm);
  aead->set_key(random_bytes(rng, 16));
  for (std::size_t n = 0; n < 600; ++n) {
    const Bytes text = random_bytes(rng, n);
    const Bytes aad = random_bytes(rng, 24);
    const AeadNonce nonce = random_array<12>(rng);
    Bytes apart(n + kAeadTagBytes);
    aead->seal(nonce, aad, text, apart);
    Bytes buffer = text;
    buffer.resize(n + kAeadTagBytes);
    aead->seal(nonce, aad, ByteSpan(buffer).first(n), buffer);
    ASSERT_EQ(buffer, apart);
    ASSERT_TRUE(aead->open(nonce, aad, buffer, MutableByteSpan(buffer).first(n)));
    buffer.resize(n);
    ASSERT_EQ(buffer, text);
  }
}

TEST_P(AeadBackends, NoFlippedBitEverOpensAndNothingUnverifiedComesOut) {
  Rng rng(2);
  const std::unique_ptr<Aead> aead = make(Cipher::kAes256Gcm);
  aead->set_key(random_bytes(rng, 32));
  for (const std::size_t n : {std::size_t{0}, std::size_t{1}, std::size_t{15}, std::size_t{16}, std::size_t{257}}) {
    const Bytes text = random_bytes(rng, n);
    Bytes aad = random_bytes(rng, 16);
    AeadNonce nonce = random_array<12>(rng);
    Bytes sealed(n + kAeadTagBytes);
    aead->seal(nonce, aad, text, sealed);
    Bytes out(n);
    const auto refused = [&] {
      std::fill(out.begin(), out.end(), std::byte{0xee});
      return !aead->open(nonce, aad, sealed, out) && out == Bytes(n);
    };
    const auto every_flip_is_refused = [&](MutableByteSpan bytes) {
      for (std::byte& b : bytes) {
        for (int bit = 0; bit < 8; ++bit) {
          b ^= static_cast<std::byte>(1 << bit);
          if (!refused()) return false;
          b ^= static_cast<std::byte>(1 << bit);
        }
      }
      return true;
    };
    EXPECT_TRUE(every_flip_is_refused(sealed));
    EXPECT_TRUE(every_flip_is_refused(aad));
    EXPECT_TRUE(every_flip_is_refused(nonce));
    EXPECT_TRUE(aead->open(nonce, aad, sealed, out));
    EXPECT_EQ(out, text);
    for (std::size_t cut = 0; cut < sealed.size(); ++cut) {
      Bytes shorter(cut > kAeadTagBytes ? cut - kAeadTagBytes : 0);
      EXPECT_FALSE(aead->open(nonce, aad, ByteSpan(sealed).first(cut), shorter)) << cut;
    }
  }
}

TEST_P(AeadBackends, ANewKeyReplacesTheOldOne) {
  Rng rng(3);
  const std::unique_ptr<Aead> aead = make(Cipher::kAes128Gcm);
  const Bytes first = random_bytes(rng, 16);
  const Bytes second = random_bytes(rng, 16);
  const Bytes text = random_bytes(rng, 100);
  Bytes sealed(116);
  Bytes out(100);
  aead->set_key(first);
  aead->seal({}, {}, text, sealed);
  aead->set_key(second);
  EXPECT_FALSE(aead->open({}, {}, sealed, out));
  aead->set_key(first);
  EXPECT_TRUE(aead->open({}, {}, sealed, out));
  EXPECT_EQ(out, text);
}

TEST_P(AeadBackends, NoCallAllocates) {
  for (const Cipher cipher : {Cipher::kAes128Gcm, Cipher::kAes256Gcm}) {
    Rng rng(4);
    const std::unique_ptr<Aead> aead = make(cipher);
    const Bytes key = random_bytes(rng, key_bytes(cipher));
    Bytes text(1432);
    Bytes sealed(1448);
    const std::uint64_t before = allocations();
    for (int i = 0; i < 10; ++i) {
      aead->set_key(key);
      aead->seal({}, {}, text, sealed);
      EXPECT_TRUE(aead->open({}, {}, sealed, text));
      sealed[0] ^= std::byte{1};
      EXPECT_FALSE(aead->open({}, {}, sealed, text));
    }
    EXPECT_EQ(allocations(), before);
  }
}

TEST_P(AeadBackends, SealingWithoutAKeyIsOurOwnBug) {
  Bytes sealed(16);
  const std::unique_ptr<Aead> aead = make(Cipher::kAes128Gcm);
  EXPECT_DEATH(aead->seal({}, {}, {}, sealed), "keyed_");
  aead->set_key(Bytes(16));
  EXPECT_DEATH(aead->seal({}, {}, Bytes(1), sealed), "out.size");
  EXPECT_DEATH(aead->set_key(Bytes(32)), "key.size");
}

TEST(Aead, BothBackendsGiveTheSameBytesForEverySize) {
  if (!aead_backend_available(AeadBackend::kIpsecMb))
    GTEST_SKIP() << "ipsec-mb is not in this build or not for this CPU";
  Rng rng(5);
  for (const Cipher cipher : {Cipher::kAes128Gcm, Cipher::kAes256Gcm}) {
    const std::unique_ptr<Aead> a = std::move(*make_aead(AeadBackend::kIpsecMb, cipher));
    const std::unique_ptr<Aead> b = std::move(*make_aead(AeadBackend::kOpenssl, cipher));
    Bytes by_a(16384 + kAeadTagBytes);
    Bytes by_b(16384 + kAeadTagBytes);
    Bytes out(16384);
    for (int i = 0; i < 4000; ++i) {
      if (i % 16 == 0) {
        const Bytes key = random_bytes(rng, key_bytes(cipher));
        a->set_key(key);
        b->set_key(key);
      }
      // Every small size in turn, then any size up to 16384.
      const std::size_t n = i < 2100 ? static_cast<std::size_t>(i) : rng.below(16385);
      const Bytes text = random_bytes(rng, n);
      const Bytes aad = random_bytes(rng, rng.chance(0.5) ? 16 : 24);
      const AeadNonce nonce = random_array<12>(rng);
      a->seal(nonce, aad, text, by_a);
      b->seal(nonce, aad, text, by_b);
      ASSERT_EQ(std::memcmp(by_a.data(), by_b.data(), n + kAeadTagBytes), 0) << n;
      ASSERT_TRUE(b->open(nonce, aad, ByteSpan(by_a).first(n + kAeadTagBytes), out)) << n;
      ASSERT_TRUE(std::equal(text.begin(), text.end(), out.begin()));
      by_b[rng.below(n + kAeadTagBytes)] ^= std::byte{0x10};
      ASSERT_FALSE(a->open(nonce, aad, ByteSpan(by_b).first(n + kAeadTagBytes), out)) << n;
    }
  }
}

TEST(Aead, OpensslIsAlwaysThereAndAutoMeansTheQuickest) {
  EXPECT_TRUE(aead_backend_available(AeadBackend::kOpenssl));
  EXPECT_TRUE(aead_backend_available(AeadBackend::kAuto));
  EXPECT_STREQ(name_of(AeadBackend::kOpenssl), "openssl");
  const bool quick = aead_backend_available(AeadBackend::kIpsecMb);
  EXPECT_EQ(resolve_aead_backend(AeadBackend::kAuto), quick ? AeadBackend::kIpsecMb : AeadBackend::kOpenssl);
  EXPECT_STREQ(name_of(AeadBackend::kAuto), quick ? "ipsec-mb" : "openssl");
  EXPECT_EQ(make_aead(AeadBackend::kIpsecMb, Cipher::kAes128Gcm).has_value(), quick);
  EXPECT_EQ(std::string(internal::ipsec_mb_arch()) != "none", quick);
}

}  // namespace
}  // namespace peernet::crypto
