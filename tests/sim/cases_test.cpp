// The network cases of the QUIC interop runner (github.com/quic-interop), in virtual time.
#include <gtest/gtest.h>

#include <algorithm>

#include "sim/pair.hpp"

namespace peernet::sim {
namespace {

constexpr std::uint64_t kMegabyte = 1'000'000;

Scenario case_of(std::uint64_t seed, std::uint64_t content_bytes) {
  Scenario s = calm_scenario(seed);
  s.app.content_bytes = content_bytes;
  s.may_reconnect = false;
  s.hurt_for = 3600s;  // nothing is healed: the case has to end on the path it describes
  return s;
}

void both(Scenario& s, const std::function<void(LinkProfile&)>& change) {
  for (auto* act : {&s.hurt, &s.heal})
    for (LinkProfile& p : *act) change(p);
}

PairReport play(const Scenario& s) {
  const PairReport report = Pair(s).run();
  EXPECT_TRUE(report.passed) << report.reason;
  EXPECT_EQ(report.bytes, s.app.content_bytes);
  EXPECT_EQ(report.sessions, 1U);
  return report;
}

double seconds(Instant at) {
  return static_cast<double>(at.ns()) * 1e-9;
}

/// Every loss takes three packets in a row.
BurstLoss bursts_of_three(double share) {
  return {share / 3 / (1 - share), 1.0 / 3, 1.0};
}

TEST(NetworkCase, HandshakeTakesTwoRoundTripsAndOneByteArrives) {
  Scenario s = case_of(1, 1);
  s.real_tls = true;
  const PairReport report = play(s);
  EXPECT_EQ(report.requests_ended, 1U);
  EXPECT_LT(seconds(report.finished_at), 0.2);  // 20 ms a round trip: two to shake hands, one to join, one to fetch
}

TEST(NetworkCase, TransferOfTwoThreeAndFiveMegabytes) {
  for (const std::uint64_t megabytes : {2U, 3U, 5U}) play(case_of(megabytes, megabytes * kMegabyte));
}

TEST(NetworkCase, LongRoundTripOf750Milliseconds) {
  Scenario s = case_of(3, 2 * kMegabyte);
  both(s, [](LinkProfile& p) { p.delay = 375ms; });
  play(s);
}

TEST(NetworkCase, MultiplexingOfAThousandSmallRequests) {
  Scenario s = case_of(4, 1'000'000);
  s.app.range_bytes = 1000;
  s.app.chunk_bytes = 1 << 16;
  s.app.max_requests = 64;
  s.app.interleave = true;
  EXPECT_GE(play(s).requests_ended, 1000U);
}

TEST(NetworkCase, RetryCostsOneRoundTripAndLeavesAValidatedAddress) {
  Scenario s = case_of(5, kMegabyte);
  s.demand_retry = true;
  EXPECT_GE(play(s).retries, 1U);
}

TEST(NetworkCase, BlackholesOfTwoSecondsEveryFiveSecondsOfService) {
  Scenario s = case_of(6, 10 * kMegabyte);
  both(s, [](LinkProfile& p) { p.rate = 1'250'000; });
  for (int i = 0; i < 20; ++i) s.events.push_back({Instant() + 5s + 7s * i, EventKind::kCutBoth, 2s, 0});
  const PairReport report = play(s);
  EXPECT_GT(report.fates[kServer][static_cast<std::size_t>(Fate::kCut)], 0U);
}

TEST(NetworkCase, KeysRollInBothDirections) {
  Scenario s = case_of(7, 10 * kMegabyte);
  s.app.range_bytes = 8192;
  s.app.chunk_bytes = 1 << 16;
  s.app.max_requests = 8;
  const PairReport report = play(s);
  EXPECT_GE(report.server.key_epoch_send, 27U);  // 10 MB are more than 7,000 packets, and 256 packets are an epoch
  EXPECT_EQ(report.client.key_epoch_receive, report.server.key_epoch_send);
  EXPECT_GE(report.client.key_epoch_send, 1U);
  EXPECT_EQ(report.server.key_epoch_receive, report.client.key_epoch_send);
}

TEST(NetworkCase, FiftyHandshakesOverAPathThatLosesThirtyPercentInBursts) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    Scenario s = case_of(seed, 1024);
    s.may_reconnect = true;
    both(s, [](LinkProfile& p) { p.burst = bursts_of_three(0.3); });
    const PairReport report = Pair(s).run();
    EXPECT_TRUE(report.passed) << "seed " << seed << ": " << report.reason;
    EXPECT_LE(report.sessions, 2U) << "seed " << seed;
  }
}

TEST(NetworkCase, TransferOverAPathThatLosesTwoPercentInBursts) {
  Scenario s = case_of(9, 2 * kMegabyte);
  both(s, [](LinkProfile& p) { p.burst = bursts_of_three(0.02); });
  EXPECT_GT(play(s).server.packets_lost, 0U);
}

TEST(NetworkCase, FiftyHandshakesOverAPathThatCorruptsThirtyPercent) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    Scenario s = case_of(seed, 1024);
    s.may_reconnect = true;
    both(s, [](LinkProfile& p) { p.corrupt = 0.3; });
    const PairReport report = Pair(s).run();
    EXPECT_TRUE(report.passed) << "seed " << seed << ": " << report.reason;
    EXPECT_LE(report.sessions, 2U) << "seed " << seed;
  }
}

