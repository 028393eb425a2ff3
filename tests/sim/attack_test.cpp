// Attacks from CHECKS that need more than chance: each under a transfer that has to go on, or must never begin.
#include <gtest/gtest.h>

#include <algorithm>

#include "sim/pair.hpp"

namespace peernet::sim {
namespace {

Scenario attack_on(std::uint64_t seed) {
  Scenario s = calm_scenario(seed);
  s.app.content_bytes = 2'000'000;
  s.may_reconnect = false;
  s.hurt_for = 3600s;
  return s;
}

/// Right header, right receiver, plausible number and place; the rest is guessed. The bytes are the caller's to
/// overwrite.
void forge(Rng& rng, Association& victim, MutableByteSpan packet) {
  wire::DataHeader header;
  header.packet.type = rng.chance(0.5) ? wire::PacketType::kData : wire::PacketType::kControl;
  header.packet.flags = rng.chance(0.5) ? wire::kFlagAckNow : std::uint8_t{0};
  header.packet.receiver = victim.session().local_id();
  header.packet.number = PacketNumber(victim.session().stats().packets_received + rng.below(600));
  header.request = RequestId(static_cast<std::uint32_t>(1 + rng.below(16)));
  header.offset = static_cast<std::uint32_t>(rng.below(1 << 18));
  wire::encode(header, packet.first<wire::kDataHeaderSize>());
  for (std::size_t at = wire::kDataHeaderSize; at + 8 <= packet.size(); at += 8) {
    const std::uint64_t word = rng.next();
    std::memcpy(packet.data() + at, &word, 8);
  }
}

TEST(Attack, AMillionForgedPacketsChangeNothing) {
  constexpr std::size_t kPackets = 1'000'000;
  constexpr std::size_t kSegment = 120;
  constexpr std::size_t kSegments = 50;
  Pair pair(attack_on(1));
  Rng rng(7);
  std::size_t sent = 0;
  std::vector<std::byte> train(kSegment * kSegments);
  pair.on_step = [&](Pair& world, Instant now) {
    if (now < Instant() + 150ms || sent != 0) return;  // in the middle of the transfer
    ASSERT_NE(world.client_side(), nullptr);
    ASSERT_NE(world.server_side(), nullptr);
    for (; sent < kPackets; sent += kSegments) {
      const std::size_t side = rng.below(2);
      Association& victim = side == kClient ? *world.client_side() : *world.server_side();
      for (std::size_t i = 0; i < kSegments; ++i)
        forge(rng, victim, MutableByteSpan(train).subspan(i * kSegment, kSegment));
      victim.before_forged();
      victim.session().on_datagram(
          world.endpoint(side).local(now),
          {train, kSegment, victim.session().remote(), static_cast<std::uint8_t>(rng.below(4))}, victim.user());
      victim.after_forged(world.judge());
    }
  };
  const PairReport report = pair.run();
  EXPECT_TRUE(report.passed) << report.reason;
  EXPECT_EQ(sent, kPackets);
  EXPECT_EQ(report.trace, Pair(attack_on(1)).run().trace);  // as if nobody had been there
}

TEST(Attack, AHandshakeFloodLeavesTheTransferAlone) {
  Scenario s = attack_on(2);
  s.attack.flood = 2000;
  const PairReport report = Pair(s).run();
  EXPECT_TRUE(report.passed) << report.reason;
  EXPECT_GT(report.retries, 100U);
}

TEST(Attack, AClientGetsInDuringAHandshakeFlood) {
  Scenario s = attack_on(3);
  s.attack.flood = 500;
  s.demand_retry = true;  // what the flood brings about: only who answers from its address gets a session
  EXPECT_TRUE(Pair(s).run().passed);
}

TEST(Attack, EveryPacketRepeatedManyTimesIsTakenOnce) {
  Scenario s = attack_on(4);
  s.attack.replayed = 3000;
  for (LinkProfile& path : s.hurt) path.duplicate = 0.5;
  const PairReport report = Pair(s).run();
  EXPECT_TRUE(report.passed) << report.reason;
}

/// A relay that speaks the public keys: opens a handshake packet, changes what it says and seals it again.
class Rewriter {
 public:
  /// `change` gets the bytes of the stream that the packet carries, and their offset; true if it changed any.
  using Change = std::function<bool(std::uint32_t offset, MutableByteSpan stream)>;
  explicit Rewriter(Change change) : change_(std::move(change)), protection_(crypto::AeadBackend::kAuto) {}

