#include "transport/loss_recovery.hpp"

#include <gtest/gtest.h>

#include <map>
#include <vector>

namespace peernet::transport {
namespace {

constexpr Instant kStart = Instant::from_ns(1'000'000'000);

struct Recorder final : RecoveryListener {
  void on_packet_acked(std::uint64_t pn, const SentPacket&, bool was_spurious) override {
    acked.push_back(pn);
    if (was_spurious) spurious.push_back(pn);
  }
  void on_packet_lost(std::uint64_t pn, const SentPacket&) override { lost.push_back(pn); }
  std::vector<std::uint64_t> acked;
  std::vector<std::uint64_t> spurious;
  std::vector<std::uint64_t> lost;
};

class LossRecoveryTest : public testing::Test {
 protected:
  void send(Instant at, int count = 1, std::uint8_t flags = SentPacket::kData | SentPacket::kAckEliciting) {
    for (int i = 0; i != count; ++i) {
      SentPacket p;
      p.sent_at = at;
      p.bytes = 1000;
      p.flags = flags;
      recovery.on_sent(p);
    }
  }
  AckOutcome ack(Instant at, std::vector<std::pair<std::uint64_t, std::uint64_t>> newest_first) {
    std::vector<wire::PacketRange> ranges;
    for (const auto& [first, last] : newest_first) ranges.push_back({PacketNumber(first), PacketNumber(last)});
    const AckOutcome outcome = recovery.on_ack(at, ranges, recorder);
    if (!outcome.breach) recovery.check_invariants();
    return outcome;
  }
  LossOutcome detect(Instant at) {
    const LossOutcome outcome = recovery.detect_lost(at, rtt, recorder);
    recovery.check_invariants();
    return outcome;
  }

  LossRecovery recovery{1U << 17};
  RttEstimator rtt{10ms};
  Recorder recorder;
};

TEST_F(LossRecoveryTest, AcknowledgedBytesLeaveFlightOnce) {
  send(kStart, 10);
  EXPECT_EQ(recovery.bytes_in_flight(), 10'000U);
  EXPECT_EQ(ack(kStart + 5ms, {{0, 3}}).acked_bytes, 4000U);
  EXPECT_EQ(ack(kStart + 5ms, {{0, 3}}).acked_bytes, 0U);
  EXPECT_EQ(ack(kStart + 5ms, {{2, 5}}).acked_bytes, 2000U);
  EXPECT_EQ(recovery.bytes_in_flight(), 4000U);
  EXPECT_EQ(recorder.acked, (std::vector<std::uint64_t>{0, 1, 2, 3, 4, 5}));
}

TEST_F(LossRecoveryTest, ThreePacketsLaterIsLost) {
  send(kStart, 5);
  ack(kStart + 1ms, {{3, 3}});
  const LossOutcome outcome = detect(kStart + 1ms);
  EXPECT_EQ(recorder.lost, (std::vector<std::uint64_t>{0}));
  EXPECT_EQ(outcome.lost_bytes, 1000U);
  EXPECT_TRUE(outcome.congestion);
  EXPECT_FALSE(recovery.loss_time().is_never());  // 1 and 2 wait for their time
}

TEST_F(LossRecoveryTest, NineEighthsOfTheRoundTripLaterIsLost) {
  send(kStart, 2);
  rtt.on_sample(8ms, 0ms, 25ms);
  ack(kStart + 8ms, {{1, 1}});
  detect(kStart + 8ms);
  EXPECT_TRUE(recorder.lost.empty());
  EXPECT_EQ(recovery.loss_time(), kStart + 9ms);
  detect(kStart + 9ms);
  EXPECT_EQ(recorder.lost, (std::vector<std::uint64_t>{0}));
  EXPECT_TRUE(recovery.loss_time().is_never());
  EXPECT_EQ(recovery.bytes_in_flight(), 0U);
}

TEST_F(LossRecoveryTest, ASpuriousLossWidensTheThreshold) {
  send(kStart, 12);
  ack(kStart + 1ms, {{10, 10}});
  detect(kStart + 1ms);
  EXPECT_EQ(recorder.lost.size(), 8U);
  const AckOutcome late = ack(kStart + 2ms, {{0, 10}});
  EXPECT_EQ(recorder.spurious.size(), 8U);
  EXPECT_EQ(late.acked_bytes, 2000U);  // only what was still in flight
  EXPECT_EQ(recovery.packet_threshold(), 11U);
  recorder.lost.clear();
  send(kStart + 3ms, 10);
  ack(kStart + 4ms, {{20, 20}});
  detect(kStart + 4ms);
  EXPECT_TRUE(recorder.lost.empty());
}

TEST_F(LossRecoveryTest, AnAckOfWhatWasNeverSentIsABreach) {
  send(kStart, 3);
  EXPECT_TRUE(ack(kStart, {{0, 3}}).breach);
  recovery.skip_number(kStart);
  send(kStart, 2);
  EXPECT_TRUE(ack(kStart, {{0, 4}}).breach);
}

TEST_F(LossRecoveryTest, ASkippedNumberBetweenHonestRangesIsNoBreachAndNeverLost) {
  send(kStart, 3);
  recovery.skip_number(kStart);
  send(kStart, 10);
  EXPECT_FALSE(ack(kStart + 1ms, {{4, 13}, {0, 2}}).breach);
  detect(kStart + 1s);
  EXPECT_TRUE(recorder.lost.empty());
  recovery.forget_old(kStart + 2s, 100ms);
  EXPECT_EQ(recovery.packets().first(), 14U);
}

TEST_F(LossRecoveryTest, ProbeTimeoutDoublesAndStartsOverAfterAnAck) {
  EXPECT_TRUE(recovery.pto_deadline(rtt, 25ms).is_never());
  send(kStart);
  const Duration once = recovery.pto_deadline(rtt, 25ms) - kStart;
  EXPECT_EQ(once, Duration(10ms + 20ms + 25ms));
  recovery.on_pto();
  EXPECT_EQ(recovery.pto_deadline(rtt, 25ms) - kStart, 2 * once);
  recovery.on_pto();
  EXPECT_EQ(recovery.pto_deadline(rtt, 25ms) - kStart, 4 * once);
  recovery.reset_pto();
  EXPECT_EQ(recovery.pto_deadline(rtt, 25ms) - kStart, once);
}

TEST_F(LossRecoveryTest, PacketsThatWantNoAckAreNeitherInFlightNorLost) {
  send(kStart, 5, 0);
  EXPECT_EQ(recovery.bytes_in_flight(), 0U);
  EXPECT_TRUE(recovery.pto_deadline(rtt, 25ms).is_never());
  send(kStart, 5);
  ack(kStart + 1ms, {{9, 9}});
  detect(kStart + 1ms);
  EXPECT_EQ(recorder.lost, (std::vector<std::uint64_t>{5, 6}));
}

TEST_F(LossRecoveryTest, ALostMtuProbeIsNoCongestionAndNoWindow) {
  send(kStart, 1, SentPacket::kAckEliciting | SentPacket::kMtuProbe);
  EXPECT_EQ(recovery.bytes_in_flight(), 0U);
  send(kStart, 4);
  ack(kStart + 1ms, {{1, 4}});
  const LossOutcome outcome = detect(kStart + 1ms);
  EXPECT_EQ(recorder.lost, (std::vector<std::uint64_t>{0}));
  EXPECT_FALSE(outcome.congestion);
}

TEST_F(LossRecoveryTest, TheLongestRunOfLossesSpansOnlyUnacknowledgedPackets) {
  send(kStart);
  send(kStart + 100ms);
  send(kStart + 200ms);  // acknowledged: it ends the first run
  send(kStart + 300ms);
  send(kStart + 700ms);
  send(kStart + 800ms, 5);
  ack(kStart + 900ms, {{5, 9}, {2, 2}});
  EXPECT_EQ(detect(kStart + 900ms).longest_run, Duration(400ms));
}

TEST_F(LossRecoveryTest, DeliveryRateCountsEverythingBetweenSendingAndAck) {
  send(kStart, 100);
  EXPECT_EQ(ack(kStart + 100ms, {{0, 99}}).rate, 1'000'000U);
}

TEST_F(LossRecoveryTest, AWindowOfAHundredThousandPacketsIsCheapToAcknowledge) {
  constexpr std::uint64_t kWindow = 100'000;
  send(kStart, kWindow);
  EXPECT_EQ(recovery.bytes_in_flight(), kWindow * 1000);
  // One hole at the bottom keeps every record; each ACK repeats the whole range above it.
  for (std::uint64_t last = 1; last < kWindow; last += 2) {
    const wire::PacketRange range{PacketNumber(1), PacketNumber(last)};
    recovery.on_ack(kStart + 1ms, {&range, 1}, recorder);
  }
  const wire::PacketRange rest{PacketNumber(1), PacketNumber(kWindow - 1)};
  recovery.on_ack(kStart + 1ms, {&rest, 1}, recorder);
  EXPECT_EQ(recovery.bytes_in_flight(), 1000U);
  recovery.check_invariants();
}

TEST_F(LossRecoveryTest, HistoryNeverKeepsNewPacketsFromBeingSent) {
  LossRecovery small(64);
  SentPacket p;
  p.sent_at = kStart;
  p.bytes = 1000;
  p.flags = SentPacket::kData | SentPacket::kAckEliciting;
  for (int i = 0; i != 60; ++i) small.on_sent(p);
  const wire::PacketRange last{PacketNumber(59), PacketNumber(59)};
  small.on_ack(kStart, {&last, 1}, recorder);
  small.detect_lost(kStart, rtt, recorder);
  EXPECT_EQ(small.room(), 4U);
  small.forget_old(kStart, 10s);  // the lost ones are young, and still they go: all but 57 and 58, which are in flight
  EXPECT_EQ(small.room(), 61U);
}

TEST_F(LossRecoveryTest, EveryRandomHistoryBalances) {
  std::uint64_t x = 88172645463325252ULL;
  const auto random = [&x](std::uint64_t bound) {
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return x % bound;
  };
  Instant now = kStart;
  std::map<std::uint64_t, int> ends;
  for (int round = 0; round != 3000; ++round) {
    now += std::chrono::microseconds(random(3000));
    send(now, static_cast<int>(random(5)));
    if (recovery.next_number() != 0 && random(3) == 0) {
      const std::uint64_t last = random(recovery.next_number());
      const std::uint64_t first = last - std::min(last, random(10));
      ack(now, {{first, last}});
    }
    detect(now);
    recovery.forget_old(now, 20ms);
    recovery.check_invariants();
  }
  for (const std::uint64_t pn : recorder.acked) EXPECT_EQ(++ends[pn], 1) << pn;  // acknowledged at most once
}

}  // namespace
}  // namespace peernet::transport
