#include "content/chunk_map.hpp"

#include <gtest/gtest.h>

#include <set>

#include "base/rng.hpp"

namespace peernet::content {
namespace {

TEST(ChunkMap, AgreesWithASetUnderRandomOperations) {
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    Rng rng(seed);
    const auto size = static_cast<std::uint32_t>(1 + rng.below(300));
    ChunkMap map(size);
    std::set<std::uint32_t> model;
    for (int step = 0; step < 300; ++step) {
      const auto at = static_cast<std::uint32_t>(rng.below(size));
      const auto count = static_cast<std::uint32_t>(rng.below(size - at + 1));
      switch (rng.below(4)) {
        case 0:
          EXPECT_EQ(map.set(ChunkIndex{at}), model.insert(at).second);
          break;
        case 1:
          EXPECT_EQ(map.reset(ChunkIndex{at}), model.erase(at) == 1);
          break;
        case 2:
          EXPECT_TRUE(map.set_range({ChunkIndex{at}, count}));
          for (std::uint32_t i = 0; i < count; ++i) model.insert(at + i);
          break;
        default:
          EXPECT_FALSE(map.set_range({ChunkIndex{at}, size - at + 1 + static_cast<std::uint32_t>(rng.below(9))}));
      }
      ASSERT_EQ(map.count(), model.size());
      const auto next = model.lower_bound(at);
      EXPECT_EQ(map.next_set(ChunkIndex{at}), next == model.end() ? std::nullopt : std::optional(ChunkIndex{*next}));
      std::uint32_t clear = at;
      while (model.contains(clear)) ++clear;
      EXPECT_EQ(map.next_clear(ChunkIndex{at}), clear >= size ? std::nullopt : std::optional(ChunkIndex{clear}));
    }
    for (std::uint32_t i = 0; i < size + 70; ++i) EXPECT_EQ(map.test(ChunkIndex{i}), model.contains(i));
    ChunkMap from_runs(size);
    ChunkIndex at{0};
    while (const std::optional<ChunkRange> run = map.next_run(at)) {
      EXPECT_TRUE(from_runs.set_range(*run));
      at = run->first + run->count;
    }
    EXPECT_EQ(from_runs, map);
  }
}

TEST(ChunkMap, PagesCarryItToAPeer) {
  for (const std::uint32_t size : {1U, 7U, 8U, 9U, 8191U, 8192U, 8193U, 20001U}) {
    Rng rng(size);
    ChunkMap map(size);
    for (std::uint32_t i = 0; i < size; ++i)
      if (rng.chance(0.4)) map.set(ChunkIndex{i});
    ChunkMap peer(size);
    for (std::uint32_t page = 0; page < map.map_pages(); ++page) {
      std::vector<std::byte> bits(map.map_page_bytes(page));
      map.write_map_page(page, bits);
      EXPECT_EQ((std::to_integer<unsigned>(bits[0]) & 0x80U) != 0, map.test(ChunkIndex{page * kChunksPerMapPage}))
          << "bit 7 first";
      EXPECT_TRUE(peer.merge_map_page(page, bits));
      EXPECT_TRUE(peer.merge_map_page(page, bits)) << "idempotent";
      bits.push_back(std::byte{0});
      EXPECT_FALSE(peer.merge_map_page(page, bits));
    }
    EXPECT_EQ(peer, map);
    EXPECT_FALSE(peer.merge_map_page(map.map_pages(), {}));
  }
}

TEST(ChunkMap, SpareBitsOfAPeersPageAreRefused) {
  ChunkMap map(5);
  const ByteArray<1> spare{std::byte{0x04}};
  EXPECT_FALSE(map.merge_map_page(0, spare));
  EXPECT_TRUE(map.none());
  const ByteArray<1> all{std::byte{0xf8}};
  EXPECT_TRUE(map.merge_map_page(0, all));
  EXPECT_TRUE(map.full());
}

TEST(ChunkMap, SetAlgebraKeepsTheCount) {
  ChunkMap a(100), b(100);
  a.set_range({ChunkIndex{0}, 60});
  b.set_range({ChunkIndex{50}, 50});
  ChunkMap both = a;
  both.merge(b);
  EXPECT_TRUE(both.full());
  both.subtract(a);
  EXPECT_EQ(both.count(), 40U);
  EXPECT_FALSE(both.test(ChunkIndex{59}));
  both.clear();
  EXPECT_TRUE(both.none());
  both.set_all();
  EXPECT_TRUE(both.full());
  EXPECT_TRUE(ChunkMap(0).full());
  EXPECT_EQ(ChunkMap(0).next_set(ChunkIndex{0}), std::nullopt);
}

}  // namespace
}  // namespace peernet::content
