#include "content/table.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "content_samples.hpp"

namespace peernet::content {
namespace {

/// A core and tables with many pages, from random hashes: no need to hash terabytes.
Sample synthetic(std::uint32_t chunks, std::uint64_t seed) {
  Sample out;
  ManifestCore& core = out.core;
  core.chunk_bytes = kMinChunkBytes;
  core.chunk_count = chunks;
  core.total_bytes = core.payload_bytes = std::uint64_t{chunks} * kMinChunkBytes;
  core.entry_count = 1;
  const std::vector<std::byte> entries = random_bytes(50'000, seed + 2);
  core.entry_table_bytes = static_cast<std::uint32_t>(entries.size());
  out.entries = PageTable::build(table_shape(core, TableId::kEntries), entries);
  out.xxh3 = PageTable::build(table_shape(core, TableId::kXxh3), random_bytes(std::size_t{chunks} * 16, seed));
  out.sha256 = PageTable::build(table_shape(core, TableId::kSha256), random_bytes(std::size_t{chunks} * 32, seed + 1));
  core.entry_root = out.entries.root();
  core.xxh3_root = out.xxh3.root();
  core.sha256_root = out.sha256.root();
  return out;
}

std::vector<std::byte> reply_of(const PageTable& table, std::uint32_t page) {
  std::vector<std::byte> out(kMaxPageReplyBytes);
  out.resize(table.write_reply(page, out));
  return out;
}

TEST(PageTable, AReceiverFillsItInAnyOrderAndCanServeWhatItHas) {
  for (const std::uint32_t chunks : {1U, 511U, 512U, 513U, 1023U, 1024U, 1025U, 5000U}) {
    const Sample sample = synthetic(chunks, chunks);
    for (const PageTable* source : {&sample.entries, &sample.xxh3, &sample.sha256}) {
      PageTable sink(table_shape(sample.core, source->shape().id));
      std::vector<std::uint32_t> order(sink.shape().pages);
      for (std::uint32_t i = 0; i < order.size(); ++i) order[i] = i;
      Rng rng(chunks);
      for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[rng.below(i)]);
      for (const std::uint32_t page : order) {
        EXPECT_FALSE(sink.complete());
        EXPECT_EQ(sink.write_reply(page, {}), 0U) << "what it has not it does not serve";
        const std::vector<std::byte> reply = reply_of(*source, page);
        EXPECT_EQ(reply.size(), sink.shape().reply_bytes(page));
        ASSERT_EQ(sink.accept_page(page, reply), PageVerdict::kAccepted);
        EXPECT_EQ(sink.accept_page(page, reply), PageVerdict::kDuplicate);
        EXPECT_EQ(reply_of(sink, page), reply) << "served on with the same proof";
      }
      EXPECT_TRUE(sink.complete());
    }
  }
}

TEST(PageTable, AnyChangedByteOfAReplyIsRefusedAndLeavesNothing) {
  const Sample sample = synthetic(3000, 9);
  Rng rng(10);
  for (const PageTable* source : {&sample.entries, &sample.xxh3, &sample.sha256}) {
    PageTable sink(table_shape(sample.core, source->shape().id));
    for (int i = 0; i < 300; ++i) {
      const auto page = static_cast<std::uint32_t>(rng.below(sink.shape().pages));
      std::vector<std::byte> reply = reply_of(*source, page);
      reply[rng.below(reply.size())] ^= static_cast<std::byte>(1 + rng.below(255));
      ASSERT_EQ(sink.accept_page(page, reply), PageVerdict::kBadProof);
      ASSERT_FALSE(sink.has_page(page));
    }
    EXPECT_EQ(sink.accept_page(1, reply_of(*source, 0)), PageVerdict::kBadProof) << "the right page in the wrong place";
    EXPECT_EQ(sink.accept_page(sink.shape().pages, reply_of(*source, 0)), PageVerdict::kOutOfRange);
    std::vector<std::byte> shorter = reply_of(*source, 0);
    shorter.pop_back();
    EXPECT_EQ(sink.accept_page(0, shorter), PageVerdict::kBadLength);
    EXPECT_EQ(sink.accept_page(0, {}), PageVerdict::kBadLength);
    EXPECT_EQ(sink.pages_had(), 0U);
  }
}

TEST(PageTable, GivesTheHashOfEveryChunkWhosePageIsThere) {
  const std::uint32_t chunks = 2 * kXxh3PerPage + 3;
  const Sample sample = synthetic(chunks, 20);
  const std::vector<std::byte> xxh3 = random_bytes(std::size_t{chunks} * 16, 20);
  PageTable sink(table_shape(sample.core, TableId::kXxh3));
  ASSERT_EQ(sink.accept_page(1, reply_of(sample.xxh3, 1)), PageVerdict::kAccepted);
  for (std::uint32_t i = 0; i < chunks; ++i) {
    const std::optional<Hash128> all = sample.xxh3.xxh3_of(ChunkIndex{i});
    ASSERT_TRUE(all.has_value());
    EXPECT_TRUE(std::ranges::equal(*all, ByteSpan(xxh3).subspan(std::size_t{i} * 16, 16)));
    EXPECT_EQ(sink.xxh3_of(ChunkIndex{i}).has_value(), i / kXxh3PerPage == 1);
  }
  EXPECT_FALSE(sample.xxh3.xxh3_of(ChunkIndex{chunks}).has_value());
  EXPECT_FALSE(sample.sha256.sha256_of(ChunkIndex{chunks}).has_value());
  EXPECT_FALSE(sample.sha256.sha256_of(ChunkIndex{UINT32_MAX}).has_value());
}

TEST(PageTable, OfAnEmptyContentIsCompleteAndHasAZeroRoot) {
  const Sample sample = describe_bytes({}, kDefaultChunkBytes);
  EXPECT_TRUE(sample.xxh3.complete());
  EXPECT_TRUE(sample.sha256.complete());
  EXPECT_EQ(sample.core.xxh3_root, Hash256{});
  EXPECT_EQ(sample.core.sha256_root, Hash256{});
  EXPECT_TRUE(check_manifest(sample.core));
  PageTable sink(table_shape(sample.core, TableId::kXxh3));
  EXPECT_TRUE(sink.complete());
  EXPECT_EQ(sink.accept_page(0, {}), PageVerdict::kOutOfRange);
}

TEST(PageTable, TablesOfDifferentKindsNeverShareARoot) {
  ManifestCore core = synthetic(64, 30).core;
  core.entry_table_bytes = 1024;
  const std::vector<std::byte> bytes = random_bytes(1024, 31);
  const PageTable entries = PageTable::build(table_shape(core, TableId::kEntries), bytes);
  const PageTable xxh3 = PageTable::build(table_shape(core, TableId::kXxh3), bytes);
  EXPECT_NE(entries.root(), xxh3.root());
}

}  // namespace
}  // namespace peernet::content
