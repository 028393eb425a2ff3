#include "swarm/spread.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "base/rng.hpp"

namespace peernet::swarm {
namespace {

constexpr Instant kStart = Instant::from_ns(5'000'000'000);

TEST(Spread, AnotherReceiverIsRefusedAChunkForASecondWhileOthersAreFresh) {
  Spread spread(10);
  spread.on_receiver();
  spread.on_receiver();
  EXPECT_FALSE(spread.refuses(kStart, ChunkIndex(3), 1));
  spread.on_given(kStart, ChunkIndex(3), 1);
  EXPECT_EQ(spread.fresh(), 9u);
  EXPECT_TRUE(spread.refuses(kStart, ChunkIndex(3), 2));
  EXPECT_TRUE(spread.refuses(kStart + 800ms, ChunkIndex(3), 2));
  EXPECT_FALSE(spread.refuses(kStart + 1s, ChunkIndex(3), 2));
  EXPECT_FALSE(spread.refuses(kStart, ChunkIndex(4), 2));
}

TEST(Spread, WhoIsBeingGivenAChunkIsGivenAllOfIt) {
  Spread spread(10);
  spread.on_receiver();
  spread.on_receiver();
  spread.on_given(kStart, ChunkIndex(3), 1);
  EXPECT_FALSE(spread.refuses(kStart, ChunkIndex(3), 1));
}

TEST(Spread, ALoneReceiverIsNeverRefused) {
  Spread spread(10);
  spread.on_receiver();
  spread.on_given(kStart, ChunkIndex(3), 7);  // to one that has gone since
  EXPECT_FALSE(spread.refuses(kStart, ChunkIndex(3), 1));
  spread.on_receiver();
  EXPECT_TRUE(spread.refuses(kStart, ChunkIndex(3), 1));
  spread.on_receiver_gone();
  EXPECT_FALSE(spread.refuses(kStart, ChunkIndex(3), 1));
}

TEST(Spread, OnceEveryChunkWasGivenNobodyIsRefused) {
  Spread spread(2);
  spread.on_receiver();
  spread.on_receiver();
  spread.on_given(kStart, ChunkIndex(0), 1);
  EXPECT_TRUE(spread.refuses(kStart, ChunkIndex(0), 2));
  spread.on_given(kStart, ChunkIndex(1), 2);
  EXPECT_EQ(spread.fresh(), 0u);
  EXPECT_FALSE(spread.refuses(kStart, ChunkIndex(0), 2));
}

TEST(Spread, NoTimeIsTakenForAnotherOne) {  // ticks run in a circle
  Spread spread(2);
  spread.on_receiver();
  spread.on_receiver();
  for (int i = 0; i < 600; ++i) {
    const Instant now = kStart + i * Spread::kTick;
    spread.on_given(now, ChunkIndex(0), 1);
    ASSERT_TRUE(spread.refuses(now, ChunkIndex(0), 2)) << i;
    ASSERT_TRUE(spread.refuses(now + 800ms, ChunkIndex(0), 2)) << i;
    ASSERT_FALSE(spread.refuses(now + 1s, ChunkIndex(0), 2)) << i;
    ASSERT_FALSE(spread.refuses(now + 30s, ChunkIndex(0), 2)) << i;
  }
}

// Eight receivers ask for chunks at random, two requests a chunk: until all were given, each goes out about once.
TEST(Spread, EightReceiversAreGivenDistinctChunksFirst) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    Rng rng(seed);
    constexpr std::uint32_t kChunks = 800;
    constexpr std::uint32_t kReceivers = 8;
    Spread spread(kChunks);
    for (std::uint32_t r = 0; r < kReceivers; ++r) spread.on_receiver();
    std::vector<std::vector<bool>> has(kReceivers, std::vector<bool>(kChunks));
    Instant now = kStart;
    std::uint32_t given = 0;
    std::uint32_t refused = 0;
    while (spread.fresh() > 0) {
      const auto r = static_cast<std::uint32_t>(rng.below(kReceivers));
      const auto chunk = static_cast<std::uint32_t>(rng.below(kChunks));
      if (has[r][chunk]) continue;
      if (spread.refuses(now, ChunkIndex(chunk), static_cast<Spread::Receiver>(r))) {
        ++refused;
        now += 10us;
        continue;
      }
      spread.on_given(now, ChunkIndex(chunk), static_cast<Spread::Receiver>(r));
      ASSERT_FALSE(spread.refuses(now + 300us, ChunkIndex(chunk), static_cast<Spread::Receiver>(r)));
      has[r][chunk] = true;
      ++given;
      now += 1ms;  // 1 MiB at 1 GB/s
    }
    EXPECT_LE(given, kChunks + kChunks / 20);
    EXPECT_GT(refused, 0u);
  }
}

TEST(Spread, AContentWithoutChunksIsNoTrouble) {
  const Spread spread(0);
  EXPECT_EQ(spread.fresh(), 0u);
}

}  // namespace
}  // namespace peernet::swarm
