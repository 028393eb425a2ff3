#include "base/slab.hpp"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <vector>

#include "base/rng.hpp"

namespace peernet {
namespace {

TEST(Slab, AStaleHandleFindsNothing) {
  Slab<int> slab(2);
  const SlabHandle a = slab.emplace(1);
  ASSERT_TRUE(slab.erase(a));
  const SlabHandle b = slab.emplace(2);
  EXPECT_EQ(b.slot, a.slot);
  EXPECT_EQ(slab.get(a), nullptr);
  EXPECT_FALSE(slab.erase(a));
  ASSERT_NE(slab.get(b), nullptr);
  EXPECT_EQ(*slab.get(b), 2);
}

TEST(Slab, InventedHandlesFindNothing) {
  Slab<int> slab(4);
  slab.emplace(1);
  EXPECT_EQ(slab.get({}), nullptr);
  EXPECT_EQ(slab.get({0, 2}), nullptr);
  EXPECT_EQ(slab.get({1, 0}), nullptr) << "a slot that was never used";
  EXPECT_EQ(slab.get({3, 1}), nullptr);
  EXPECT_EQ(slab.get({UINT32_MAX, 1}), nullptr);
  EXPECT_EQ(slab.at_slot(2), nullptr);
  EXPECT_FALSE(slab.handle_of(2));
  slab.erase({0, 1});
  EXPECT_EQ(slab.get({0, 2}), nullptr) << "the generation of a free slot names nothing";
}

TEST(Slab, AHandleSurvivesPacking) {
  const SlabHandle h{0x12345678, 0x9abcdef1};
  EXPECT_EQ(h.packed(), 0x9abcdef112345678u);
  EXPECT_EQ(SlabHandle::unpack(h.packed()), h);
  EXPECT_FALSE(SlabHandle{});
}

TEST(Slab, IsFullAtItsCapacityAndNotBefore) {
  Slab<int> slab(3);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(slab.emplace(i));
  EXPECT_TRUE(slab.full());
  EXPECT_FALSE(slab.emplace(3));
  slab.erase(slab.handle_of(1));
  EXPECT_TRUE(slab.emplace(4));
  Slab<int> nothing(0);
  EXPECT_FALSE(nothing.emplace(1));
}

TEST(Slab, DestroysEveryEntryOnce) {
  const auto shared = std::make_shared<int>(7);
  {
    Slab<std::shared_ptr<int>> slab(4);
    slab.emplace(shared);
    const SlabHandle second = slab.emplace(shared);
    slab.emplace(shared);
    EXPECT_EQ(shared.use_count(), 4);
    slab.erase(second);
    EXPECT_EQ(shared.use_count(), 3);
  }
  EXPECT_EQ(shared.use_count(), 1);
}

TEST(Slab, EqualsAMapOfHandles) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    Rng rng(seed);
    const auto capacity = static_cast<std::uint32_t>(1 + rng.below(20));
    Slab<std::uint64_t> slab(capacity);
    std::map<std::uint64_t, std::uint64_t> live;  // packed handle -> value
    std::vector<std::uint64_t> dead;
    for (int step = 0; step < 500; ++step) {
      if (rng.chance(0.55)) {
        const std::uint64_t value = rng.next();
        const SlabHandle h = slab.emplace(value);
        ASSERT_EQ(static_cast<bool>(h), live.size() < capacity);
        if (h) {
          ASSERT_TRUE(live.emplace(h.packed(), value).second) << "a handle was given out twice";
        }
      } else if (!live.empty()) {
        const auto it = std::next(live.begin(), static_cast<std::ptrdiff_t>(rng.below(live.size())));
        ASSERT_TRUE(slab.erase(SlabHandle::unpack(it->first)));
        dead.push_back(it->first);
        live.erase(it);
      }
      ASSERT_EQ(slab.size(), live.size());
      for (const auto& [handle, value] : live) ASSERT_EQ(*slab.get(SlabHandle::unpack(handle)), value);
      for (const std::uint64_t handle : dead) ASSERT_EQ(slab.get(SlabHandle::unpack(handle)), nullptr);
    }
    std::size_t visited = 0;
    slab.for_each([&](SlabHandle h, std::uint64_t& value) {
      ++visited;
      EXPECT_EQ(live.at(h.packed()), value);
      slab.erase(h);
    });
    EXPECT_EQ(visited, live.size());
    EXPECT_EQ(slab.size(), 0u);
  }
}

}  // namespace
}  // namespace peernet
