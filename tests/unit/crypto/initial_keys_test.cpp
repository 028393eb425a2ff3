#include "crypto/initial_keys.hpp"

#include "base/bytes.hpp"
#include "crypto/hash.hpp"
#include "unit/crypto/testing.hpp"

namespace peernet::crypto {
namespace {

using From = InitialProtection::From;

// These constants are wire format (docs/protocol.md has them as test vectors); computed by an independent program.
TEST(InitialKeys, AreTheDocumentedOnes) {
  EXPECT_EQ(to_hex(initial_salt()), "156dff33dd754cbd9b85718c31398ec4c95c05ea3e9bbfa166642f16c17be019");
  const InitialKeys keys = derive_initial_keys(0x0123456789abcdef);
  EXPECT_EQ(to_hex(keys.initiator.key), "eae292624e3efdb296e0f1e0bfb3fb22");
  EXPECT_EQ(to_hex(keys.initiator.iv), "2830ce9d91d7d6cf6744ff3d");
  EXPECT_EQ(to_hex(keys.responder.key), "9aa7e5163a16501ba87a6ab3cd59c0f2");
  EXPECT_EQ(to_hex(keys.responder.iv), "0e74ca18b72a92ddb82cdd28");
  EXPECT_EQ(to_hex(retry_key().key), "8f66e3ca7986caed2bfd9102cd31ff76");
  EXPECT_EQ(to_hex(retry_key().iv), "05a7514feba57870dbfd5ed4");
}

TEST(InitialProtection, OpensOnlyWhatTheNamedSideSealedForTheSameInitiator) {
  Rng rng(1);
  InitialProtection a(AeadBackend::kAuto);
  InitialProtection b(AeadBackend::kOpenssl);
  a.rekey(7);
  b.rekey(7);
  const Bytes aad = random_bytes(rng, 40);
  const Bytes text = random_bytes(rng, 1144);
  Bytes sealed(text.size() + kAeadTagBytes);
  Bytes out(text.size());
  a.seal(From::kInitiator, PacketNumber(0), aad, text, sealed);
  EXPECT_TRUE(b.open(From::kInitiator, PacketNumber(0), aad, sealed, out));
  EXPECT_EQ(out, text);
  EXPECT_FALSE(b.open(From::kResponder, PacketNumber(0), aad, sealed, out));
  EXPECT_FALSE(b.open(From::kInitiator, PacketNumber(1), aad, sealed, out));
  b.rekey(8);
  EXPECT_FALSE(b.open(From::kInitiator, PacketNumber(0), aad, sealed, out));
  b.rekey(7);
  EXPECT_TRUE(b.open(From::kInitiator, PacketNumber(0), aad, sealed, out));
  a.seal(From::kResponder, PacketNumber(3), aad, text, sealed);
  EXPECT_TRUE(b.open(From::kResponder, PacketNumber(3), aad, sealed, out));
}

TEST(InitialProtection, RekeyingAllocatesNothing) {
  InitialProtection p(AeadBackend::kAuto);
  const std::uint64_t before = allocations();
  for (std::uint64_t id = 0; id < 100; ++id) p.rekey(id);
  EXPECT_EQ(allocations(), before);
}

TEST(InitialProtection, SealingWithoutAnInitiatorIsOurOwnBug) {
  InitialProtection p(AeadBackend::kAuto);
  Bytes out(16);
  EXPECT_DEATH(p.seal(From::kInitiator, PacketNumber(0), {}, {}, out), "keyed_");
}

TEST(InitialProtection, ARetryIsOpenedByAnyoneAndNoDamagePassesUnnoticed) {
  Rng rng(2);
  InitialProtection a(AeadBackend::kAuto);
  InitialProtection b(AeadBackend::kOpenssl);
  Bytes packet = random_bytes(rng, 70);
  const ByteArray<16> tag = a.retry_tag(packet);
  EXPECT_TRUE(b.check_retry_tag(packet, tag));
  for (std::byte& byte : packet) {
    byte ^= std::byte{0x40};
    EXPECT_FALSE(b.check_retry_tag(packet, tag));
    byte ^= std::byte{0x40};
  }
  ByteArray<16> other = tag;
  other[15] ^= std::byte{1};
  EXPECT_FALSE(b.check_retry_tag(packet, other));
  EXPECT_FALSE(b.check_retry_tag(packet, ByteSpan(tag).first(15)));
  EXPECT_FALSE(b.check_retry_tag(packet, {}));
}

}  // namespace
}  // namespace peernet::crypto
