#include "content/tree_chunks.hpp"

#include <gtest/gtest.h>

#include <map>

#include "content_samples.hpp"

namespace peernet::content {
namespace {

/// The plain way: every byte is put into its 16 KiB block of the address space.
TEST(TreeChunks, LeavesAreTheBlocksOfTheAddressSpaceWithoutGaps) {
  for (std::uint64_t seed = 1; seed <= 15; ++seed) {
    SCOPED_TRACE(seed);
    Rng rng(seed);
    const std::uint32_t chunk_bytes = 16384U << rng.below(4);
    std::vector<std::uint64_t> sizes(1 + rng.below(40));
    for (std::uint64_t& size : sizes) {
      constexpr std::uint64_t kOften[] = {0, 1, 4096, 16383, 16384, 16385, 65536};
      size = rng.chance(0.5) ? kOften[rng.below(7)] : rng.below(rng.chance(0.5) ? 5000 : 200'000);
    }
    const Layout layout = *Layout::make(sizes, chunk_bytes);
    if (layout.total_bytes() == 0) continue;
    const std::uint32_t chunks = chunk_count_for(layout.total_bytes(), chunk_bytes);
    for (std::uint32_t c = 0; c < chunks; ++c) {
      std::map<std::uint64_t, std::vector<std::byte>> blocks;
      std::uint64_t payload = 0;
      for (std::uint32_t f = 0; f < sizes.size(); ++f)
        for (std::uint64_t i = 0; i < sizes[f]; ++i) {
          const std::uint64_t address = layout.address_of(f) + i;
          if (address / chunk_bytes != c) continue;
          blocks[address / kLeafBytes].push_back(static_cast<std::byte>(address * 31 + f));
          ++payload;
        }
      ASSERT_EQ(layout.chunk_payload(ChunkIndex{c}), payload);
      std::vector<std::byte> bytes;
      std::vector<Hash256> expected;
      for (const auto& [block, content] : blocks) {
        bytes.insert(bytes.end(), content.begin(), content.end());
        expected.push_back(crypto::sha256(content));
      }
      std::vector<Hash256> leaves(chunk_bytes / kLeafBytes);
      const std::uint32_t n = tree_leaf_hashes(layout, ChunkIndex{c}, bytes, leaves);
      leaves.resize(n);
      ASSERT_EQ(leaves, expected);
      const auto height = static_cast<unsigned>(std::countr_zero(chunk_bytes / kLeafBytes));
      ASSERT_EQ(tree_chunk_sha256(layout, ChunkIndex{c}, bytes, height),
                merkle_root(expected, 0, chunk_bytes / kLeafBytes));
    }
  }
}

TEST(TreeChunks, OneFileWithoutGapsIsHashedAsAFile) {
  const std::vector<std::byte> bytes = random_bytes(100'000, 1);
  const Layout layout = Layout::single(bytes.size(), 131072);
  EXPECT_EQ(tree_chunk_sha256(layout, ChunkIndex{0}, bytes, 3), chunk_sha256(bytes, 3));
}

}  // namespace
}  // namespace peernet::content
