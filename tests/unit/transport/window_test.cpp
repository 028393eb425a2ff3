// CUBIC, HyStart++ and the pacer: what decides how much may be in flight, and how fast it leaves.
#include <gtest/gtest.h>

#include <cmath>
#include <utility>

#include "transport/cubic.hpp"
#include "transport/pacer.hpp"

namespace peernet::transport {
namespace {

constexpr Instant kStart = Instant::from_ns(1'000'000'000);
constexpr std::uint32_t kDatagram = 1200;

AckSample sample(Instant now, std::uint64_t bytes, Duration rtt, bool limited = true) {
  static std::uint64_t pn = 0;
  pn += 10;
  return {.now = now,
          .acked_bytes = bytes,
          .largest_sent_at = now - rtt,
          .largest_acked = pn,
          .next_packet = pn + 10,
          .rtt_sample = rtt,
          .smoothed_rtt = rtt,
          .window_limited = limited};
}

TEST(Cubic, SlowStartDoublesPerRoundTripUpToTheBound) {
  Cubic cubic({kDatagram, 1U << 20});
  EXPECT_EQ(cubic.window(), initial_window(kDatagram));
  const std::uint64_t before = cubic.window();
  cubic.on_ack(sample(kStart, before, 20ms));
  EXPECT_EQ(cubic.window(), 2 * before);
  for (int i = 0; i != 20; ++i) cubic.on_ack(sample(kStart, cubic.window(), 20ms));
  EXPECT_EQ(cubic.window(), 1U << 20);
}

// Sixteen packets that left at once on a path of 200 ms and are spread by that much when they arrive.
void burst(Cubic& cubic, Duration spread) {
  for (int i = 0; i != 16; ++i) {
    const Duration rtt = 200ms + spread * i / 15;
    cubic.on_ack(sample(kStart + rtt, kDatagram, rtt));
  }
}

TEST(Cubic, OnLongRoundTripsTheFirstBurstTellsHalfOfWhatThePathTakes) {
  const std::uint64_t first = initial_window(kDatagram);
  for (const auto& [spread, datagrams] :
       {std::pair{1ms, 16 * 32}, std::pair{4ms, 15 * 25}, std::pair{15ms, 15 * 200 / 30}, std::pair{40ms, 32 + 17},
        std::pair{100ms, 32 + 17}}) {
    Cubic cubic({kDatagram, 64U << 20});
    burst(cubic, spread);
    EXPECT_EQ(cubic.window(), first + 16 * kDatagram) << "it is not over yet";
    cubic.on_ack(sample(kStart + 230ms, kDatagram, 220ms));
    EXPECT_EQ(cubic.window(), static_cast<std::uint64_t>(datagrams) * kDatagram) << spread.count();
  }
}

TEST(Cubic, WhatTheFirstBurstHasToldIsNotHurriedBeyond) {
  Cubic cubic({kDatagram, 64U << 20});
  burst(cubic, 15ms);
  cubic.on_ack(sample(kStart + 230ms, kDatagram, 220ms));
  const std::uint64_t told = cubic.window();
  cubic.on_ack(sample(kStart + 400ms, told, 200ms));
  EXPECT_EQ(cubic.window(), 2 * told);
}

TEST(Cubic, WithoutABurstSlowStartGrowsFourfoldUpToABoundWhileThereIsNoQueue) {
  Cubic cubic({kDatagram, 64U << 20});
  const std::uint64_t first = cubic.window();
  for (int i = 0; i != 8; ++i) cubic.on_ack(sample(kStart + 200ms, kDatagram, 200ms));  // too few to tell
  cubic.on_ack(sample(kStart + 230ms, kDatagram, 220ms));
  EXPECT_EQ(cubic.window(), first + 9 * kDatagram);
  cubic.on_ack(sample(kStart + 400ms, 10 * kDatagram, 212ms));
  EXPECT_EQ(cubic.window(), first + 39 * kDatagram);
  cubic.on_ack(sample(kStart + 400ms, kDatagram, 213ms));  // a queue
  EXPECT_EQ(cubic.window(), first + 40 * kDatagram);
  while (cubic.window() < Cubic::kMostHurried) cubic.on_ack(sample(kStart + 600ms, kDatagram, 200ms));
  const std::uint64_t before = cubic.window();
  cubic.on_ack(sample(kStart + 800ms, before, 200ms));
  EXPECT_EQ(cubic.window(), 2 * before);
}

TEST(Cubic, OnceHurriedAQueueSlowsItDownWithinTheRound) {
  Cubic cubic({kDatagram, 64U << 20});
  burst(cubic, 4ms);
  cubic.on_ack(sample(kStart + 230ms, kDatagram, 220ms));
  for (int i = 0; i != Cubic::kQueuedSamples; ++i) cubic.on_ack(sample(kStart + 300ms, kDatagram, 230ms));
  const std::uint64_t before = cubic.window();
  cubic.on_ack(sample(kStart + 300ms, 40 * kDatagram, 230ms));
  EXPECT_EQ(cubic.window(), before + 10 * kDatagram);
  cubic.on_ack(sample(kStart + 300ms, 40 * kDatagram, 220ms));
  EXPECT_EQ(cubic.window(), before + 50 * kDatagram);
}

TEST(Cubic, AfterALossNothingIsHurried) {
  Cubic cubic({kDatagram, 64U << 20});
  for (int i = 0; i != 3; ++i) cubic.on_ack(sample(kStart, cubic.window(), 200ms));
  cubic.on_congestion({kStart + 1ms, kStart, false});
  cubic.on_persistent_congestion();  // slow start up to the threshold
  const std::uint64_t least = cubic.window();
  ASSERT_TRUE(cubic.in_slow_start());
  cubic.on_ack(sample(kStart + 1s, least, 200ms));
  EXPECT_EQ(cubic.window(), 2 * least);
}

TEST(Cubic, TheFirstWindowIsOfThePathsDatagrams) {
  Cubic cubic({kDatagram, 64U << 20});
  cubic.set_datagram_bytes(1472);
  EXPECT_EQ(cubic.window(), initial_window(1472));
  cubic.on_ack(sample(kStart, 1472, 20ms));
  const std::uint64_t grown = cubic.window();
  cubic.set_datagram_bytes(9000);
  EXPECT_EQ(cubic.window(), grown);
}

TEST(Cubic, AnUnusedWindowDoesNotGrow) {
  Cubic cubic({kDatagram, 1U << 20});
  const std::uint64_t before = cubic.window();
  cubic.on_ack(sample(kStart, before, 50ms, false));
  EXPECT_EQ(cubic.window(), before);
}

TEST(Cubic, OneReductionPerRoundTripToSevenTenths) {
  Cubic cubic({kDatagram, 64U << 20});
  for (int i = 0; i != 5; ++i) cubic.on_ack(sample(kStart, cubic.window(), 50ms));
  const std::uint64_t before = cubic.window();
  EXPECT_TRUE(cubic.on_congestion({kStart + 50ms, kStart + 1ms, false}));
  EXPECT_NEAR(static_cast<double>(cubic.window()), 0.7 * static_cast<double>(before), 2);
  EXPECT_FALSE(cubic.on_congestion({kStart + 51ms, kStart + 2ms, false}));  // sent before the reaction
  EXPECT_TRUE(cubic.on_congestion({kStart + 120ms, kStart + 60ms, true}));
  EXPECT_FALSE(cubic.in_slow_start());
}

TEST(Cubic, ComesBackToTheOldWindowAfterKSeconds) {
  Cubic cubic({kDatagram, 64U << 20});
  for (int i = 0; i != 7; ++i) cubic.on_ack(sample(kStart, cubic.window(), 50ms));
  const double old_window = static_cast<double>(cubic.window());
  cubic.on_congestion({kStart, kStart - 10ms, false});
  const double k = cubic.plateau_seconds();
  EXPECT_NEAR(k, std::cbrt(0.3 * old_window / kDatagram / 0.4), 0.01);  // RFC 9438 (2)
  Instant now = kStart + 60ms;
  double at_half = 0;
  while (now < kStart + Duration(static_cast<std::int64_t>(k * 1e9))) {
    cubic.on_ack(sample(now, cubic.window(), 50ms));
    if (now < kStart + Duration(static_cast<std::int64_t>(k * 5e8))) at_half = static_cast<double>(cubic.window());
    now += 50ms;
  }
  EXPECT_NEAR(static_cast<double>(cubic.window()), old_window, 0.05 * old_window);
  EXPECT_GT(at_half, 0.9 * old_window);  // concave: most of it comes back early
}

TEST(Cubic, ASpuriousReductionIsTakenBackAndAMarkIsNot) {
  Cubic cubic({kDatagram, 64U << 20});
  for (int i = 0; i != 5; ++i) cubic.on_ack(sample(kStart, cubic.window(), 50ms));
  const std::uint64_t before = cubic.window();
  cubic.on_congestion({kStart + 50ms, kStart + 1ms, false});
  cubic.on_spurious_congestion();
  EXPECT_EQ(cubic.window(), before);
  cubic.on_congestion({kStart + 150ms, kStart + 101ms, true});
  cubic.on_spurious_congestion();
  EXPECT_LT(cubic.window(), before);
}

TEST(Cubic, NeverBelowTwoDatagrams) {
  Cubic cubic({kDatagram, 64U << 20});
  cubic.on_persistent_congestion();
  EXPECT_EQ(cubic.window(), 2U * kDatagram);
  cubic.set_datagram_bytes(65507);
  EXPECT_EQ(cubic.window(), 2U * 65507);
}

TEST(HyStart, LeavesSlowStartWhenTheRoundTripGrowsAndNotBefore) {
  const auto rounds = [](Duration growth) {
    HyStart h;
    std::uint64_t pn = 0;
    Duration rtt = 40ms;
    for (int round = 0; round != 12; ++round) {
      for (int i = 0; i != 10; ++i, ++pn) h.on_ack(pn + 1, pn + 11, rtt);
      rtt += growth;
    }
    return h.phase();
  };
  EXPECT_EQ(rounds(0ms), HyStart::Phase::kSlowStart);
  EXPECT_EQ(rounds(1ms), HyStart::Phase::kSlowStart);  // below the threshold of a round: 5 ms
  EXPECT_EQ(rounds(8ms), HyStart::Phase::kDone);
}

TEST(HyStart, JitterThatPassesGoesBackToSlowStart) {
  HyStart h;
  std::uint64_t pn = 0;
  const auto round = [&](Duration rtt) {
    for (int i = 0; i != 10; ++i, ++pn) h.on_ack(pn + 1, pn + 11, rtt);
  };
  round(40ms);
  round(40ms);
  round(60ms);
  EXPECT_EQ(h.phase(), HyStart::Phase::kConservative);
  round(40ms);
  round(40ms);
  EXPECT_EQ(h.phase(), HyStart::Phase::kSlowStart);
}

TEST(Pacer, ShortRoundTripsAndSmallWindowsAreNotPaced) {
  EXPECT_FALSE(Pacer::paced({.window = 4U << 20, .smoothed_rtt = 500us, .datagram_bytes = 1472}));
  EXPECT_FALSE(Pacer::paced({.window = 4 * 1472, .smoothed_rtt = 100ms, .datagram_bytes = 1472}));
  EXPECT_TRUE(Pacer::paced({.window = 4U << 20, .smoothed_rtt = 20ms, .datagram_bytes = 1472}));
}

TEST(Pacer, TheFirstPacketsLeaveAtOnceAndTheRestOfTheWindowDoesNot) {
  const Pacer::Path path{.window = 47104, .smoothed_rtt = 200ms, .datagram_bytes = 1472, .slow_start = true};
  Pacer pacer;
  pacer.on_sent(kStart, path, 600);  // small ones before
  const std::uint64_t burst = pacer.allowed(kStart + 1s, path);
  EXPECT_EQ(burst, std::uint64_t{Pacer::kFirstBurst} * 1472 - 600);
  EXPECT_EQ(pacer.next(kStart + 1s, path), kStart + 1s);
  pacer.on_sent(kStart + 1s, path, burst);
  EXPECT_EQ(pacer.allowed(kStart + 1s, path), 0u);
  EXPECT_GT(pacer.next(kStart + 1s, path), kStart + 1s);
}

TEST(Pacer, OverTimeTheRateIsOneAndAQuarterWindowsPerRoundTrip) {
  const Pacer::Path path{.window = 1'000'000, .smoothed_rtt = 100ms, .datagram_bytes = 1250};
  Pacer pacer;
  std::uint64_t sent = 0;
  int bursts = 0;
  for (Instant now = kStart; now < kStart + 1s;) {
    const std::uint64_t allowed = pacer.allowed(now, path);
    if (allowed == 0) {
      const Instant next = pacer.next(now, path);
      ASSERT_GT(next, now);
      now = next;
      ASSERT_GT(pacer.allowed(now, path), 0U);  // the time it named is enough: no timer loop
      continue;
    }
    pacer.on_sent(now, path, allowed);
    sent += allowed;
    ++bursts;
  }
  EXPECT_NEAR(static_cast<double>(sent), 12.5e6, 0.2e6);
  EXPECT_LE(bursts, 1010);  // one a millisecond, not one a packet (10,000)
}

TEST(Pacer, ALateTimerCatchesUpAtMostTwoMilliseconds) {
  const Pacer::Path path{.window = 10'000'000, .smoothed_rtt = 100ms, .datagram_bytes = 1250};
  Pacer pacer;
  pacer.on_sent(kStart, path, 1000);
  EXPECT_LE(pacer.allowed(kStart + 10s, path), static_cast<std::uint64_t>(Pacer::rate(path) * 0.002) + 1);
}

}  // namespace
}  // namespace peernet::transport
