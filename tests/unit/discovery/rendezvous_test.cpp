#include "discovery/rendezvous.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>

#include "crypto/hash.hpp"
#include "world.hpp"

namespace peernet::discovery {
namespace {

using Names = std::vector<std::string_view>;

const Names kFive{"a.example:1", "b.example:1", "c.example:1", "d.example:1", "192.0.2.1:7"};

Names ranked_names(const Names& names, const SwarmId& swarm) {
  Names out;
  for (const std::size_t i : rank_trackers(names, swarm)) out.push_back(names[i]);
  return out;
}

TEST(Rendezvous, AWeightIsTheHashOfNameAndSwarm) {
  const SwarmId swarm = swarm_of(7);
  std::vector<std::byte> both;
  const ByteSpan name = as_bytes("t.example:80", 12);
  both.insert(both.end(), name.begin(), name.end());
  both.insert(both.end(), swarm.begin(), swarm.end());
  EXPECT_EQ(rendezvous_weight("t.example:80", swarm), crypto::sha256(both));
}

TEST(Rendezvous, AllRankAlikeWhateverTheOrderInTheLink) {
  for (const SwarmId& swarm : swarms_of(100)) {
    Names shuffled = kFive;
    std::ranges::reverse(shuffled);
    EXPECT_EQ(ranked_names(kFive, swarm), ranked_names(shuffled, swarm));
    EXPECT_GT(rendezvous_weight(ranked_names(kFive, swarm)[0], swarm),
              rendezvous_weight(ranked_names(kFive, swarm)[1], swarm));
  }
}

TEST(Rendezvous, ATrackerThatGoesMovesOnlyWhatLivedThere) {
  for (const SwarmId& swarm : swarms_of(1000)) {
    Names before = ranked_names(kFive, swarm);
    Names four = kFive;
    std::erase(four, "c.example:1");
    std::erase(before, "c.example:1");
    EXPECT_EQ(ranked_names(four, swarm), before);
  }
}

TEST(Rendezvous, ContentsSpreadEvenly) {
  std::map<std::string_view, int> first;
  std::map<std::string_view, int> active;
  for (const SwarmId& swarm : swarms_of(1000)) {
    const Names names = ranked_names(kFive, swarm);
    ++first[names[0]];
    for (std::size_t i = 0; i < kActiveTrackers; ++i) ++active[names[i]];
  }
  // 200 and 400 expected; 5 standard deviations are 63 and 77.
  for (const std::string_view name : kFive) {
    EXPECT_NEAR(first[name], 200, 63) << name;
    EXPECT_NEAR(active[name], 400, 77) << name;
  }
}

}  // namespace
}  // namespace peernet::discovery
