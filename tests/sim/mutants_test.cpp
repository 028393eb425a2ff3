// Every planted bug is found by a known seed, and that seed passes without it.
#include "sim/mutants.hpp"

#include <gtest/gtest.h>

#include <array>

#include "sim/pair_suite.hpp"

namespace peernet::sim {
namespace {

using transport::Mutant;

struct Known {
  Mutant mutant;
  std::uint64_t seed;
};

/// Where the draws of scenario.cpp change, ./dev sim --mutant NAME shows the seeds that find it now.
constexpr std::array kKnown{Known{Mutant::kReusePacketNumberAfterPto, 1},
                            Known{Mutant::kMarkBeforeTagCompare, 1},
                            Known{Mutant::kForgetEpochRoll, 3},
                            Known{Mutant::kIgnoreReplay, 1},
                            Known{Mutant::kDoubleCountAckedBytes, 1},
                            Known{Mutant::kNeverRetransmitRequest, 10},
                            Known{Mutant::kForgetLostData, 1},
                            Known{Mutant::kExceedWindow, 1},
                            Known{Mutant::kAckUnreceived, 1},
                            Known{Mutant::kAckRangeOffByOne, 27},
                            Known{Mutant::kIgnoreAmplificationLimit, 1},
                            Known{Mutant::kLeakInFlightOnLoss, 1},
                            Known{Mutant::kNoPtoBackoff, 3},
                            Known{Mutant::kDataAfterClose, 3},
                            Known{Mutant::kMigrateOnOldPacket, 1},
                            Known{Mutant::kProbeLossShrinksWindow, 30},
                            Known{Mutant::kAcceptOptimisticAck, 11},
                            Known{Mutant::kKeysBeforeFinished, 9}};

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

std::string name_of_case(const testing::TestParamInfo<Known>& known) {
  return name_of(known.param.mutant);
}

INSTANTIATE_TEST_SUITE_P(Pair, PlantedBug, testing::ValuesIn(kKnown), name_of_case);

TEST(PlantedBugs, NoneIsMissingInTheList) {
  EXPECT_EQ(kKnown.size() + 1, static_cast<std::size_t>(Mutant::kCount));  // kNone is no bug
}

}  // namespace
}  // namespace peernet::sim