TEST(NetworkCase, TransferOverAPathThatCorruptsTwoPercent) {
  Scenario s = case_of(11, 2 * kMegabyte);
  both(s, [](LinkProfile& p) { p.corrupt = 0.02; });
  EXPECT_GT(play(s).server.packets_lost, 0U);
}

TEST(NetworkCase, AmplificationLimitHoldsWhileTheClientIsNotHeard) {
  Scenario s = case_of(12, 1024);
  // The client's first packet arrives and nothing more for three seconds: the server may say its flight three times at
  // most.
  s.events.push_back({Instant() + 5ms, EventKind::kCutUp, 3s, 0});
  play(s);
}

TEST(NetworkCase, EcnMarksAreReportedAndSlowTheSenderWithoutLoss) {
  Scenario s = case_of(13, 5 * kMegabyte);
  both(s, [](LinkProfile& p) {
    p.mark_bytes = 30'000;
    p.queue_bytes = 4 << 20;
  });
  const PairReport report = play(s);
  EXPECT_GT(report.client.ce_received, 0U);
  EXPECT_TRUE(report.server.ecn_capable);
  EXPECT_GT(report.server.congestion_events, 0U);
  EXPECT_EQ(report.server.packets_lost, 0U);
}

TEST(NetworkCase, EcnIsGivenUpOnAPathThatMarksEverything) {
  Scenario s = case_of(14, kMegabyte);
  both(s, [](LinkProfile& p) { p.mark_all = true; });
  play(s);
}

TEST(NetworkCase, EcnIsGivenUpOnAPathThatClearsIt) {
  Scenario s = case_of(15, kMegabyte);
  both(s, [](LinkProfile& p) { p.clear_ecn = true; });
  EXPECT_FALSE(play(s).server.ecn_capable);
}

TEST(NetworkCase, Ipv6) {
  Scenario s = case_of(16, 2 * kMegabyte);
  s.ipv6 = true;
  s.real_tls = true;
  play(s);
}

TEST(NetworkCase, TheClientsPortChangesEverySecond) {
  Scenario s = case_of(17, 10 * kMegabyte);
  both(s, [](LinkProfile& p) { p.rate = 1'250'000; });
  for (int i = 1; i <= 6; ++i) s.events.push_back({Instant() + 1s * i, EventKind::kRebindPort, 0s, 0});
  EXPECT_EQ(play(s).server.path_changes, 6U);
}

TEST(NetworkCase, TheClientsAddressChangesTwice) {
  Scenario s = case_of(18, 10 * kMegabyte);
  both(s, [](LinkProfile& p) { p.rate = 1'250'000; });
  for (int i = 1; i <= 2; ++i) s.events.push_back({Instant() + 3s * i, EventKind::kRebindAddress, 0s, 0});
  EXPECT_EQ(play(s).server.path_changes, 2U);
}

TEST(NetworkCase, GoodputIsOver75PercentBehindAQueueOf25Packets) {
  Scenario s = case_of(19, 10 * kMegabyte);
  both(s, [](LinkProfile& p) {
    p.rate = 1'250'000;
    p.delay = 15ms;
    p.queue_bytes = 25 * 1500;
  });
  EXPECT_LT(seconds(play(s).finished_at), 10e6 / 1.25e6 / 0.75);
}

TEST(NetworkCase, CrossTrafficThatTakesThreeQuartersOfTheLineComesAndGoes) {
  Scenario s = case_of(20, 10 * kMegabyte);
  both(s, [](LinkProfile& p) { p.rate = 2'500'000; });
  for (int i = 0; i < 10; ++i) {
    s.events.push_back({Instant() + 1s * (2 * i), EventKind::kRate, 0s, 625'000});
    s.events.push_back({Instant() + 1s * (2 * i + 1), EventKind::kRate, 0s, 2'500'000});
  }
  EXPECT_LT(seconds(play(s).finished_at), 10e6 / 1.5625e6 / 0.6);
}

TEST(NetworkCase, PathMtuIsFoundAndALossOfItIsSurvived) {
  Scenario s = case_of(21, 10 * kMegabyte);
  s.interface_mtu = 9000;
  both(s, [](LinkProfile& p) { p.mtu = 9000; });
  const PairReport wide = play(s);
  EXPECT_GT(wide.server.mtu, 8000U);
  both(s, [](LinkProfile& p) { p.rate = 1'250'000; });
  s.events.push_back({Instant() + 2s, EventKind::kMtu, 0s, 1300});
  const PairReport narrowed = play(s);
  EXPECT_LE(narrowed.server.mtu, 1300U - 28);
  EXPECT_GT(narrowed.fates[kServer][static_cast<std::size_t>(Fate::kTooLong)], 0U);
}

TEST(NetworkCase, EmptyDatagramsEveryMillisecondChangeNothing) {
  Scenario s = case_of(22, 2 * kMegabyte);
  s.attack.empty = 1000;
  EXPECT_GT(play(s).foreign, 100U);
}

}  // namespace
}  // namespace peernet::sim
