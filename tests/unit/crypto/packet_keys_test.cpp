#include "crypto/packet_keys.hpp"

#include <algorithm>

#include "crypto/hash.hpp"
#include "unit/crypto/testing.hpp"

namespace peernet::crypto {
namespace {

constexpr PacketKeyOptions kSmallEpochs{Cipher::kAes128Gcm, AeadBackend::kAuto, 8};

struct Packet {
  PacketNumber pn;
  Bytes aad;
  Bytes text;
  Bytes sealed;
};

Packet sealed_packet(PacketSealer& sealer, PacketNumber pn, Rng& rng) {
  Packet p{pn, random_bytes(rng, 16), random_bytes(rng, rng.below(64)), {}};
  p.sealed.resize(p.text.size() + kAeadTagBytes);
  sealer.seal(pn, p.aad, p.text, p.sealed);
  return p;
}

OpenResult opened(PacketOpener& opener, const Packet& p) {
  Bytes out(p.text.size());
  const OpenResult result = opener.open(p.pn, p.aad, p.sealed, out);
  if (result == OpenResult::kOk) {
    EXPECT_EQ(out, p.text);
  }
  return result;
}

struct Pair {
  explicit Pair(std::uint64_t seed, PacketKeyOptions options = kSmallEpochs)
      : rng(seed), secret(random_array<32>(rng)), sealer(options, secret), opener(options, secret) {}
  Packet seal(std::uint64_t pn) { return sealed_packet(sealer, PacketNumber(pn), rng); }
  OpenResult open(const Packet& p) { return opened(opener, p); }

  Rng rng;
  Hash256 secret;
  PacketSealer sealer;
  PacketOpener opener;
};

// The derivation, written out once more from docs/protocol.md, so that a change of label or order cannot go unnoticed.
TEST(PacketKeys, AreDerivedAsTheProtocolSays) {
  Rng rng(1);
  for (const Cipher cipher : {Cipher::kAes128Gcm, Cipher::kAes256Gcm}) {
    Hash256 secret = random_array<32>(rng);
    PacketSealer sealer({cipher, AeadBackend::kAuto, 8}, secret);
    const std::unique_ptr<Aead> plain = std::move(*make_aead(AeadBackend::kOpenssl, cipher));
    for (std::uint64_t epoch = 0; epoch < 4; ++epoch) {
      Bytes key(key_bytes(cipher));
      AeadNonce nonce;
      hkdf_expand(secret, from_text("pn1 key"), key);
      hkdf_expand(secret, from_text("pn1 iv"), nonce);
      const std::uint64_t pn = epoch * 256 + 0x12;
      nonce[11] ^= static_cast<std::byte>(pn & 0xff);
      nonce[10] ^= static_cast<std::byte>(pn >> 8);
      plain->set_key(key);
      const Packet p = sealed_packet(sealer, PacketNumber(pn), rng);
      Bytes out(p.text.size());
      EXPECT_TRUE(plain->open(nonce, p.aad, p.sealed, out));
      EXPECT_EQ(out, p.text);
      Hash256 next;
      hkdf_expand(secret, from_text("pn1 next"), next);
      secret = next;
    }
  }
}

TEST(PacketKeys, OpenInOrderAcrossManyBorders) {
  for (const AeadBackend backend : {AeadBackend::kIpsecMb, AeadBackend::kOpenssl}) {
    if (!aead_backend_available(backend)) continue;
    Pair pair(2, {Cipher::kAes256Gcm, backend, 8});
    for (std::uint64_t n = 0; n < 256 * 20; ++n) {
      const Packet p = pair.seal(n);
      ASSERT_EQ(pair.open(p), OpenResult::kOk) << n;
      ASSERT_EQ(pair.sealer.epoch(), KeyEpoch(n / 256));
      ASSERT_EQ(pair.opener.epoch(), KeyEpoch(n / 256));
    }
  }
}

TEST(PacketKeys, SurviveLossAndReorderingAcrossManyBorders) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    Pair pair(seed);
    std::vector<Packet> flight;
    std::uint64_t number = 0;
    for (int round = 0; round < 100; ++round) {
      flight.clear();
      for (std::uint64_t i = 0, n = 1 + pair.rng.below(120); i < n; ++i) {
        number += 1 + (pair.rng.chance(0.05) ? pair.rng.below(4) : 0);  // numbers are skipped on purpose
        const Packet p = pair.seal(number);
        if (!pair.rng.chance(0.3)) flight.push_back(p);
      }
      for (std::size_t i = flight.size(); i > 1; --i) std::swap(flight[i - 1], flight[pair.rng.below(i)]);
      for (const Packet& p : flight) ASSERT_EQ(pair.open(p), OpenResult::kOk) << seed << " " << p.pn.value();
    }
    EXPECT_EQ(pair.sealer.epoch(), KeyEpoch(number >> 8));
  }
}

TEST(PacketKeys, AForgedPacketOfTheNextEpochMovesNothing) {
  Pair pair(3);
  ASSERT_EQ(pair.open(pair.seal(10)), OpenResult::kOk);
  Packet forged{PacketNumber(300), Bytes(16), Bytes(50), random_bytes(pair.rng, 66)};
  for (int i = 0; i < 100; ++i) EXPECT_EQ(pair.open(forged), OpenResult::kBadTag);
  EXPECT_EQ(pair.opener.epoch(), KeyEpoch(0));
  ASSERT_EQ(pair.open(pair.seal(11)), OpenResult::kOk);
  ASSERT_EQ(pair.open(pair.seal(256)), OpenResult::kOk);
  EXPECT_EQ(pair.opener.epoch(), KeyEpoch(1));
}

