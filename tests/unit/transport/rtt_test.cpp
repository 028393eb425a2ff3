#include "transport/rtt.hpp"

#include <gtest/gtest.h>

namespace peernet::transport {
namespace {

TEST(Rtt, FirstSampleReplacesTheInitialGuess) {
  RttEstimator rtt(100ms);
  EXPECT_FALSE(rtt.has_sample());
  EXPECT_EQ(rtt.smoothed(), Duration(100ms));
  EXPECT_EQ(rtt.variance(), Duration(50ms));
  rtt.on_sample(20ms, 5ms, 25ms);  // no delay is taken off the first one (RFC 9002 5.3)
  EXPECT_EQ(rtt.smoothed(), Duration(20ms));
  EXPECT_EQ(rtt.variance(), Duration(10ms));
  EXPECT_EQ(rtt.minimum(), Duration(20ms));
}

TEST(Rtt, SmoothsWithSevenEighthsAndTakesOffTheAckDelay) {
  RttEstimator rtt(100ms);
  rtt.on_sample(80ms, 0ms, 25ms);
  rtt.on_sample(120ms, 16ms, 25ms);  // adjusted 104 ms
  EXPECT_EQ(rtt.smoothed(), Duration(83ms));
  EXPECT_EQ(rtt.variance(), Duration(36ms));
}

TEST(Rtt, DelayIsCappedByThePromiseAndNeverGoesBelowTheMinimum) {
  RttEstimator rtt(100ms);
  rtt.on_sample(80ms, 0ms, 25ms);
  rtt.on_sample(160ms, 100s, 40ms);  // a peer that lies about its delay: 40 ms at most
  EXPECT_EQ(rtt.smoothed(), Duration(85ms));
  RttEstimator other(100ms);
  other.on_sample(80ms, 0ms, 25ms);
  other.on_sample(88ms, 25ms, 25ms);  // 63 ms would be below the minimum: taken as it is
  EXPECT_EQ(other.smoothed(), Duration(81ms));
}

TEST(Rtt, MinimumFollowsAndIsForgottenOnDemand) {
  RttEstimator rtt(100ms);
  rtt.on_sample(30ms, 0ms, 25ms);
  rtt.on_sample(10ms, 0ms, 25ms);
  rtt.on_sample(50ms, 0ms, 25ms);
  EXPECT_EQ(rtt.minimum(), Duration(10ms));
  rtt.forget_minimum();
  EXPECT_EQ(rtt.minimum(), Duration(50ms));
}

TEST(Rtt, TimersNeverFallBelowTheGranularity) {
  RttEstimator rtt(100ms);
  for (int i = 0; i != 100; ++i) rtt.on_sample(50us, 0ms, 25ms);
  EXPECT_EQ(rtt.loss_delay(), kGranularity);
  EXPECT_GE(rtt.probe_timeout(0ms), kGranularity);
  rtt.on_sample(0ns, 0ms, 25ms);  // a clock that stands still
  EXPECT_GT(rtt.minimum(), 0ns);
}

TEST(Rtt, ResetKnowsNothing) {
  RttEstimator rtt(100ms);
  rtt.on_sample(10ms, 0ms, 25ms);
  rtt.reset();
  EXPECT_FALSE(rtt.has_sample());
  EXPECT_EQ(rtt.smoothed(), Duration(100ms));
}

}  // namespace
}  // namespace peernet::transport
