#include "content/manifest.hpp"

#include <gtest/gtest.h>

#include <cstring>

#include "content_samples.hpp"

namespace peernet::content {
namespace {

ManifestCore good_core() {
  ManifestCore core;
  core.chunk_bytes = 1 << 20;
  core.total_bytes = core.payload_bytes = (5ULL << 20) + 1;
  core.chunk_count = 6;
  core.entry_count = 1;
  core.entry_table_bytes = 60;
  Rng rng(7);
  core.entry_root = random_hash(rng);
  core.xxh3_root = random_hash(rng);
  core.sha256_root = random_hash(rng);
  return core;
}

TEST(Manifest, EncodesAndDecodesToTheSame) {
  const ManifestCore core = good_core();
  EXPECT_EQ(decode_manifest(encode_manifest(core)).value(), core);
}

TEST(Manifest, EveryFlippedBitIsRefusedOrGivesAnotherContentId) {
  const ByteArray<kManifestBytes> bytes = encode_manifest(good_core());
  const ContentId id = content_id_of(ByteSpan(bytes));
  int refused = 0;
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    ByteArray<kManifestBytes> bad = bytes;
    bad[bit / 8] ^= static_cast<std::byte>(1U << (bit % 8));
    EXPECT_NE(content_id_of(ByteSpan(bad)), id);
    const Result<ManifestCore> decoded = decode_manifest(bad);
    if (!decoded) {
      ++refused;
      EXPECT_EQ(decoded.error().code, ErrorCode::kIntegrity);
    } else {
      EXPECT_EQ(encode_manifest(*decoded), bad) << "one core, one encoding";
    }
  }
  EXPECT_GT(refused, 64 + 2 * 64) << "magic, version, kind, chunk size, sizes and counts are all checked";
}

TEST(Manifest, RefusesEveryWrongLength) {
  const ByteArray<kManifestBytes> bytes = encode_manifest(good_core());
  for (std::size_t n = 0; n < bytes.size(); ++n) EXPECT_FALSE(decode_manifest(ByteSpan(bytes).first(n)));
  std::vector<std::byte> longer(bytes.begin(), bytes.end());
  longer.push_back(std::byte{0});
  EXPECT_FALSE(decode_manifest(longer));
}

TEST(Manifest, RefusesHostileNumbers) {
  const auto refused = [](auto change) {
    ManifestCore core = good_core();
    change(core);
    const Result<void> result = check_manifest(core);
    return !result && result.error().code == ErrorCode::kIntegrity;
  };
  ASSERT_TRUE(check_manifest(good_core()));
  EXPECT_TRUE(refused([](ManifestCore& c) { c.chunk_bytes = 0; }));
  EXPECT_TRUE(refused([](ManifestCore& c) { c.chunk_bytes = 8192; }));
  EXPECT_TRUE(refused([](ManifestCore& c) { c.chunk_bytes = 3 << 19; }));
  EXPECT_TRUE(refused([](ManifestCore& c) { c.chunk_bytes = 32 << 20; }));
  EXPECT_TRUE(refused([](ManifestCore& c) { c.chunk_count = 5; }));
  EXPECT_TRUE(refused([](ManifestCore& c) { c.chunk_count = 7; }));
  EXPECT_TRUE(refused([](ManifestCore& c) { c.total_bytes = UINT64_MAX; }));
  EXPECT_TRUE(refused([](ManifestCore& c) {
    c.total_bytes = c.payload_bytes = UINT64_MAX - 5;
    c.chunk_count = 0;
  })) << "ceil must not overflow to 0";
  EXPECT_TRUE(refused([](ManifestCore& c) { c.payload_bytes -= 1; }));
  EXPECT_TRUE(refused([](ManifestCore& c) { c.entry_count = 0; }));
  EXPECT_TRUE(refused([](ManifestCore& c) { c.entry_count = 2; }));
  EXPECT_TRUE(refused([](ManifestCore& c) { c.entry_table_bytes = 10; }));
  EXPECT_TRUE(refused([](ManifestCore& c) { c.entry_table_bytes = kPageBytes + 1; }));
  EXPECT_TRUE(refused([](ManifestCore& c) { c.entry_table_bytes = UINT32_MAX; }));
  EXPECT_TRUE(refused([](ManifestCore& c) {
    c.total_bytes = c.payload_bytes = 0;
    c.chunk_count = 0;
  })) << "an empty content has no hash tables";
  EXPECT_TRUE(refused([](ManifestCore& c) {
    c.kind = ContentKind::kTree;
    c.payload_bytes = c.total_bytes + 1;
  }));
  EXPECT_TRUE(refused([](ManifestCore& c) {
    c.kind = ContentKind::kTree;
    c.entry_count = 1000;
  }));
  EXPECT_FALSE(refused([](ManifestCore& c) {
    c.kind = ContentKind::kTree;
    c.entry_count = 2;
    c.payload_bytes -= 100;
  }));
}

TEST(Manifest, ChunkSpansSumToTheSizeAroundEveryBorder) {
  for (const std::uint32_t chunk : {16384U, 1U << 20})
    for (const std::uint64_t size : {0ULL, 1ULL, 4095ULL, 4096ULL, 4097ULL, 16383ULL, 16384ULL, 16385ULL,
                                     (1ULL << 20) - 1, 1ULL << 20, (1ULL << 20) + 1, (3ULL << 20) + 5}) {
      ManifestCore core;
      core.chunk_bytes = chunk;
      core.total_bytes = size;
      core.chunk_count = chunk_count_for(size, chunk);
      std::uint64_t sum = 0;
      for (std::uint32_t i = 0; i < core.chunk_count; ++i) {
        EXPECT_EQ(core.chunk_start(ChunkIndex{i}), sum);
        EXPECT_GT(core.chunk_span(ChunkIndex{i}), 0U);
        sum += core.chunk_span(ChunkIndex{i});
      }
      EXPECT_EQ(sum, size);
    }
}

TEST(Manifest, ChunkSizeGrowsSoThatHashTablesStaySmall) {
  EXPECT_EQ(choose_chunk_bytes(0), kDefaultChunkBytes);
  EXPECT_EQ(choose_chunk_bytes(200'000'000), kDefaultChunkBytes);
  EXPECT_EQ(choose_chunk_bytes((256ULL << 30) - 1), kDefaultChunkBytes);
  EXPECT_EQ(choose_chunk_bytes(1ULL << 40), 8U << 20);
  EXPECT_EQ(choose_chunk_bytes(100ULL << 40), kMaxChunkBytes);
  for (std::uint64_t size = 1 << 20; size <= 4ULL << 40; size *= 2)
    EXPECT_LE(chunk_count_for(size, choose_chunk_bytes(size)), 1U << 18) << size;
  EXPECT_TRUE(fits_chunk_count(256ULL << 40, kMaxChunkBytes));
  EXPECT_FALSE(fits_chunk_count((256ULL << 40) + 1, kMaxChunkBytes));
}

}  // namespace
}  // namespace peernet::content
