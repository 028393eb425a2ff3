// The swarm simulator's own promises, and small swarms in which nothing bad happens.
#include <gtest/gtest.h>

#include "crypto/hash.hpp"
#include "sim/swarm_suite.hpp"
#include "sim/swarm_world.hpp"

namespace peernet::sim {
namespace {

TEST(SwarmContent, ForgedBytesDifferAndHaveTheSameFastHash) {
  const SwarmContent content(7, 100'000, 16384, true);
  for (std::uint32_t c = 0; c < content.chunks(); ++c) {
    const std::vector<std::byte> forged = content.forged(ChunkIndex(c));
    const ByteSpan right = content.chunk(ChunkIndex(c));
    EXPECT_FALSE(std::equal(right.begin(), right.end(), forged.begin()));
    EXPECT_EQ(crypto::xxh3_128(forged), crypto::xxh3_128(right));
    EXPECT_NE(crypto::sha256(forged), crypto::sha256(right));
  }
}

TEST(SimDisk, APowerCutKeepsWhatAnFsyncHasCoveredAndOnlyThat) {
  Clockwork clockwork(false);
  const SwarmContent content(7, 16384 * 64, 16384, true);
  SimDisk disk(clockwork, content, 0, 1);
  const auto write = [&](std::uint32_t chunk) {
    disk.write(std::uint64_t{chunk} * 16384, content.chunk(ChunkIndex(chunk)), [](std::int64_t) {});
  };
  const auto settle = [&] {
    while (!clockwork.next_at().is_never()) clockwork.next().call();
  };
  for (std::uint32_t c = 0; c < 32; ++c) write(c);
  settle();
  disk.fsync([](std::int64_t result) { EXPECT_EQ(result, 0); });
  settle();
  for (std::uint32_t c = 32; c < 64; ++c) write(c);
  settle();
  disk.crash(true);
  std::uint32_t lost = 0;
  for (std::uint32_t c = 0; c < 64; ++c) {
    const bool right = disk.chunk_is_right(ChunkIndex(c));
    if (c < 32) {
      EXPECT_TRUE(right) << c;
    } else {
      lost += right ? 0 : 1;
    }
  }
  EXPECT_GT(lost, 0U);
  EXPECT_FALSE(clockwork.judge.failed()) << clockwork.judge.reason();
}

TEST(Swarm, OnePublisherFeedsTwoGetsWithTheHelpOfItsOwnTracker) {
  const SwarmReport report = SwarmWorld(calm_swarm(1, 2, 1 << 20)).run();
  EXPECT_TRUE(report.passed) << report.reason;
  EXPECT_EQ(report.finished, 2U);
  EXPECT_EQ(report.failed_gets, 0U);
}

TEST(Swarm, TheSameSeedGivesTheSameTrace) {
  const SwarmScenario scenario = draw_swarm(5, 5);
  EXPECT_EQ(SwarmWorld(scenario).run().trace, SwarmWorld(scenario).run().trace);
  EXPECT_NE(SwarmWorld(calm_swarm(1, 2, 1 << 20)).run().trace, SwarmWorld(calm_swarm(2, 2, 1 << 20)).run().trace);
}

// Among these were seeds in which every buffer held a chunk that waited for its SHA-256, so that the page could not
// come.
TEST(Swarm, DrawnSeedsPass) {
  RunOptions options;
  options.seeds = 10;
  for (const SeedResult& result : run_seeds(swarm_suite(), options))
    EXPECT_TRUE(result.passed()) << result.reason.data();
}

}  // namespace
}  // namespace peernet::sim
