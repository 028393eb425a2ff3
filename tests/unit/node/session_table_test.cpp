#include "node/session_table.hpp"

#include <gtest/gtest.h>

#include <map>

#include "base/rng.hpp"

namespace peernet::node {
namespace {

SlabHandle handle(std::uint32_t n) {
  return {n, 1};
}

TEST(SessionTable, RefusesATakenIdAndMoreThanItsCapacity) {
  SessionTable table(2);
  EXPECT_TRUE(table.insert(SessionId(0x100), handle(1)));
  EXPECT_FALSE(table.insert(SessionId(0x100), handle(2)));
  EXPECT_TRUE(table.insert(SessionId(0x200), handle(2)));
  EXPECT_FALSE(table.insert(SessionId(0x300), handle(3)));
  EXPECT_EQ(table.find(SessionId(0x200)), handle(2));
  EXPECT_FALSE(table.find(SessionId(0x300)));
}

// Against std::map, with ids that collide on purpose (only the low byte differs, or few high bits).
TEST(SessionTable, AgreesWithAModel) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Rng rng(seed);
    SessionTable table(64);
    std::map<SessionId, SlabHandle> model;
    for (int step = 0; step < 20'000; ++step) {
      const SessionId id(static_cast<std::uint32_t>(rng.below(40) << 8 | rng.below(4)));
      if (rng.chance(0.5)) {
        const SlabHandle h = handle(static_cast<std::uint32_t>(step));
        const bool expected = model.size() < 64 && !model.contains(id);
        EXPECT_EQ(table.insert(id, h), expected);
        if (expected) model[id] = h;
      } else {
        table.erase(id);
        model.erase(id);
      }
      const SessionId probe(static_cast<std::uint32_t>(rng.below(40) << 8 | rng.below(4)));
      const auto found = model.find(probe);
      EXPECT_EQ(table.find(probe), found == model.end() ? SlabHandle{} : found->second);
      EXPECT_EQ(table.size(), model.size());
    }
  }
}

}  // namespace
}  // namespace peernet::node
