#include "node/shared_limit.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "base/rng.hpp"

namespace peernet::node {
namespace {

constexpr Instant kStart = Instant::from_ns(1'000'000'000);

// Shards that always have something to send, each looked at when the limit says so and a little late, for 10 s.
std::uint64_t sent_in_ten_seconds(SharedLimit& limit, std::size_t shards, Duration late, std::uint64_t seed) {
  Rng rng(seed);
  std::vector<Instant> wakes(shards, kStart);
  std::uint64_t sent = 0;
  while (true) {
    auto next = std::ranges::min_element(wakes);
    const Instant now = *next;
    if (now >= kStart + 10s) return sent;
    // As many trains as it may; each train takes 1 us.
    std::uint64_t trains = 0;
    while (const std::uint64_t bytes = limit.grant(now)) {
      limit.take(now, bytes);
      sent += bytes;
      if (++trains == 64) break;
    }
    const auto delay = Duration(1000 + static_cast<std::int64_t>(rng.below(static_cast<std::uint64_t>(late.count()))));
    *next = std::max(limit.ready_at(now), now) + delay;
  }
}

TEST(SharedLimit, IsKeptWithinTwoPercentOverTenSeconds) {
  for (const std::uint64_t rate : {65'536ull, 1'000'000ull, 10'000'000ull, 50'000'000ull, 1'000'000'000ull}) {
    for (const std::size_t shards : {1u, 2u, 8u}) {
      SharedLimit limit(rate);
      const std::uint64_t sent = sent_in_ten_seconds(limit, shards, 2ms, rate + shards);
      EXPECT_NEAR(static_cast<double>(sent), static_cast<double>(rate) * 10, static_cast<double>(rate) * 10 * 0.02)
          << rate << " bytes/s, " << shards << " shards";
    }
  }
}

TEST(SharedLimit, TurnsThatAreLateLoseNothing) {
  SharedLimit limit(50'000'000);
  EXPECT_NEAR(static_cast<double>(sent_in_ten_seconds(limit, 2, 40ms, 1)), 500e6, 10e6);
}

TEST(SharedLimit, WhatDoesNotComeMayBeAskedForAgain) {
  SharedLimit limit(1'000'000);
  limit.take(kStart, 200'000);
  EXPECT_FALSE(limit.ready(kStart + 100ms));
  limit.give_back(kStart + 100ms, 200'000);
  EXPECT_TRUE(limit.ready(kStart + 100ms));
  limit.give_back(kStart + 100ms, 1u << 30);  // never more than is saved up
  limit.take(kStart + 100ms, 50'001);
  EXPECT_FALSE(limit.ready(kStart + 100ms));
}

TEST(SharedLimit, NoLimitIsNone) {
  SharedLimit limit(0);
  limit.take(kStart, 1u << 30);
  EXPECT_EQ(limit.grant(kStart), UINT64_MAX);
  EXPECT_EQ(limit.ready_at(kStart), kStart);
}

}  // namespace
}  // namespace peernet::node