  void operator()(std::size_t from_side, Datagram& d) {
    const auto header = wire::decode_header(d.bytes);
    if (!header || header->type != wire::PacketType::kHandshake) return;
    const auto handshake = wire::decode_handshake(*header, d.bytes);
    ASSERT_TRUE(handshake.has_value());
    using From = crypto::InitialProtection::From;
    const From from = from_side == kClient ? From::kInitiator : From::kResponder;
    const std::size_t clear = wire::clear_size(*handshake);
    const MutableByteSpan sealed = MutableByteSpan(d.bytes).subspan(clear);
    protection_.rekey(handshake->initiator_id);
    std::vector<std::byte> plain(sealed.size() - wire::kTagSize);
    const auto aad = ByteSpan(d.bytes).first(clear);
    ASSERT_TRUE(protection_.open(from, header->number, aad, sealed, plain));
    const auto body = wire::decode_handshake_body(plain);
    ASSERT_TRUE(body.has_value());
    const MutableByteSpan stream = MutableByteSpan(plain).subspan(wire::kHandshakeBodySize, body->bytes.size());
    if (from_side == kClient && change_(body->offset, stream)) ++changed_;
    protection_.seal(from, header->number, aad, plain, sealed);
  }
  int changed() const { return changed_; }

 private:
  Change change_;
  crypto::InitialProtection protection_;
  int changed_ = 0;
};

/// Plays a transfer through the relay; returns how often it changed something. Nothing may ever be delivered.
int expect_no_session(Scenario s, const Rewriter::Change& change) {
  Rewriter rewriter(change);
  Pair pair(s);
  pair.relay = std::ref(rewriter);
  bool joined = false;
  pair.on_step = [&](Pair& world, Instant) { joined = joined || world.requester().outstanding_bytes() != 0; };
  const PairReport report = pair.run();
  EXPECT_FALSE(report.passed);
  EXPECT_EQ(report.reason, "the session ended before the transfer was complete");
  EXPECT_FALSE(joined);
  EXPECT_EQ(report.bytes, 0U);
  return rewriter.changed();
}

constexpr std::uint32_t kVersionInStream = 2;
constexpr std::uint32_t kCiphersInStream = 2 + 4 + 8 + 8 + 1;

TEST(Attack, ARelayThatWeakensTheCipherListNeverGetsASession) {
  for (const bool real_tls : {false, true}) {
    Scenario s = attack_on(5);
    s.real_tls = real_tls;
    EXPECT_GT(expect_no_session(s,
                                [](std::uint32_t offset, MutableByteSpan stream) {
                                  if (offset != 0 || stream.size() <= kCiphersInStream) return false;
                                  stream[kCiphersInStream] =
                                      std::byte{wire::kCipherAes256Gcm};  // of both that were offered
                                  return true;
                                }),
              0);
  }
}

TEST(Attack, ARelayThatRewritesTheVersionNeverGetsASession) {
  EXPECT_GT(expect_no_session(attack_on(6),
                              [](std::uint32_t offset, MutableByteSpan stream) {
                                if (offset != 0 || stream.size() < kVersionInStream + 4) return false;
                                stream[kVersionInStream + 3] = std::byte{0};
                                return true;
                              }),
            0);
}

TEST(Attack, ARelayThatChangesNothingIsOnlyAPath) {
  Rewriter rewriter([](std::uint32_t, MutableByteSpan) { return false; });
  Pair pair(attack_on(7));
  pair.relay = std::ref(rewriter);
  const PairReport report = pair.run();
  EXPECT_TRUE(report.passed) << report.reason;
}

}  // namespace
}  // namespace peernet::sim
