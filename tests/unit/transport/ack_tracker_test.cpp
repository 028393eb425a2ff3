#include "transport/ack_tracker.hpp"

#include <gtest/gtest.h>

namespace peernet::transport {
namespace {

constexpr Instant kStart = Instant::from_ns(1'000'000'000);
constexpr Duration kRtt = 40ms;

ArrivedPacket packet(std::uint64_t pn) {
  return {.pn = pn, .bytes = 1000, .ack_eliciting = true};
}

TEST(AckTracker, InOrderPacketsWaitForAQuarterOfTheRoundTrip) {
  AckTracker acks;
  acks.on_packet(kStart, packet(0), kRtt);
  EXPECT_TRUE(acks.pending());
  EXPECT_FALSE(acks.due(kStart));
  EXPECT_EQ(acks.deadline(), kStart + 10ms);
  EXPECT_TRUE(acks.due(kStart + 10ms));
}

TEST(AckTracker, NoAckIsLaterThanThePromisedMaximum) {
  AckTracker acks;
  acks.on_packet(kStart, packet(0), 3s);
  EXPECT_EQ(acks.deadline(), kStart + AckTracker::kMaxDelay);
}

TEST(AckTracker, AQuarterOfTheWindowHintIsDueAtOnce) {
  AckTracker acks;
  acks.set_window_hint(40'000);
  for (std::uint64_t pn = 0; pn != 9; ++pn) acks.on_packet(kStart, packet(pn), kRtt);
  EXPECT_FALSE(acks.due(kStart));
  acks.on_packet(kStart, packet(9), kRtt);
  EXPECT_TRUE(acks.due(kStart));
  acks.on_ack_sent();
  acks.on_packet(kStart, packet(10), kRtt);
  EXPECT_FALSE(acks.due(kStart));
}

TEST(AckTracker, AckNowGapReorderingAndCongestionMarksAreDueAtOnce) {
  const auto after_first = [](ArrivedPacket p) {
    AckTracker acks;
    acks.on_packet(kStart, packet(5), kRtt);
    acks.on_ack_sent();
    acks.on_packet(kStart, p, kRtt);
    return acks.due(kStart);
  };
  EXPECT_FALSE(after_first(packet(6)));
  ArrivedPacket now = packet(6);
  now.ack_now = true;
  EXPECT_TRUE(after_first(now));
  EXPECT_TRUE(after_first(packet(7)));
  EXPECT_TRUE(after_first(packet(4)));
  ArrivedPacket marked = packet(6);
  marked.ecn = 3;
  EXPECT_TRUE(after_first(marked));
}

TEST(AckTracker, PacketsThatOnlyAcknowledgeNeverMakeAnAckDue) {
  AckTracker acks;
  for (std::uint64_t pn = 0; pn < 1000; pn += 3)
    acks.on_packet(kStart, {.pn = pn, .bytes = 50, .ack_eliciting = false}, kRtt);
  EXPECT_FALSE(acks.pending());
  EXPECT_TRUE(acks.deadline().is_never());
}

TEST(AckTracker, CountsMarksByKind) {
  AckTracker acks;
  for (std::uint8_t ecn = 0; ecn != 4; ++ecn) {
    ArrivedPacket p = packet(ecn);
    p.ecn = ecn;
    acks.on_packet(kStart, p, kRtt);
  }
  EXPECT_EQ(acks.ect1(), 1U);
  EXPECT_EQ(acks.ect0(), 1U);
  EXPECT_EQ(acks.ce(), 1U);
}

TEST(AckTracker, TellsHowManyRangesHaveChangedSinceTheLastAck) {
  AckTracker acks;
  for (const std::uint64_t pn : {0U, 10U, 20U, 30U}) acks.on_packet(kStart, packet(pn), kRtt);
  EXPECT_EQ(acks.unreported(), 4U);
  acks.on_ack_sent();
  EXPECT_EQ(acks.unreported(), 0U);
  acks.on_packet(kStart, packet(31), kRtt);
  EXPECT_EQ(acks.unreported(), 1U);
  acks.on_packet(kStart, packet(12), kRtt);  // a new range, third from the top
  EXPECT_EQ(acks.unreported(), 3U);
  acks.on_packet(kStart, packet(40), kRtt);
  EXPECT_EQ(acks.unreported(), 4U);
}

TEST(AckTracker, AnAcknowledgedAckNeedsNoRepetitionButTheTopRangeStays) {
  AckTracker acks;
  for (const std::uint64_t pn : {0U, 1U, 5U, 6U, 7U, 20U}) acks.on_packet(kStart, packet(pn), kRtt);
  acks.on_ack_acknowledged(6);
  ASSERT_EQ(acks.received().size(), 2U);
  EXPECT_EQ(acks.received().ranges()[0], (Range<std::uint64_t>{6, 8}));
  acks.on_ack_acknowledged(1000);
  ASSERT_EQ(acks.received().size(), 1U);
  EXPECT_EQ(acks.received().ranges()[0], (Range<std::uint64_t>{20, 21}));
}

TEST(AckTracker, RangesAreBoundedAndTheNewestStay) {
  AckTracker acks;
  for (std::uint64_t pn = 0; pn != 4000; pn += 2) acks.on_packet(kStart, packet(pn), kRtt);
  EXPECT_EQ(acks.received().size(), AckTracker::kMaxRanges);
  EXPECT_EQ(acks.received().highest().end, 3999U);
  EXPECT_LE(acks.unreported(), AckTracker::kMaxRanges);
}

}  // namespace
}  // namespace peernet::transport
