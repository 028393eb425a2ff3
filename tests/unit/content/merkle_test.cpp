#include "content/merkle.hpp"

#include <gtest/gtest.h>

#include "content/zero_chunk.hpp"
#include "content_samples.hpp"

namespace peernet::content {
namespace {

/// The definition, row by row.
Hash256 plain_root(std::vector<Hash256> row, unsigned level, std::size_t min_width) {
  std::size_t width = 1;
  while (width < std::max(row.size(), min_width)) width *= 2;
  Hash256 padding{};
  for (unsigned i = 0; i < level; ++i) padding = hash_pair(padding, padding);
  row.resize(width, padding);
  while (row.size() > 1) {
    std::vector<Hash256> above;
    for (std::size_t i = 0; i < row.size(); i += 2) above.push_back(hash_pair(row[i], row[i + 1]));
    row = std::move(above);
  }
  return row[0];
}

TEST(Merkle, EveryWayToARootAgreesWithTheDefinition) {
  Rng rng(1);
  for (std::size_t n = 0; n <= 70; ++n) {
    std::vector<Hash256> leaves(n);
    for (Hash256& leaf : leaves) leaf = random_hash(rng);
    for (const unsigned level : {0U, 3U})
      for (const std::size_t width : {1U, 16U, 128U})
        EXPECT_EQ(merkle_root(leaves, level, width), plain_root(leaves, level, width)) << n << " " << width;
    RootFolder folder;
    for (const unsigned height : {7U, 10U}) {
      for (const Hash256& leaf : leaves) folder.add(leaf);
      EXPECT_EQ(folder.count(), n);
      EXPECT_EQ(folder.finish(height), plain_root(leaves, 0, std::size_t{1} << height)) << n;
    }
    if (n == 0) continue;
    MerkleTree tree(static_cast<std::uint32_t>(n), 3);
    tree.build(leaves);
    EXPECT_EQ(tree.root(), plain_root(leaves, 3, 1)) << n;
  }
}

TEST(Merkle, ProofsLeadToTheRootAndNothingElseDoes) {
  Rng rng(2);
  for (const std::uint32_t n : {1U, 2U, 3U, 5U, 8U, 13U, 33U}) {
    std::vector<Hash256> leaves(n);
    for (Hash256& leaf : leaves) leaf = random_hash(rng);
    MerkleTree owner(n, 0);
    owner.build(leaves);
    MerkleTree learner(n, 0);
    std::vector<Hash256> proof(owner.proof_length());
    for (std::uint32_t i = 0; i < n; ++i) {
      ASSERT_TRUE(owner.proof(i, proof));
      EXPECT_FALSE(learner.knows_leaf(i) && n == 1);
      EXPECT_FALSE(learner.accept(i, random_hash(rng), proof, owner.root())) << "a wrong leaf";
      if (!proof.empty()) {
        std::vector<Hash256> bad = proof;
        bad[rng.below(bad.size())][rng.below(32)] ^= std::byte{1};
        EXPECT_FALSE(learner.accept(i, leaves[i], bad, owner.root())) << "a wrong sibling";
        EXPECT_FALSE(learner.accept(i, leaves[i], std::span(proof).first(proof.size() - 1), owner.root()));
        EXPECT_FALSE(learner.accept(i ^ 1U, leaves[i], proof, owner.root())) << "the wrong place";
      }
      EXPECT_FALSE(learner.accept(n, leaves[i], proof, owner.root())) << "outside";
    }
    // In any order each accepted leaf can be proved again from what was learnt.
    for (std::uint32_t i = n; i-- > 0;) {
      ASSERT_TRUE(owner.proof(i, proof));
      ASSERT_TRUE(learner.accept(i, leaves[i], proof, owner.root()));
      std::vector<Hash256> again(learner.proof_length());
      ASSERT_TRUE(learner.proof(i, again));
      EXPECT_EQ(again, proof);
    }
  }
}

TEST(Merkle, ARefusedLeafTeachesNothing) {
  std::vector<Hash256> leaves(4);
  Rng rng(3);
  for (Hash256& leaf : leaves) leaf = random_hash(rng);
  MerkleTree owner(4, 0), learner(4, 0);
  owner.build(leaves);
  std::vector<Hash256> proof(2);
  ASSERT_TRUE(owner.proof(0, proof));
  EXPECT_FALSE(learner.accept(0, leaves[1], proof, owner.root()));
  for (std::uint32_t i = 0; i < 4; ++i) EXPECT_FALSE(learner.knows_leaf(i));
  EXPECT_FALSE(learner.proof(0, proof));
}

TEST(Merkle, AChangedByteIsConvictedByItsLeaf) {
  const std::vector<std::byte> good = random_bytes(100'000, 4);
  std::vector<Hash256> leaves(7);
  ASSERT_EQ(leaf_hashes(good, leaves), 7U);
  const Hash256 chunk = chunk_sha256(good, 6);
  EXPECT_TRUE(leaves_match(leaves, 6, chunk));
  EXPECT_FALSE(leaves_match(leaves, 5, chunk));
  EXPECT_FALSE(leaves_match(leaves, 2, chunk)) << "more leaves than the tree has";
  EXPECT_FALSE(leaves_match(leaves, 60, chunk));
  std::vector<std::byte> bad = good;
  bad[3 * kLeafBytes + 17] ^= std::byte{1};
  std::vector<Hash256> other(7);
  leaf_hashes(bad, other);
  for (std::size_t i = 0; i < 7; ++i) EXPECT_EQ(leaves[i] == other[i], i != 3);
  EXPECT_FALSE(leaves_match(other, 6, chunk));
}

TEST(ZeroChunks, AreWhatHashingZerosGives) {
  for (const std::uint32_t chunk : {16384U, 1U << 20})
    for (const std::uint64_t size :
         {1ULL, 16383ULL, 16384ULL, 16385ULL, (1ULL << 20) - 1, 1ULL << 20, (1ULL << 20) + 1, (3ULL << 20) + 20000}) {
      const std::vector<std::byte> zeros(size);
      const Sample sample = describe_bytes(zeros, chunk);
      const ZeroChunks known(sample.core);
      for (std::uint32_t i = 0; i < sample.core.chunk_count; ++i) {
        EXPECT_EQ(known.xxh3_of(ChunkIndex{i}), sample.xxh3.xxh3_of(ChunkIndex{i})) << size << " " << i;
        EXPECT_EQ(known.sha256_of(ChunkIndex{i}), sample.sha256.sha256_of(ChunkIndex{i})) << size << " " << i;
      }
    }
  ManifestCore empty;
  static_cast<void>(ZeroChunks(empty));
}

}  // namespace
}  // namespace peernet::content
