// Promises of a session as a whole, two of them back to back.
#include <gtest/gtest.h>

#include "session_pair.hpp"

namespace peernet::transport {
namespace {

using test::Flying;
using test::Pair;

TEST(Session, HandshakeEstablishesBothSidesWithEachOthersIdentity) {
  Pair pair;
  ASSERT_TRUE(pair.connect());
  EXPECT_EQ(pair.initiator->peer(), test::factory(false).local_id());
  EXPECT_EQ(pair.responder->peer(), test::factory(true).local_id());
  EXPECT_EQ(pair.initiator->binding(), pair.responder->binding());
  EXPECT_EQ(pair.initiator_user.established, 1);
  EXPECT_EQ(pair.responder_user.established, 1);
  EXPECT_EQ(pair.initiator->remote_id(), SessionId(0x2000));
}

TEST(Session, AFileArrivesWhole) {
  Pair pair;
  ASSERT_TRUE(pair.connect());
  pair.transfer(pair.responder_user, pair.initiator_user, 5, 3'000'000);
  ASSERT_TRUE(pair.run_until([&] { return pair.initiator_user.received == 3'000'000; }));
  EXPECT_TRUE(pair.initiator_user.complete(5));
  ASSERT_TRUE(pair.run_until([&] { return pair.responder_user.acked_bytes == 3'000'000; }));
  EXPECT_EQ(pair.responder->stats().packets_lost, 0U);
  EXPECT_EQ(pair.responder_user.lost_bytes, 0U);
}

TEST(Session, AFileArrivesWholeThroughRandomLoss) {
  Pair pair;
  Rng rng(3);
  pair.rule = [&](Flying&) { return !rng.chance(0.05); };
  ASSERT_TRUE(pair.connect());
  pair.transfer(pair.initiator_user, pair.responder_user, 9, 1'000'000);
  ASSERT_TRUE(pair.run_until([&] { return pair.responder_user.received == 1'000'000; }));
  EXPECT_TRUE(pair.responder_user.complete(9));
  EXPECT_GT(pair.initiator->stats().packets_lost, 0U);
}

TEST(Session, HandshakeSurvivesHeavyLoss) {
  int failures = 0;
  for (std::uint64_t seed = 0; seed != 20; ++seed) {
    Pair pair;
    Rng rng(seed);
    pair.rule = [&](Flying&) { return !rng.chance(0.3); };
    failures += pair.connect() ? 0 : 1;
  }
  EXPECT_EQ(failures, 0);
}

TEST(Session, ALostRequestIsSentAgain) {
  Pair pair;
  ASSERT_TRUE(pair.connect());
  pair.run(1s);
  int dropped = 0;
  pair.rule = [&](Flying& f) { return !(f.from == pair.initiator_address && dropped++ < 2); };
  EXPECT_TRUE(pair.initiator->send(wire::RequestFrame{.slot = ContentSlot(1),
                                                      .request = RequestId(77),
                                                      .table = wire::Table::kChunks,
                                                      .index = 0,
                                                      .offset = 0,
                                                      .length = 10,
                                                      .deadline_ms = 0}));
  ASSERT_TRUE(pair.run_until([&] { return pair.responder_user.requests.contains(77); }, 5s));
  EXPECT_GE(pair.initiator->stats().frames_retransmitted, 1U);
  EXPECT_GE(pair.initiator->stats().pto_total, 1U);
}

TEST(Session, TheSearchFindsTheInterfaceMtu) {
  Pair pair;
  ASSERT_TRUE(pair.connect());
  pair.run(1s);
  EXPECT_EQ(pair.initiator->stats().mtu, 1472U);
  EXPECT_EQ(pair.responder->stats().mtu, 1472U);
}

TEST(Session, ATrainFits64KiBWithTheHeadersOfAllItsPackets) {
  Pair pair;
  ASSERT_TRUE(pair.connect());
  pair.run(2s);  // the search for the MTU ends
  const DataBudget budget = pair.initiator->data_budget(pair.now);
  constexpr std::uint32_t kHeaders = 14 + 40 + 8;
  const std::uint32_t on_the_line =
      budget.payload_per_packet + static_cast<std::uint32_t>(wire::kDataOverhead) + kHeaders;
  EXPECT_LE(budget.packets_per_train * on_the_line, 65536U);
  EXPECT_GT((budget.packets_per_train + 1) * on_the_line, 65536U);
}

TEST(Session, AQuietSessionSendsNothingAndEndsIdle) {
  Pair pair;
  ASSERT_TRUE(pair.connect());
  pair.run(2s);
  const std::uint64_t sent = pair.initiator->stats().packets_sent + pair.responder->stats().packets_sent;
  const std::uint64_t steps = pair.steps;
  pair.run(20s);
  EXPECT_EQ(pair.initiator->stats().packets_sent + pair.responder->stats().packets_sent, sent);
  EXPECT_LT(pair.steps - steps, 20U);
  pair.run(20s);
  EXPECT_EQ(pair.initiator_user.closed, 1);
  EXPECT_EQ(pair.initiator_user.reason.cause, CloseCause::kIdle);
  EXPECT_EQ(pair.initiator->state(), SessionState::kClosed);
}

TEST(Session, CloseReachesThePeerWithItsWords) {
  Pair pair;
  ASSERT_TRUE(pair.connect());
  pair.initiator->close(pair.now, wire::CloseCode::kRefused, "not welcome", pair.initiator_user);
  EXPECT_EQ(pair.initiator_user.closed, 1);
  pair.run(1s);
  EXPECT_EQ(pair.responder_user.closed, 1);
  EXPECT_EQ(pair.responder_user.reason.cause, CloseCause::kPeer);
  EXPECT_EQ(pair.responder_user.reason.code, wire::CloseCode::kRefused);
  EXPECT_EQ(std::string_view(pair.responder_user.reason.text.begin(), pair.responder_user.reason.text.size()),
            "not welcome");
  EXPECT_EQ(pair.initiator->state(), SessionState::kClosed);
}

}  // namespace
}  // namespace peernet::transport
