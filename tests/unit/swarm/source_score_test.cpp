#include "swarm/source_score.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace peernet::swarm {
namespace {

Instant at(Duration d) {
  return Instant::from_ns(d.count());
}

TEST(SourceScore, MeasuresARateOverItsWindow) {
  SourceScore s;
  s.start(at(0s));
  s.on_request(at(0s), 10'000'000);
  for (int ms = 1; ms <= 500; ++ms) s.on_data(at(std::chrono::milliseconds(ms)), 10'000);
  EXPECT_NEAR(s.rate(), 10e6, 0.5e6);
}

// The window is the credit for what leaves one round trip later, when its sender's window has grown.
TEST(SourceScore, TheWindowOfAFarSourceKeepsAheadOfItsSlowStart) {
  constexpr double kRoundTrip = 0.2;
  SourceScore s;
  s.start(at(0s));
  s.set_rtt(200ms, 200ms);
  s.on_request(at(0s), 100'000'000);
  double cwnd = 47'100;
  for (int round = 0; round < 3; ++round) {
    constexpr int kBatches = 20;  // in the first half of the round trip
    for (int i = 0; i < kBatches; ++i) {
      const double seconds = kRoundTrip * (round + 1 + 0.5 * i / kBatches);
      s.on_data(at(Duration(static_cast<std::int64_t>(seconds * 1e9))), static_cast<std::uint32_t>(cwnd / kBatches));
    }
    const double next = std::min((round == 0 ? 16 : 4) * cwnd, 1.25e6);
    EXPECT_GE(static_cast<double>(s.window()), next) << "round " << round;
    cwnd = next;
  }
}

TEST(SourceScore, AKnownSourceHoldsOneAndAHalfRoundTripsAndTwentyMilliseconds) {
  SourceScore s;
  s.start(at(0s));
  s.set_rtt(200ms, 200ms);
  s.on_request(at(0s), 100'000'000);
  for (int ms = 1; ms <= 2'000; ++ms) s.on_data(at(std::chrono::milliseconds(ms)), 6'000);
  EXPECT_NEAR(static_cast<double>(s.window()), 6e6 * 0.32, 6e4);
}

TEST(SourceScore, BacksOffExponentiallyWithJitterAndIsForgivenByData) {
  SourceScore s;
  Rng rng(1);
  s.start(at(0s));
  Duration previous{0};
  Instant now = at(0s);
  for (int i = 0; i < 5; ++i) {
    s.on_failure(now, rng);
    const Duration pause = s.suspended_until() - now;
    EXPECT_GT(pause, previous);
    EXPECT_TRUE(s.suspended(now));
    previous = pause;
    now = s.suspended_until();
  }
  for (int i = 0; i < 20; ++i) s.on_failure(now, rng);
  EXPECT_LE(s.suspended_until() - now, 10s);
  s.on_request(now, 100);
  s.on_data(now, 100);
  EXPECT_FALSE(s.suspended(now));
  EXPECT_EQ(s.failures(), 0);
}

TEST(SourceScore, StallsOnlyWithSomethingOutstanding) {
  SourceScore s;
  s.start(at(0s));
  EXPECT_TRUE(s.stall_at().is_never());
  s.on_request(at(5s), 100);
  EXPECT_EQ(s.stall_at(), at(5s) + s.stall_patience());
  s.on_data(at(5s), 100);
  EXPECT_TRUE(s.stall_at().is_never());
}

}  // namespace
}  // namespace peernet::swarm
