#include "base/bitmap.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "base/rng.hpp"

namespace peernet {
namespace {

TEST(Bitmap, TheFirstBitIsTheHighestOfTheFirstByte) {
  Bitmap map(20);
  map.set(0);
  map.set(9);
  map.set(19);
  ByteArray<4> bytes{};
  map.copy_to(0, bytes);
  EXPECT_EQ(bytes[0], std::byte{0x80});
  EXPECT_EQ(bytes[1], std::byte{0x40});
  EXPECT_EQ(bytes[2], std::byte{0x10});
  EXPECT_EQ(bytes[3], std::byte{0}) << "past the end";
}

TEST(Bitmap, MergingIgnoresBitsPastTheEnd) {
  Bitmap map(12);
  const ByteArray<3> ones{std::byte{0xff}, std::byte{0xff}, std::byte{0xff}};
  EXPECT_EQ(map.merge_from(0, ones), 12u);
  EXPECT_TRUE(map.all());
  EXPECT_EQ(map.merge_from(0, ones), 0u);
  EXPECT_EQ(map.merge_from(800, ones), 0u);
  Bitmap same(12);
  same.set_range(0, 12);
  EXPECT_EQ(map, same) << "no hidden bit is left behind";
}

TEST(Bitmap, FindEndsAtTheSize) {
  Bitmap map(130);
  EXPECT_EQ(map.find_next_set(0), 130u);
  map.set_range(0, 130);
  EXPECT_EQ(map.find_next_unset(0), 130u) << "bits past the end are not unset ones";
  EXPECT_EQ(map.find_next_unset(500), 130u);
  map.reset(129);
  EXPECT_EQ(map.find_next_unset(64), 129u);
  const Bitmap empty;
  EXPECT_EQ(empty.find_next_set(0), 0u);
  EXPECT_TRUE(empty.all());
}

TEST(Bitmap, EqualsAVectorOfBools) {
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    Rng rng(seed);
    const std::uint64_t size = 1 + rng.below(300);
    Bitmap map(size);
    std::vector<bool> model(size);
    for (int step = 0; step < 200; ++step) {
      const std::uint64_t a = rng.below(size), b = a + rng.below(size - a + 1);
      switch (rng.below(5)) {
        case 0:
          EXPECT_EQ(map.set(a), !model[a]);
          model[a] = true;
          break;
        case 1:
          EXPECT_EQ(map.reset(a), model[a]);
          model[a] = false;
          break;
        case 2:
          map.set_range(a, b);
          for (std::uint64_t i = a; i < b; ++i) model[i] = true;
          break;
        case 3:
          map.reset_range(a, b);
          for (std::uint64_t i = a; i < b; ++i) model[i] = false;
          break;
        default: {
          ByteArray<5> bytes{};
          for (auto& byte : bytes) byte = static_cast<std::byte>(rng.next() & rng.next());
          const std::uint64_t first = a / 8 * 8;
          map.merge_from(first, bytes);
          for (std::uint64_t i = 0; i < 40 && first + i < size; ++i)
            if ((bytes[i / 8] & static_cast<std::byte>(0x80 >> i % 8)) != std::byte{0}) model[first + i] = true;
        }
      }
      std::uint64_t in_range = 0, total = 0, next_set = size, next_unset = size;
      for (std::uint64_t i = size; i-- > 0;) {
        ASSERT_EQ(map.test(i), model[i]) << "seed " << seed << " step " << step;
        total += model[i] ? 1U : 0U;
        if (i >= a && i < b && model[i]) ++in_range;
        if (i >= a) (model[i] ? next_set : next_unset) = i;
      }
      ASSERT_EQ(map.count(), total) << "seed " << seed << " step " << step;
      ASSERT_EQ(map.count_range(a, b), in_range);
      ASSERT_EQ(map.find_next_set(a), next_set);
      ASSERT_EQ(map.find_next_unset(a), next_unset);
    }
    std::vector<std::byte> bytes((size + 7) / 8);
    map.copy_to(0, bytes);
    Bitmap copy(size);
    copy.merge_from(0, bytes);
    EXPECT_EQ(copy, map);
    EXPECT_EQ(copy.count(), map.count());
  }
}

}  // namespace
}  // namespace peernet
