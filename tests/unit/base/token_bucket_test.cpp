#include "base/token_bucket.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace peernet {
namespace {

Instant at(Duration d) {
  return Instant() + d;
}

TEST(TokenBucket, StartsFullAndNeverHoldsMoreThanItsBurst) {
  TokenBucket bucket(at(0s), {.per_second = 100, .burst = 10});
  EXPECT_FALSE(bucket.try_take(at(0s), 11));
  EXPECT_TRUE(bucket.try_take(at(0s), 10));
  EXPECT_FALSE(bucket.try_take(at(0s), 1));
  EXPECT_EQ(bucket.available(at(1h)), 10);
}

TEST(TokenBucket, ReadyAtIsTheFirstInstantThatWorks) {
  TokenBucket bucket(at(0s), {.per_second = 3, .burst = 10});
  bucket.take(at(0s), 10);
  const Instant ready = bucket.ready_at(at(0s), 1);
  EXPECT_EQ(ready.ns(), 333'333'334);
  EXPECT_FALSE(bucket.try_take(ready - Duration(1), 1));
  EXPECT_TRUE(bucket.try_take(ready, 1));
  EXPECT_TRUE(bucket.ready_at(at(0s), 11).is_never()) << "more than the burst never comes";
  EXPECT_EQ(bucket.ready_at(at(10s), 1), at(10s));
}

TEST(TokenBucket, ADebtIsPaidBeforeMoreIsGiven) {
  TokenBucket bucket(at(0s), {.per_second = 1000, .burst = 100});
  bucket.take(at(0s), 1100);
  EXPECT_EQ(bucket.available(at(0s)), -1000);
  EXPECT_FALSE(bucket.try_take(at(1s), 1));
  EXPECT_EQ(bucket.ready_at(at(1s), 50), at(1050ms));
  EXPECT_TRUE(bucket.try_take(at(1050ms), 50));
}

TEST(TokenBucket, TimeThatGoesBackGivesNothing) {
  TokenBucket bucket(at(10s), {.per_second = 10, .burst = 10});
  bucket.take(at(10s), 10);
  EXPECT_FALSE(bucket.try_take(at(9s), 1));
  EXPECT_FALSE(bucket.try_take(at(10s), 1)) << "the way back to 10 s is not paid twice";
}

TEST(TokenBucket, ANewRateHoldsFromNowOn) {
  TokenBucket bucket(at(0s), {.per_second = 10, .burst = 100});
  bucket.take(at(0s), 100);
  bucket.configure(at(1s), {.per_second = 1000, .burst = 50});
  EXPECT_EQ(bucket.available(at(1s)), 10);
  EXPECT_EQ(bucket.available(at(2s)), 50);
}

/// 10 s at each rate, asked at odd moments in portions of all sizes: what is given is rate x time to within 2 % (to a
/// portion where the rate is tiny).
TEST(TokenBucket, IsExactOverTenSeconds) {
  for (const std::uint64_t rate : {7ULL, 1'000ULL, 1'234'567ULL, 125'000'000ULL, 12'500'000'000ULL}) {
    for (const std::uint64_t portion : {1ULL, 1'400ULL, 65'536ULL}) {
      if (rate < portion) continue;
      TokenBucket bucket(at(0s), {.per_second = rate, .burst = std::max<std::uint64_t>(portion, rate / 100)});
      bucket.take(at(0s), std::max<std::uint64_t>(portion, rate / 100));
      std::uint64_t given = 0;
      for (Duration t = 0s; t < 10s; t += Duration(1'000'003 + (t.count() % 977) * 1000)) {
        const auto there = bucket.available(at(t));
        const std::uint64_t whole = there < 0 ? 0 : static_cast<std::uint64_t>(there) / portion * portion;
        ASSERT_TRUE(bucket.try_take(at(t), whole));
        given += whole;
      }
      const double expected = 10.0 * static_cast<double>(rate);
      EXPECT_NEAR(static_cast<double>(given), expected, std::max(expected * 0.02, static_cast<double>(2 * portion)))
          << "rate " << rate << " portion " << portion;
    }
  }
}

TEST(TokenBucket, LosesNothingWhenAskedEveryNanosecond) {
  TokenBucket bucket(at(0s), {.per_second = 333'333'333, .burst = 100});
  bucket.take(at(0s), 100);
  std::uint64_t given = 0;
  for (std::int64_t ns = 1; ns <= 30'000; ++ns) given += bucket.try_take(Instant::from_ns(ns), 1) ? 1U : 0U;
  EXPECT_EQ(given, 9'999u) << "floor(30 us x rate)";
}

}  // namespace
}  // namespace peernet
