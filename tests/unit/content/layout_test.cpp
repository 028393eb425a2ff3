#include "content/layout.hpp"

#include <gtest/gtest.h>

#include "base/rng.hpp"

namespace peernet::content {
namespace {

std::vector<Segment> segments_of(const Layout& layout, ChunkIndex chunk) {
  std::vector<Segment> out;
  Layout::Cursor cursor = layout.segments(chunk);
  while (const std::optional<Segment> segment = cursor.next()) out.push_back(*segment);
  return out;
}

TEST(Layout, ASingleFileIsItsOwnAddressSpace) {
  const Layout layout = Layout::single((2U << 20) + 5, 1 << 20);
  EXPECT_EQ(layout.total_bytes(), (2U << 20) + 5);
  EXPECT_EQ(segments_of(layout, ChunkIndex{1}),
            (std::vector<Segment>{
                {.file = 0, .file_offset = 1 << 20, .chunk_offset = 0, .length = 1 << 20, .starts_leaf = true}}));
  EXPECT_EQ(layout.chunk_payload(ChunkIndex{2}), 5U);
  EXPECT_EQ(layout.chunk_payload(ChunkIndex{3}), 0U);
  EXPECT_EQ(Layout::single(0, 1 << 20).total_bytes(), 0U);
}

TEST(Layout, FollowsTheAlignmentRule) {
  const std::vector<std::uint64_t> sizes{100, 16384, 200, 0, 16100, 84, 1, 20000, 5};
  const Layout layout = Layout::make(sizes, 1 << 20).value();
  const std::vector<std::uint64_t> expected{0,
                                            16384,   // a whole block: on a boundary
                                            32768,   // never in the blocks of a large file
                                            32968,   // empty: wherever it falls
                                            32968,   // 200 + 16100 fit one block
                                            49068,   // 84 end exactly at the boundary
                                            49152,   // and one byte more does not
                                            65536,   // 20000: boundary
                                            98304};  // after its tail
  for (std::uint32_t i = 0; i < sizes.size(); ++i) EXPECT_EQ(layout.address_of(i), expected[i]) << i;
  EXPECT_EQ(layout.total_bytes(), 98309U);
  EXPECT_EQ(layout.payload_bytes(), 100U + 16384 + 200 + 16100 + 84 + 1 + 20000 + 5);
}

TEST(Layout, EveryByteOfEveryFileIsInExactlyOneSegment) {
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    Rng rng(seed);
    std::vector<std::uint64_t> sizes(1 + rng.below(200));
    for (std::uint64_t& size : sizes) {
      const std::uint64_t kind = rng.below(4);
      size = kind == 0 ? 0 : kind == 1 ? rng.below(50) : kind == 2 ? 16380 + rng.below(9) : rng.below(200'000);
    }
    const std::uint32_t chunk_bytes = 16384U << rng.below(4);
    const Layout layout = Layout::make(sizes, chunk_bytes).value();
    std::vector<std::uint64_t> covered(sizes.size());
    std::uint64_t payload = 0;
    const auto chunks = static_cast<std::uint32_t>((layout.total_bytes() + chunk_bytes - 1) / chunk_bytes);
    for (std::uint32_t chunk = 0; chunk < chunks; ++chunk) {
      std::uint32_t offset = 0;
      bool first = true;
      for (const Segment& s : segments_of(layout, ChunkIndex{chunk})) {
        EXPECT_EQ(s.file_offset, covered[s.file]) << "in order and without holes";
        EXPECT_EQ(s.chunk_offset, offset);
        EXPECT_GT(s.length, 0U);
        EXPECT_TRUE(!first || s.starts_leaf) << "a chunk starts with a leaf";
        first = false;
        covered[s.file] += s.length;
        offset += s.length;
      }
      EXPECT_EQ(layout.chunk_payload(ChunkIndex{chunk}), offset);
      EXPECT_LE(offset, chunk_bytes);
      payload += offset;
    }
    EXPECT_EQ(covered, sizes);
    EXPECT_EQ(payload, layout.payload_bytes());
    for (std::uint32_t i = 0; i < sizes.size(); ++i) {
      const std::uint64_t address = layout.address_of(i);
      EXPECT_TRUE(sizes[i] < kLeafBytes || address % kLeafBytes == 0);
      EXPECT_TRUE(sizes[i] == 0 || sizes[i] >= kLeafBytes ||
                  address / kLeafBytes == (address + sizes[i] - 1) / kLeafBytes);
    }
  }
}

TEST(Layout, RefusesSizesThatOverflow) {
  EXPECT_FALSE(Layout::make(std::vector<std::uint64_t>{UINT64_MAX}, 1 << 20));
  EXPECT_FALSE(Layout::make(std::vector<std::uint64_t>(300, 1ULL << 48), 1 << 20));
}

}  // namespace
}  // namespace peernet::content
