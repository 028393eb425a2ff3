#include "base/range_set.hpp"

#include <gtest/gtest.h>

#include <set>
#include <utility>
#include <vector>

#include "base/rng.hpp"

namespace peernet {
namespace {

using Bytes = RangeSet<std::uint32_t, WhenFull::kRefuse>;
using Numbers = RangeSet<std::uint64_t, WhenFull::kDropLowest>;

TEST(RangeSet, NeighboursMergeAndGapsStay) {
  Bytes set(4);
  EXPECT_TRUE(set.insert({10, 20}));
  EXPECT_TRUE(set.insert({30, 40}));
  EXPECT_EQ(set.size(), 2u);
  EXPECT_TRUE(set.insert({20, 30}));
  ASSERT_EQ(set.size(), 1u);
  EXPECT_EQ(set.lowest(), (Range<std::uint32_t>{10, 40}));
  EXPECT_EQ(set.total(), 30u);
}

TEST(RangeSet, AFullSetThatRefusesStaysAsItIs) {
  Bytes set(2);
  set.insert({0, 1});
  set.insert({10, 20});
  EXPECT_FALSE(set.insert({5, 6}));
  EXPECT_FALSE(set.subtract({12, 15}));
  EXPECT_EQ(set.total(), 11u);
  EXPECT_TRUE(set.contains(Range<std::uint32_t>{10, 20}));
  EXPECT_TRUE(set.insert({1, 10})) << "an insertion that merges needs no room";
  EXPECT_EQ(set.size(), 1u);
}

TEST(RangeSet, AFullSetThatForgetsKeepsTheNewest) {
  Numbers set(2);
  set.insert({10, 11});
  set.insert({20, 21});
  EXPECT_TRUE(set.insert({30, 31}));
  EXPECT_FALSE(set.contains(10));
  EXPECT_TRUE(set.contains(20));
  EXPECT_TRUE(set.insert({5, 6})) << "accepted, and the first to be forgotten";
  EXPECT_FALSE(set.contains(5));
  EXPECT_EQ(set.total(), 2u);
}

TEST(RangeSet, BordersOfTheTypeAreReachable) {
  Bytes set(4);
  set.insert({UINT32_MAX - 1, UINT32_MAX});
  set.insert({0, 1});
  EXPECT_TRUE(set.contains(0));
  EXPECT_TRUE(set.contains(UINT32_MAX - 1));
  EXPECT_EQ(set.first_missing({0, UINT32_MAX}), (Range<std::uint32_t>{1, UINT32_MAX - 1}));
  EXPECT_TRUE(set.insert({0, UINT32_MAX}));
  EXPECT_EQ(set.total(), UINT32_MAX);
}

TEST(RangeSet, AMovedSetTakesItsRangesAlong) {
  Bytes a(3);
  a.insert({1, 4});
  Bytes b(std::move(a));
  EXPECT_EQ(b.total(), 3u);
  Bytes c(1);
  c = std::move(b);
  EXPECT_TRUE(c.contains(2));
  EXPECT_EQ(c.capacity(), 3u);
}

/// A std::set of single values and the policy, said the slow way.
struct Model {
  std::set<std::uint64_t> values;
  std::size_t capacity;
  WhenFull policy;

  static std::vector<Range<std::uint64_t>> ranges_of(const std::set<std::uint64_t>& v) {
    std::vector<Range<std::uint64_t>> out;
    for (const std::uint64_t x : v) {
      if (!out.empty() && out.back().end == x) {
        ++out.back().end;
      } else {
        out.push_back({x, x + 1});
      }
    }
    return out;
  }
  bool apply(Range<std::uint64_t> r, bool add) {
    std::set<std::uint64_t> next = values;
    for (std::uint64_t x = r.first; x < r.end; ++x) {
      if (add) {
        next.insert(x);
      } else {
        next.erase(x);
      }
    }
    const auto ranges = ranges_of(next);
    if (ranges.size() > capacity) {
      if (policy == WhenFull::kRefuse) return false;
      next.erase(next.begin(), next.lower_bound(ranges[0].end));
    }
    values = next;
    return true;
  }
};

template <class Set>
void compare_with_model(WhenFull policy, std::uint64_t seed) {
  using T = decltype(std::declval<Set>().total());
  Rng rng(seed);
  const std::size_t capacity = 1 + rng.below(9);
  const std::uint64_t span = 8 + rng.below(90);
  Set set(capacity);
  Model model{{}, capacity, policy};
  for (int step = 0; step < 300; ++step) {
    const std::uint64_t first = rng.below(span);
    const Range<std::uint64_t> r{first, first + rng.below(rng.chance(0.8) ? 5 : span)};
    const bool add = rng.chance(0.65);
    const Range<T> own{static_cast<T>(r.first), static_cast<T>(r.end)};
    ASSERT_EQ(add ? set.insert(own) : set.subtract(own), model.apply(r, add)) << "seed " << seed << " step " << step;
    const auto expected = Model::ranges_of(model.values);
    ASSERT_EQ(set.size(), expected.size()) << "seed " << seed << " step " << step;
    for (std::size_t i = 0; i < expected.size(); ++i) {
      ASSERT_EQ(set.ranges()[i].first, expected[i].first) << "seed " << seed << " step " << step;
      ASSERT_EQ(set.ranges()[i].end, expected[i].end) << "seed " << seed << " step " << step;
    }
    ASSERT_EQ(set.total(), model.values.size());
    // Questions about another range.
    const std::uint64_t a = rng.below(span), b = a + rng.below(7);
    std::uint64_t had = 0;
    std::vector<std::uint64_t> missing_values;
    for (std::uint64_t x = a; x < b; ++x) {
      if (model.values.contains(x)) {
        ++had;
      } else {
        missing_values.push_back(x);
      }
    }
    std::size_t first_piece = missing_values.empty() ? 0 : 1;
    while (first_piece < missing_values.size() && missing_values[first_piece] == missing_values[first_piece - 1] + 1)
      ++first_piece;
    const Range<T> question{static_cast<T>(a), static_cast<T>(b)};
    ASSERT_EQ(set.contains(question), had == b - a) << "seed " << seed;
    ASSERT_EQ(set.intersects(question), had > 0) << "seed " << seed;
    const Range<T> missing = set.first_missing(question);
    ASSERT_EQ(missing.size(), first_piece) << "seed " << seed;
    if (!missing.empty()) {
      ASSERT_EQ(missing.first, missing_values[0]) << "seed " << seed;
    }
  }
}

TEST(RangeSet, EqualsASetOfValuesThatRefuses) {
  for (std::uint64_t seed = 0; seed < 60; ++seed) compare_with_model<Bytes>(WhenFull::kRefuse, seed);
}

TEST(RangeSet, EqualsASetOfValuesThatForgetsTheLowest) {
  for (std::uint64_t seed = 0; seed < 60; ++seed) compare_with_model<Numbers>(WhenFull::kDropLowest, seed);
}

}  // namespace
}  // namespace peernet
