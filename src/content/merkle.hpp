// Merkle trees over SHA-256 as BEP 52 has them: a node is SHA-256(left | right), missing leaves are zero hashes, the
// width is the next power of two. A level-L padding node is the root of 2^L zero leaves.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <span>
#include <vector>

#include "base/types.hpp"
#include "content/manifest.hpp"

namespace peernet::content {

Hash256 hash_pair(const Hash256& left, const Hash256& right);
/// Root of 2^level zero leaves; level at most 63.
Hash256 padding_hash(unsigned level);

/// Root of the nodes, which stand on `level` of the whole tree, padded to the next power of two (or to at least
/// min_width).
Hash256 merkle_root(std::span<const Hash256> nodes, unsigned level, std::uint64_t min_width = 1);

/// The nodes above n leaves that are known so far. A receiver fills it from proofs, a publisher from the leaves.
/// Bounded by 2 x the padded width.
class MerkleTree {
 public:
  /// leaf_level: the level on which the leaves stand (0, or the height of a table page's subtree), for padding.
  MerkleTree(std::uint32_t leaf_count, unsigned leaf_level);

  /// Sets every leaf and computes everything above; leaves.size() == leaf_count.
  void build(std::span<const Hash256> leaves);
  /// A leaf with its proof (siblings from leaf to root): true and remembered if they lead to the root; otherwise
  /// nothing changes.
  bool accept(std::uint32_t leaf, const Hash256& hash, std::span<const Hash256> proof, const Hash256& root);

  bool knows_leaf(std::uint32_t leaf) const;
  /// Siblings from leaf to root of a known leaf into out (size proof_length()); false if a sibling is unknown.
  bool proof(std::uint32_t leaf, std::span<Hash256> out) const;

  unsigned proof_length() const { return height_; }
  std::uint32_t leaf_count() const { return leaf_count_; }
  const Hash256& root() const { return nodes_[1]; }
  static unsigned height_of(std::uint32_t leaf_count) {
    return leaf_count <= 1 ? 0U : static_cast<unsigned>(std::bit_width(leaf_count - 1U));
  }

 private:
  void fill_padding(unsigned leaf_level);

  std::uint32_t leaf_count_;
  unsigned height_;
  std::vector<Hash256> nodes_;  // heap order: root at 1, children of i at 2i and 2i+1
  std::vector<bool> known_;
};

/// Folds leaf hashes into a subtree root as they come; no allocation.
class RootFolder {
 public:
  void add(const Hash256& leaf);
  /// Root padded to 2^height leaves; height 0..16, at least as many as were added. The folder is empty afterwards.
  Hash256 finish(unsigned height);
  std::uint32_t count() const { return count_; }

 private:
  std::array<Hash256, 17>
      pending_{};  // pending_[i]: root of a full subtree of 2^i leaves, where bit i of count_ is set
  std::uint32_t count_ = 0;
};

/// Height of the chunk subtree: log2(chunk_bytes / 16 KiB), or what one short chunk alone needs (BEP 52: a file below
/// one piece).
unsigned chunk_tree_height(const ManifestCore& core);

/// Adds the leaf hashes of these bytes, in batches that fit the stack.
void add_leaves(ByteSpan data, RootFolder& folder);
/// SHA-256 chunk hash of a single file's chunk; data.size() == core.chunk_span(chunk).
Hash256 chunk_sha256(ByteSpan data, unsigned tree_height);
/// Leaf hashes of a chunk's bytes into out; returns how many (ceil(size / 16 KiB)). out must be large enough.
std::uint32_t leaf_hashes(ByteSpan data, std::span<Hash256> out);
/// Do these leaf hashes (of a HASHES frame) lead to the chunk's hash?
bool leaves_match(std::span<const Hash256> leaves, unsigned tree_height, const Hash256& chunk_hash);

}  // namespace peernet::content
