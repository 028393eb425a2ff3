#include "transport/mtu_search.hpp"

#include <gtest/gtest.h>

namespace peernet::transport {
namespace {

constexpr Instant kStart = Instant::from_ns(1'000'000'000);

/// Answers probes as a path of this size would; returns how many were sent.
int search(MtuSearch& mtu, std::uint32_t path, Instant& now) {
  int probes = 0;
  while (const std::uint32_t size = mtu.probe_size(now)) {
    ++probes;
    mtu.on_probe_sent();
    EXPECT_EQ(mtu.probe_size(now), 0U);  // one at a time
    if (size <= path) {
      mtu.on_probe_acked(now, size);
    } else {
      mtu.on_probe_lost(now);
    }
    now += 1ms;
    if (probes > 100) break;
  }
  return probes;
}

TEST(MtuSearch, TheMaximumIsTriedFirst) {
  MtuSearch mtu(65507, true);
  Instant now = kStart;
  EXPECT_EQ(mtu.current(), MtuSearch::kBase);
  EXPECT_EQ(search(mtu, 65507, now), 1);
  EXPECT_EQ(mtu.current(), 65507U);
  EXPECT_TRUE(mtu.next_probe_at().is_never());
}

TEST(MtuSearch, FindsAnyPathWithinSixteenBytes) {
  for (std::uint32_t path = 1200; path <= 9000; path += 37) {
    MtuSearch mtu(8972, true);
    Instant now = kStart;
    EXPECT_LE(search(mtu, path, now), 3 * 13);
    EXPECT_LE(mtu.current(), std::max(path, 1200U));
    EXPECT_GE(mtu.current() + MtuSearch::kCloseEnough, std::min(path, 8972U));
  }
}

TEST(MtuSearch, OneLostProbeIsNoAnswer) {
  MtuSearch mtu(1472, true);
  mtu.on_probe_sent();
  mtu.on_probe_lost(kStart);
  EXPECT_EQ(mtu.probe_size(kStart), 1472U);
}

TEST(MtuSearch, DisabledStaysAtTheBase) {
  MtuSearch mtu(9000, false);
  EXPECT_EQ(mtu.probe_size(kStart), 0U);
  EXPECT_TRUE(mtu.next_probe_at().is_never());
}

TEST(MtuSearch, ASmallerLimitOfThePeerHolds) {
  MtuSearch mtu(9000, true);
  mtu.set_limit(1300);
  Instant now = kStart;
  search(mtu, 9000, now);
  EXPECT_EQ(mtu.current(), 1300U);
}

TEST(MtuSearch, ABlackHoleFallsBackAndSearchesAgainLater) {
  MtuSearch mtu(1472, true);
  Instant now = kStart;
  search(mtu, 1472, now);
  EXPECT_FALSE(mtu.on_large_lost_round(now));
  mtu.on_large_acked();
  EXPECT_FALSE(mtu.on_large_lost_round(now));
  EXPECT_FALSE(mtu.on_large_lost_round(now));
  EXPECT_TRUE(mtu.on_large_lost_round(now));
  EXPECT_EQ(mtu.current(), MtuSearch::kBase);
  EXPECT_EQ(mtu.probe_size(now), 0U);
  now = mtu.next_probe_at();
  search(mtu, 1400, now);
  EXPECT_LE(mtu.current(), 1400U);
  EXPECT_GE(mtu.current(), 1384U);
}

TEST(MtuSearch, TheKernelsRefusalCountsAtOnce) {
  MtuSearch mtu(9000, true);
  mtu.on_probe_sent();
  EXPECT_FALSE(mtu.on_too_big(kStart, 9000));
  EXPECT_LT(mtu.probe_size(kStart), 9000U);
  Instant now = kStart;
  search(mtu, 1472, now);
  EXPECT_TRUE(mtu.on_too_big(now, mtu.current()));
  EXPECT_EQ(mtu.current(), MtuSearch::kBase);
}

TEST(MtuSearch, AnIncompleteAnswerIsTriedAgainMuchLater) {
  MtuSearch mtu(9000, true);
  Instant now = kStart;
  search(mtu, 1472, now);
  const Instant again = mtu.next_probe_at();
  ASSERT_FALSE(again.is_never());
  EXPECT_GE(again, kStart + MtuSearch::kRaiseAfter);
  Instant later = again;
  search(mtu, 9000, later);
  EXPECT_EQ(mtu.current(), 9000U);
}

}  // namespace
}  // namespace peernet::transport
