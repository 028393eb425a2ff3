// A few dozen seeds of the pair suite with the transport as shipped, and the promise that a seed repeats.
#include <gtest/gtest.h>

#include "sim/pair.hpp"
#include "sim/pair_suite.hpp"

namespace peernet::sim {
namespace {

TEST(PairSeeds, FortyEightSeedsPass) {
  RunOptions options;
  options.first = 100'001;  // not those of ./dev sim: more ground is covered
  options.seeds = 48;
  const std::vector<SeedResult> results = run_seeds(pair_suite(), options);
  for (std::uint64_t i = 0; i < results.size(); ++i)
    EXPECT_TRUE(results[i].passed()) << results[i].reason.data() << "\nrepeat: ./dev sim --suite pair --first "
                                     << options.first + i << " --seeds 1";
}

TEST(PairSeeds, TheSameSeedGivesTheSameTraceAndAnotherSeedAnother) {
  for (const std::uint64_t seed : {3U, 16U, 21U}) {  // 16 is real TLS: its random bytes must not reach sizes or times
    const PairReport once = Pair(draw_scenario(seed)).run();
    const PairReport again = Pair(draw_scenario(seed)).run();
    EXPECT_EQ(once.trace, again.trace) << seed;
    EXPECT_EQ(once.events, again.events) << seed;
    EXPECT_EQ(once.over_at, again.over_at) << seed;
    EXPECT_NE(once.trace, Pair(draw_scenario(seed + 1)).run().trace) << seed;
  }
}

TEST(PairSeeds, TheTraceSeesOneLostPacket) {
  Scenario s = calm_scenario(5);
  const PairReport whole = Pair(s).run();
  Pair pair(s);
  bool dropped = false;
  pair.on_step = [&](Pair& p, Instant now) {
    if (!dropped && now > Instant() + 100ms) p.link(kServer).lose_next(1);
    dropped = dropped || now > Instant() + 100ms;
  };
  const PairReport harmed = pair.run();
  EXPECT_TRUE(harmed.passed) << harmed.reason;
  EXPECT_NE(harmed.trace, whole.trace);
  EXPECT_EQ(harmed.bytes, whole.bytes);
  EXPECT_GE(harmed.server.packets_lost, 1U);
}

}  // namespace
}  // namespace peernet::sim
