#include "node/ownership.hpp"

#include <gtest/gtest.h>

#include "base/rng.hpp"

namespace peernet::node {
namespace {

content::ChunkMap map_of(std::uint32_t size, const std::vector<std::uint32_t>& chunks) {
  content::ChunkMap out(size);
  for (const std::uint32_t chunk : chunks) out.set(ChunkIndex(chunk));
  return out;
}

std::vector<std::uint32_t> bits_of(const wire::OwnershipBits& owned) {
  std::vector<std::uint32_t> out;
  for (std::uint32_t bit = 0; bit < wire::kOwnershipBits; ++bit)
    if (wire::owns(owned, bit)) out.push_back(bit);
  return out;
}

using Bits = std::vector<std::uint32_t>;

TEST(Ownership, IsExactUpTo128Chunks) {
  EXPECT_EQ(bits_of(ownership_of(map_of(3, {}))), Bits{});
  EXPECT_EQ(bits_of(ownership_of(map_of(3, {0, 2}))), (Bits{0, 2}));
  EXPECT_EQ(bits_of(ownership_of(map_of(128, {0, 64, 127}))), (Bits{0, 64, 127}));
}

TEST(Ownership, OfManyChunksABitStandsForAllOfItsRange) {
  EXPECT_EQ(bits_of(ownership_of(map_of(256, {0, 1, 2, 254, 255}))), (Bits{0, 127}));
  EXPECT_EQ(bits_of(ownership_of(map_of(256, {1, 254}))), Bits{});
  // 129 chunks: bit 127 is for the last two, [128 * 127 / 128.., 129)
  EXPECT_EQ(bits_of(ownership_of(map_of(129, {0}))), Bits{0});
  EXPECT_EQ(bits_of(ownership_of(map_of(129, {128}))), Bits{});
  EXPECT_EQ(bits_of(ownership_of(map_of(129, {127, 128}))), Bits{127});
}

TEST(Ownership, OfEverythingIsAllOnes) {
  for (const std::uint32_t size : {0u, 1u, 128u, 129u, 5000u}) {
    content::ChunkMap map(size);
    map.set_all();
    EXPECT_EQ(wire::owned_count(ownership_of(map)), wire::kOwnershipBits) << size;
  }
}

TEST(Ownership, NeverPromisesAChunkThatIsMissing) {
  Rng rng(7);
  for (int round = 0; round < 200; ++round) {
    const auto size = static_cast<std::uint32_t>(1 + rng.next() % 1000);
    content::ChunkMap map(size);
    map.set_all();
    for (std::uint64_t n = 1 + rng.next() % 3; n > 0; --n)
      map.reset(ChunkIndex(static_cast<std::uint32_t>(rng.next() % size)));
    const auto owned = ownership_of(map);
    for (std::uint32_t bit = 0; bit < wire::kOwnershipBits; ++bit) {
      const std::uint64_t first = size <= 128 ? bit : std::uint64_t{bit} * size / 128;
      const std::uint64_t end = size <= 128 ? bit + 1 : (std::uint64_t{bit} + 1) * size / 128;
      bool all = end <= size;
      for (std::uint64_t chunk = first; all && chunk < end; ++chunk)
        all = map.test(ChunkIndex(static_cast<std::uint32_t>(chunk)));
      EXPECT_EQ(wire::owns(owned, bit), all) << size << " " << bit;
    }
  }
}

TEST(Ownership, FractionCountsTheBitsThatMeanSomething) {
  EXPECT_EQ(fraction_of(ownership_of(map_of(4, {1, 2})), 4), 0.5);
  EXPECT_EQ(fraction_of(ownership_of(map_of(256, {0, 1})), 256), 1.0 / 128);
  EXPECT_EQ(fraction_of({}, 0), 0);
}

}  // namespace
}  // namespace peernet::node
