#include "swarm/source_score.hpp"

#include <gtest/gtest.h>

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
