// What nobody can do to a session: forge, replay, amplify, move it with old packets, or talk to it after its end.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "crypto/initial_keys.hpp"
#include "session_pair.hpp"
#include "transport/secret_random.hpp"

namespace peernet::transport {
namespace {

using test::Flying;
using test::Pair;

std::uint64_t dropped(const Session& session, wire::DropReason reason) {
  return session.stats().dropped[static_cast<std::size_t>(reason)];
}

TEST(SessionDefence, ForgedPacketsChangeNothing) {
  Pair pair;
  ASSERT_TRUE(pair.connect());
  pair.run(1s);
  const SessionStats before = pair.responder->stats();
  const Instant deadline = pair.responder->next_deadline();
  Rng rng(5);
  for (int i = 0; i != 10'000; ++i) {
    std::vector<std::byte> forged(40 + rng.below(1400));
    for (std::byte& b : forged) b = static_cast<std::byte>(rng.next());
    wire::encode(wire::PacketHeader{.type = static_cast<wire::PacketType>(0x51 + rng.below(4)),
                                    .flags = 1,
                                    .receiver = SessionId(0x2000),
                                    .number = PacketNumber(rng.below(1000))},
                 MutableByteSpan(forged).first<wire::kHeaderSize>());
    pair.inject(true, forged, Address::v4(6, 6, 6, 6, 6));
  }
  const SessionStats after = pair.responder->stats();
  EXPECT_EQ(after.packets_received, before.packets_received);
  EXPECT_EQ(after.packets_sent, before.packets_sent);
  EXPECT_EQ(pair.responder->next_deadline(), deadline);
  EXPECT_EQ(pair.responder->remote(), pair.initiator_address);
  EXPECT_TRUE(pair.responder->established());
  EXPECT_GT(dropped(*pair.responder, wire::DropReason::kBadTag), 0U);
}

TEST(SessionDefence, ACopiedPacketIsTakenOnce) {
  Pair pair;
  ASSERT_TRUE(pair.connect());
  pair.run(100ms);
  std::vector<Flying> seen;
  pair.rule = [&](Flying& f) {
    if (f.to_responder) seen.push_back(f);
    return true;
  };
  pair.transfer(pair.initiator_user, pair.responder_user, 1, 100'000);
  ASSERT_TRUE(pair.run_until([&] { return pair.initiator_user.acked_bytes == 100'000; }));
  pair.run(1s);  // all of them have arrived
  const std::uint64_t received = pair.responder_user.received;
  pair.responder_user.marked[1].assign(100'000, false);  // its owner would take them all again
  for (const Flying& f : seen) pair.inject(true, f.bytes, f.from);
  EXPECT_EQ(pair.responder_user.received, received);
  EXPECT_EQ(dropped(*pair.responder, wire::DropReason::kReplayed), seen.size());
}

TEST(SessionDefence, CorruptedFileBytesAreNeverMarked) {
  Pair pair;
  ASSERT_TRUE(pair.connect());
  Rng rng(11);
  pair.rule = [&](Flying& f) {
    if (rng.chance(0.05)) f.bytes[rng.below(f.bytes.size())] ^= std::byte{0x20};
    return true;
  };
  pair.transfer(pair.initiator_user, pair.responder_user, 1, 500'000);
  ASSERT_TRUE(pair.run_until([&] { return pair.responder_user.received == 500'000; }));
  EXPECT_TRUE(pair.responder_user.complete(1));
  EXPECT_GT(dropped(*pair.responder, wire::DropReason::kBadTag), 0U);
}

TEST(SessionDefence, AResponderNeverSendsMoreThanThreeTimesWhatItGot) {
  Pair pair;
  std::uint64_t in = 0;
  std::uint64_t out = 0;
  pair.rule = [&](Flying& f) {
    if (f.to_responder) {
      in += f.bytes.size();
      return in <= 1200;  // nothing but the first packet ever arrives
    }
    out += f.bytes.size();
    return false;
  };
  pair.run(12s);
  EXPECT_GT(out, 0U);
  EXPECT_LE(out, 3U * 1200);
  EXPECT_EQ(pair.responder_user.reason.cause, CloseCause::kHandshakeTimeout);
  EXPECT_EQ(pair.initiator_user.reason.cause, CloseCause::kHandshakeTimeout);
}

TEST(SessionDefence, ANewPortKeepsTheSessionAndOldPacketsDoNotMoveItBack) {
  Pair pair;
  ASSERT_TRUE(pair.connect());
  pair.run(500ms);
  const Address home = pair.initiator_address;
  std::optional<Flying> old;
  pair.rule = [&](Flying& f) {
    if (f.to_responder && !old) {
      old = f;
      return false;
    }
    return true;
  };
  ASSERT_TRUE(pair.initiator->send(wire::CancelFrame{RequestId(1)}));
  pair.run(1ms);
  ASSERT_TRUE(old);
  pair.initiator_address.port = 5555;
  ASSERT_TRUE(pair.initiator->send(wire::CancelFrame{RequestId(2)}));
  pair.run(500ms);
  EXPECT_EQ(pair.responder->remote(), pair.initiator_address);
  EXPECT_EQ(pair.responder->stats().path_changes, 1U);
  const std::uint64_t received = pair.responder->stats().packets_received;
  pair.inject(true, old->bytes, home);
  EXPECT_EQ(pair.responder->stats().packets_received, received + 1);  // authentic and new, but not the newest
  EXPECT_EQ(pair.responder->remote(), pair.initiator_address);
}

TEST(SessionDefence, NothingIsDeliveredAfterTheEnd) {
  Pair pair;
  ASSERT_TRUE(pair.connect());
  pair.run(500ms);
  pair.transfer(pair.initiator_user, pair.responder_user, 1, 10'000);
  pair.run(1ms);  // the bytes are on their way
  pair.responder->close(pair.now, wire::CloseCode::kNone, "", pair.responder_user);
  pair.run(500ms);
  EXPECT_EQ(pair.responder_user.received, 0U);
  EXPECT_GT(dropped(*pair.responder, wire::DropReason::kClosed), 0U);
}

TEST(SessionDefence, LostMtuProbesAreNoCongestion) {
  Pair pair;
  pair.rule = [](Flying& f) { return f.bytes.size() <= 1300; };
  ASSERT_TRUE(pair.connect());
  pair.transfer(pair.initiator_user, pair.responder_user, 1, 300'000);
  ASSERT_TRUE(pair.run_until([&] { return pair.responder_user.received == 300'000; }));
  pair.run(2s);
  EXPECT_GE(pair.initiator->stats().packets_lost, 3U);
  EXPECT_EQ(pair.initiator->stats().congestion_events, 0U);
  EXPECT_LE(pair.initiator->stats().mtu, 1300U);
  EXPECT_GE(pair.initiator->stats().mtu, 1284U);
}

TEST(SessionDefence, KeyEpochsRollDuringATransfer) {
  Pair pair({.adjust = [](SessionConfig& c) { c.epoch_shift = 8; }});
  ASSERT_TRUE(pair.connect());
  pair.transfer(pair.initiator_user, pair.responder_user, 1, 2'000'000);
  ASSERT_TRUE(pair.run_until([&] { return pair.responder_user.received == 2'000'000; }));
  EXPECT_TRUE(pair.responder_user.complete(1));
  EXPECT_GE(pair.responder->stats().key_epoch_receive, 5U);
}

/// The first packet number that the initiator leaves out of a transfer.
std::uint64_t first_left_out(std::byte secret) {
  Pair pair({.adjust = [&](SessionConfig& c) { c.secret[31] = secret; }});
  EXPECT_TRUE(pair.connect());
  std::uint64_t next = 0;
  std::optional<std::uint64_t> left_out;
  pair.rule = [&](Flying& f) {
    const auto header = wire::decode_header(f.bytes);
    if (!f.to_responder || header->type == wire::PacketType::kHandshake || left_out) return true;
    if (next != 0 && header->number.value() > next) left_out = next;
    next = header->number.value() + 1;
    return true;
  };
  pair.transfer(pair.initiator_user, pair.responder_user, 1, 1'000'000);
  EXPECT_TRUE(pair.run_until([&] { return pair.responder_user.received == 1'000'000; }));
  EXPECT_TRUE(left_out);
  return left_out.value_or(0);
}

TEST(SessionDefence, WhichNumbersAreLeftOutDependsOnTheSecret) {
  const std::uint64_t once = first_left_out(std::byte{1});
  EXPECT_EQ(first_left_out(std::byte{1}), once);  // and on nothing else that differs between runs
  EXPECT_NE(first_left_out(std::byte{2}), once);
}

TEST(SecretRandom, NumbersFollowFromTheSecretAndNotFromEachOther) {
  Hash256 one{};
  Hash256 other{};
  other[31] = std::byte{1};
  SecretRandom a(one);
  SecretRandom again(one);
  SecretRandom b(other);
  std::set<std::uint64_t> seen;
  for (int i = 0; i != 100; ++i) {
    const std::uint64_t value = a.next();
    EXPECT_EQ(again.next(), value);
    EXPECT_TRUE(seen.insert(value).second);
    EXPECT_TRUE(seen.insert(b.next()).second);
    // Who knows a number and takes it for a seed or a key learns nothing about the next.
    ByteArray<8> bytes;
    ByteWriter(bytes).u64(value);
    Hash256 guess{};
    std::ranges::copy(bytes, guess.begin());
    EXPECT_TRUE(seen.insert(SecretRandom(guess).next()).second);
    EXPECT_TRUE(seen.insert(Rng(value).next()).second);
  }
}

/// Rewrites the initiator's cipher list on its way, as anyone can who sees the packet: handshake keys are public.
void take_ciphers_away(std::vector<std::byte>& packet) {
  const auto header = wire::decode_header(packet);
  if (!header || header->type != wire::PacketType::kHandshake) return;
  const auto handshake = wire::decode_handshake(*header, packet);
  const std::size_t clear = wire::clear_size(*handshake);
  const MutableByteSpan sealed = MutableByteSpan(packet).subspan(clear);
  const MutableByteSpan body = sealed.first(sealed.size() - wire::kTagSize);
  crypto::InitialProtection initial(crypto::AeadBackend::kOpenssl);
  initial.rekey(handshake->initiator_id);
  ASSERT_TRUE(initial.open(crypto::InitialProtection::From::kInitiator, header->number, ByteSpan(packet).first(clear),
                           sealed, body));
  const auto parsed = wire::decode_handshake_body(body);
  ASSERT_TRUE(parsed);
  // Stream: length u16, version u32, features u64, instance id u64, shard count u8, ciphers u8.
  if (parsed->offset == 0 && parsed->bytes.size() > 23)
    body[wire::kHandshakeBodySize + 23] = std::byte{wire::kCipherAes128Gcm};
  initial.seal(crypto::InitialProtection::From::kInitiator, header->number, ByteSpan(packet).first(clear), body,
               sealed);
}

TEST(SessionDefence, ARelayThatRewritesTheCipherListNeverGetsASession) {
  Pair pair;
  pair.rule = [](Flying& f) {
    if (f.to_responder) take_ciphers_away(f.bytes);
    return true;
  };
  pair.run(60s);
  // TLS itself succeeds, since the block is not in its transcript; the keys are bound to it and differ.
  EXPECT_EQ(pair.initiator_user.frames.size() + pair.responder_user.frames.size(), 0U);
  EXPECT_EQ(pair.initiator->state(), SessionState::kClosed);
  EXPECT_EQ(pair.responder->state(), SessionState::kClosed);
  EXPECT_GT(dropped(*pair.responder, wire::DropReason::kBadTag) + dropped(*pair.initiator, wire::DropReason::kBadTag),
            0U);
  Pair untouched;
  EXPECT_TRUE(untouched.connect());
  untouched.run(60s);
  EXPECT_EQ(dropped(*untouched.initiator, wire::DropReason::kBadTag), 0U);
}

TEST(SessionDefence, AFullFrameStoreSaysNoAndLosesNothing) {
  Pair pair({.adjust = [](SessionConfig& c) { c.small_frames = 16; }});
  ASSERT_TRUE(pair.connect());
  std::size_t taken = 0;
  while (pair.initiator->send(wire::CancelFrame{RequestId(1)})) ++taken;
  EXPECT_EQ(taken, 16U);
  ASSERT_TRUE(pair.run_until([&] { return pair.responder_user.frames.size() == taken; }));
  pair.run(1s);
  EXPECT_EQ(pair.initiator->frame_room(), 16U);
}

TEST(SessionDefence, SealedPacketsBeforeTheFinishedAreDroppedAndSentAgain) {
  Pair pair;
  int held = 0;
  pair.rule = [&](Flying& f) {  // the Finished flight is lost, the REQUEST right behind it is not
    const bool finished =
        f.to_responder && f.bytes.size() < 1200 && f.bytes[0] == static_cast<std::byte>(wire::PacketType::kHandshake);
    return !(finished && held++ < 1);
  };
  ASSERT_TRUE(pair.run_until([&] { return pair.initiator->established(); }));
  ASSERT_TRUE(pair.initiator->send(wire::CancelFrame{RequestId(3)}));
  ASSERT_TRUE(pair.run_until([&] { return !pair.responder_user.frames.empty(); }));
  EXPECT_GE(dropped(*pair.responder, wire::DropReason::kNotEstablished), 1U);
}

}  // namespace
}  // namespace peernet::transport
