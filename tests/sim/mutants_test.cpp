// Every planted bug is found by a known seed, and that seed passes without it.
#include "sim/mutants.hpp"

#include <gtest/gtest.h>

#include "sim/pair_suite.hpp"

namespace peernet::sim {
namespace {

using transport::Mutant;

struct Known {
  Mutant mutant;
  std::uint64_t seed;
};

class PlantedBug : public testing::TestWithParam<Known> {};

SeedResult run_one(Mutant mutant, std::uint64_t seed) {
  RunOptions options;
  options.first = seed;
  options.seeds = 1;
  options.workers = 1;
  transport::g_mutant = mutant;
  const SeedResult result = run_seeds(pair_suite(), options)[0];  // in a process of its own: some bugs abort
  transport::g_mutant = Mutant::kNone;
  return result;
}

TEST_P(PlantedBug, IsFoundByItsSeed) {
  EXPECT_FALSE(run_one(GetParam().mutant, GetParam().seed).passed());
  const SeedResult healthy = run_one(Mutant::kNone, GetParam().seed);
  EXPECT_TRUE(healthy.passed()) << healthy.reason.data();
}

INSTANTIATE_TEST_SUITE_P(Pair, PlantedBug,
                         testing::Values(Known{Mutant::kReusePacketNumberAfterPto, 1},
                                         Known{Mutant::kMarkBeforeTagCompare, 1}),
                         [](const testing::TestParamInfo<Known>& known) {
                           return std::string(name_of(known.param.mutant));
                         });

}  // namespace
}  // namespace peernet::sim
