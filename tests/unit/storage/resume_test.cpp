#include "storage/resume.hpp"

#include <gtest/gtest.h>

#include "base/rng.hpp"

namespace peernet::storage {
namespace {

content::ManifestCore ten_chunks() {
  content::ManifestCore core;
  core.chunk_bytes = 16384;
  core.total_bytes = core.payload_bytes = 9 * 16384 + 100;
  core.chunk_count = 10;
  core.entry_count = 1;
  return core;
}

TEST(Resume, ChecksRecordedChunksFirstThenEverythingWithData) {
  const content::ManifestCore core = ten_chunks();
  content::ChunkMap recorded(10);
  recorded.set(ChunkIndex{7});
  recorded.set(ChunkIndex{2});
  const std::vector<Extent> extents{{0, 1}, {3 * 16384 - 1, 5 * 16384}, {9 * 16384, 9 * 16384 + 100}};
  ResumePlan plan(core, &recorded, extents);
  EXPECT_EQ(plan.hoped().count(), 6U);
  std::vector<std::uint32_t> order;
  while (const std::optional<ChunkIndex> chunk = plan.next()) order.push_back(chunk->value());
  EXPECT_EQ(order, (std::vector<std::uint32_t>{2, 7, 0, 3, 4, 9}));
  EXPECT_FALSE(plan.done());
  for (const std::uint32_t chunk : order) plan.on_checked(ChunkIndex{chunk}, chunk != 3 && chunk != 7);
  EXPECT_TRUE(plan.done());
  EXPECT_EQ(plan.verified().count(), 4U);
  EXPECT_EQ(plan.hoped(), plan.verified()) << "what was refuted must be fetched";
}

TEST(Resume, ARecordAloneIsNeverBelieved) {
  content::ChunkMap recorded(10);
  recorded.set_all();
  ResumePlan plan(ten_chunks(), &recorded, {});
  EXPECT_TRUE(plan.hoped().full());
  EXPECT_TRUE(plan.verified().none());
  EXPECT_FALSE(plan.done());
}

TEST(Resume, ChunksFetchedMeanwhileNeedNoCheck) {
  const std::vector<Extent> all{{0, 10 * 16384}};
  ResumePlan plan(ten_chunks(), nullptr, all);
  const ChunkIndex first = plan.next().value();
  plan.forget(first);  // being read back right now
  plan.forget(ChunkIndex{5});
  std::uint32_t rest = 0;
  while (const std::optional<ChunkIndex> chunk = plan.next()) {
    EXPECT_NE(*chunk, ChunkIndex{5});
    plan.on_checked(*chunk, true);
    ++rest;
  }
  EXPECT_EQ(rest, 8U);
  EXPECT_TRUE(plan.done());
  plan.on_checked(first, true);
  EXPECT_FALSE(plan.verified().test(first)) << "a late result for a forgotten chunk says nothing";
}

TEST(Resume, HolesAreTheChunksThatNoExtentTouches) {
  const content::ManifestCore core = ten_chunks();
  EXPECT_TRUE(chunks_in_holes(core, {}).full());
  const std::vector<Extent> extents{{16384, 16385}, {5 * 16384 - 1, 5 * 16384 + 1}, {1U << 30, 1U << 31}};
  const content::ChunkMap holes = chunks_in_holes(core, extents);
  for (std::uint32_t i = 0; i < 10; ++i) EXPECT_EQ(holes.test(ChunkIndex{i}), i != 1 && i != 4 && i != 5) << i;
}

TEST(Resume, ARecordMustSpeakOfThisVeryFile) {
  const content::ManifestCore core = ten_chunks();
  PartRecord record{
      .content_id = {}, .device = 1, .inode = 2, .size = core.total_bytes, .chunks = content::ChunkMap(10)};
  EXPECT_TRUE(record_applies(record, core, {}, 1, 2, core.total_bytes));
  ContentId other{};
  other[31] = std::byte{1};
  EXPECT_FALSE(record_applies(record, core, other, 1, 2, core.total_bytes));
  EXPECT_FALSE(record_applies(record, core, {}, 9, 2, core.total_bytes));
  EXPECT_FALSE(record_applies(record, core, {}, 1, 9, core.total_bytes));
  EXPECT_FALSE(record_applies(record, core, {}, 1, 2, core.total_bytes - 1));
  record.chunks = content::ChunkMap(11);
  EXPECT_FALSE(record_applies(record, core, {}, 1, 2, core.total_bytes));
}

}  // namespace
}  // namespace peernet::storage