TEST(PacketKeys, OnlyTheNeighbouringEpochsAreTried) {
  Pair pair(4);
  const Packet zero = pair.seal(0);
  const Packet one = pair.seal(256);
  const Packet two = pair.seal(512);
  const Packet three = pair.seal(768);
  EXPECT_EQ(pair.open(two), OpenResult::kBadEpoch);  // two ahead: its keys are not even derived
  EXPECT_EQ(pair.open(one), OpenResult::kOk);
  EXPECT_EQ(pair.open(three), OpenResult::kBadEpoch);
  EXPECT_EQ(pair.open(zero), OpenResult::kOk);  // one behind
  EXPECT_EQ(pair.open(two), OpenResult::kOk);
  EXPECT_EQ(pair.open(one), OpenResult::kOk);
  EXPECT_EQ(pair.open(zero), OpenResult::kBadEpoch);  // two behind: its secret is gone
  EXPECT_EQ(pair.open(three), OpenResult::kOk);
}

TEST(PacketKeys, ThePreviousEpochEnds4096PacketsPastTheBorder) {
  const PacketKeyOptions options{Cipher::kAes128Gcm, AeadBackend::kAuto, 13};
  const std::uint64_t border = 1u << 13;
  Pair pair(5, options);
  const Packet early = pair.seal(border - 3);
  const Packet late = pair.seal(border - 2);
  const Packet last = pair.seal(border - 1);
  ASSERT_EQ(pair.open(pair.seal(border)), OpenResult::kOk);
  EXPECT_EQ(pair.open(early), OpenResult::kOk);
  ASSERT_EQ(pair.open(pair.seal(border + 4095)), OpenResult::kOk);
  EXPECT_EQ(pair.open(late), OpenResult::kOk);
  ASSERT_EQ(pair.open(pair.seal(border + 4096)), OpenResult::kOk);
  EXPECT_EQ(pair.open(last), OpenResult::kBadEpoch);
}

TEST(PacketKeys, AnEpochEnteredLateClosesTheOneBeforeAtOnce) {
  Pair pair(6, {Cipher::kAes128Gcm, AeadBackend::kAuto, 13});
  const Packet old = pair.seal(5);
  ASSERT_EQ(pair.open(pair.seal((1u << 13) + 5000)), OpenResult::kOk);
  EXPECT_EQ(pair.open(old), OpenResult::kBadEpoch);
}

TEST(PacketKeys, TheNumberAndTheHeaderArePartOfTheSeal) {
  Pair pair(7);
  const Packet p = pair.seal(17);
  Packet other = p;
  other.pn = PacketNumber(18);
  EXPECT_EQ(pair.open(other), OpenResult::kBadTag);
  other = p;
  other.aad[3] ^= std::byte{1};
  EXPECT_EQ(pair.open(other), OpenResult::kBadTag);
  other = p;
  other.sealed.resize(15);
  other.text.clear();
  EXPECT_EQ(pair.open(other), OpenResult::kBadTag);
  EXPECT_EQ(pair.open(p), OpenResult::kOk);
}

TEST(PacketKeys, ARepeatedNumberIsOurOwnBug) {
  Pair pair(8);
  pair.seal(5);
  EXPECT_DEATH(pair.seal(5), "least_allowed_");
  EXPECT_DEATH(pair.seal(4), "least_allowed_");
  EXPECT_EQ(pair.open(pair.seal(6)), OpenResult::kOk);
}

TEST(PacketKeys, RollingAllocatesNothing) {
  for (const AeadBackend backend : {AeadBackend::kIpsecMb, AeadBackend::kOpenssl}) {
    if (!aead_backend_available(backend)) continue;
    Rng rng(9);
    const Hash256 secret = random_array<32>(rng);
    const PacketKeyOptions options{Cipher::kAes128Gcm, backend, 8};
    PacketSealer sealer(options, secret);
    PacketOpener opener(options, secret);
    const Bytes aad(16);
    const Bytes text(100);
    Bytes sealed(116);
    Bytes out(100);
    const std::uint64_t before = allocations();
    for (std::uint64_t n = 0; n < 2000; ++n) {
      sealer.seal(PacketNumber(n), aad, text, sealed);
      ASSERT_EQ(opener.open(PacketNumber(n), aad, sealed, out), OpenResult::kOk);
    }
    EXPECT_EQ(allocations(), before);
  }
}

TEST(PacketKeys, GoOnAfterAMove) {
  Pair pair(10);
  pair.seal(1);
  PacketSealer sealer = std::move(pair.sealer);
  PacketOpener opener = std::move(pair.opener);
  for (std::uint64_t n = 250; n < 600; n += 50)
    EXPECT_EQ(opened(opener, sealed_packet(sealer, PacketNumber(n), pair.rng)), OpenResult::kOk);
}

TEST(PacketKeys, ASenderThatKeepsToTheSafeNumbersIsNeverLost) {
  EXPECT_EQ(last_safe_packet_number(PacketNumber(0), 8), PacketNumber(511));
  EXPECT_EQ(last_safe_packet_number(PacketNumber(255), 8), PacketNumber(511));
  EXPECT_EQ(last_safe_packet_number(PacketNumber(256), 8), PacketNumber(767));
  Pair pair(11);
  std::uint64_t acked = 0;
  for (int i = 0; i < 30; ++i) {  // everything in between is lost
    const std::uint64_t top = last_safe_packet_number(PacketNumber(acked), 8).value();
    ASSERT_EQ(pair.open(pair.seal(top)), OpenResult::kOk);
    acked = top;
  }
}

}  // namespace
}  // namespace peernet::crypto
