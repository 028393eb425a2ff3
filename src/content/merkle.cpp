#include "content/merkle.hpp"

#include <algorithm>

#include "base/check.hpp"
#include "crypto/hash.hpp"

namespace peernet::content {
namespace {

constexpr unsigned kMaxLevel = 64;

std::array<Hash256, kMaxLevel> make_padding() {
  std::array<Hash256, kMaxLevel> out{};
  for (unsigned level = 1; level < kMaxLevel; ++level) out[level] = hash_pair(out[level - 1], out[level - 1]);
  return out;
}

}  // namespace

Hash256 hash_pair(const Hash256& left, const Hash256& right) {
  ByteArray<64> both;
  std::ranges::copy(left, both.begin());
  std::ranges::copy(right, both.begin() + 32);
  return crypto::sha256(both);
}

Hash256 padding_hash(unsigned level) {
  static const std::array<Hash256, kMaxLevel> kPadding = make_padding();
  PN_CHECK(level < kMaxLevel);
  return kPadding[level];
}

Hash256 merkle_root(std::span<const Hash256> nodes, unsigned level, std::uint64_t min_width) {
  const std::uint64_t width = std::bit_ceil(std::max<std::uint64_t>({nodes.size(), min_width, 1}));
  const auto height = static_cast<unsigned>(std::countr_zero(width));
  // A binary counter: row[i] holds the root of the last complete, not yet paired run of 2^i nodes.
  std::array<Hash256, kMaxLevel> row;
  std::uint64_t count = 0;
  const auto add = [&](Hash256 hash, unsigned at) {
    unsigned i = at;
    for (; ((count >> i) & 1U) != 0; ++i) hash = hash_pair(row[i], hash);
    row[i] = hash;
    count += std::uint64_t{1} << at;
  };
  for (const Hash256& node : nodes) add(node, 0);
  // Pad with the largest aligned runs that fit: at most one per level.
  while (count < width) {
    const auto run = count == 0 ? height : static_cast<unsigned>(std::countr_zero(count));
    add(padding_hash(level + run), run);
  }
  return row[height];
}

MerkleTree::MerkleTree(std::uint32_t leaf_count, unsigned leaf_level)
    : leaf_count_(leaf_count),
      height_(height_of(leaf_count)),
      nodes_(std::size_t{2} << height_),
      known_(nodes_.size()) {
  fill_padding(leaf_level);
}

void MerkleTree::fill_padding(unsigned leaf_level) {
  const std::size_t width = std::size_t{1} << height_;
  std::size_t first = width + leaf_count_;  // first padding node of the row
  std::size_t end = 2 * width;
  for (unsigned up = 0; up < height_; ++up) {
    for (std::size_t i = first; i < end; ++i) {
      nodes_[i] = padding_hash(leaf_level + up);
      known_[i] = true;
    }
    first = (first + 1) / 2;  // a parent is padding only if both children are
    end /= 2;
  }
}

void MerkleTree::build(std::span<const Hash256> leaves) {
  PN_CHECK(leaves.size() == leaf_count_);
  const std::size_t width = std::size_t{1} << height_;
  for (std::size_t i = 0; i < leaves.size(); ++i) nodes_[width + i] = leaves[i];
  for (std::size_t i = width - 1; i >= 1; --i)
    if (!known_[i]) nodes_[i] = hash_pair(nodes_[2 * i], nodes_[2 * i + 1]);
  std::fill(known_.begin() + 1, known_.end(), true);
}

bool MerkleTree::accept(std::uint32_t leaf, const Hash256& hash, std::span<const Hash256> proof, const Hash256& root) {
  if (leaf >= leaf_count_ || proof.size() != height_) return false;
  const std::size_t at = (std::size_t{1} << height_) + leaf;
  std::array<Hash256, 32> path;  // the node itself and its ancestors
  path[0] = hash;
  for (unsigned up = 0; up < height_; ++up)
    path[up + 1] = ((at >> up) & 1U) != 0 ? hash_pair(proof[up], path[up]) : hash_pair(path[up], proof[up]);
  if (path[height_] != root) return false;
  for (unsigned up = 0; up <= height_; ++up) {
    nodes_[at >> up] = path[up];
    known_[at >> up] = true;
    if (up == height_) break;
    nodes_[(at >> up) ^ 1U] = proof[up];
    known_[(at >> up) ^ 1U] = true;
  }
  return true;
}

bool MerkleTree::knows_leaf(std::uint32_t leaf) const {
  return leaf < leaf_count_ && known_[(std::size_t{1} << height_) + leaf];
}

bool MerkleTree::proof(std::uint32_t leaf, std::span<Hash256> out) const {
  if (leaf >= leaf_count_ || out.size() != height_) return false;
  const std::size_t at = (std::size_t{1} << height_) + leaf;
  for (unsigned up = 0; up < height_; ++up) {
    const std::size_t sibling = (at >> up) ^ 1U;
    if (!known_[sibling]) return false;
    out[up] = nodes_[sibling];
  }
  return true;
}

void RootFolder::add(const Hash256& leaf) {
  PN_CHECK(count_ < (1U << 16));
  Hash256 hash = leaf;
  unsigned i = 0;
  for (; ((count_ >> i) & 1U) != 0; ++i) hash = hash_pair(pending_[i], hash);
  pending_[i] = hash;
  ++count_;
}

Hash256 RootFolder::finish(unsigned height) {
  PN_CHECK(height <= 16 && count_ <= (1U << height));
  Hash256 right{};  // root of the rightmost 2^level leaves, once there are any
  bool any = false;
  for (unsigned level = 0; level < height; ++level) {
    const bool bit = ((count_ >> level) & 1U) != 0;
    if (!bit && !any) continue;
    const Hash256 padding = padding_hash(level);
    right = bit ? hash_pair(pending_[level], any ? right : padding) : hash_pair(right, padding);
    any = true;
  }
  const bool exact = ((count_ >> height) & 1U) != 0;
  const Hash256 root = exact ? pending_[height] : any ? right : padding_hash(height);
  count_ = 0;
  return root;
}

unsigned chunk_tree_height(const ManifestCore& core) {
  if (core.chunk_count > 1) return static_cast<unsigned>(std::countr_zero(core.chunk_bytes / kLeafBytes));
  return MerkleTree::height_of(static_cast<std::uint32_t>((core.total_bytes + kLeafBytes - 1) / kLeafBytes));
}

std::uint32_t leaf_hashes(ByteSpan data, std::span<Hash256> out) {
  const std::size_t leaves = (data.size() + kLeafBytes - 1) / kLeafBytes;
  PN_CHECK(out.size() >= leaves);
  if (leaves != 0) crypto::sha256_leaves(data, kLeafBytes, out.first(leaves));
  return static_cast<std::uint32_t>(leaves);
}

void add_leaves(ByteSpan data, RootFolder& folder) {
  constexpr std::size_t kBatch = 16;
  std::array<Hash256, kBatch> leaves;
  for (std::size_t at = 0; at < data.size(); at += kBatch * kLeafBytes) {
    const ByteSpan part = data.subspan(at, std::min(kBatch * kLeafBytes, data.size() - at));
    const std::uint32_t n = leaf_hashes(part, leaves);
    for (std::uint32_t i = 0; i < n; ++i) folder.add(leaves[i]);
  }
}

Hash256 chunk_sha256(ByteSpan data, unsigned tree_height) {
  RootFolder folder;
  add_leaves(data, folder);
  return folder.finish(tree_height);
}

bool leaves_match(std::span<const Hash256> leaves, unsigned tree_height, const Hash256& chunk_hash) {
  if (tree_height > 16 || leaves.size() > (std::size_t{1} << tree_height)) return false;
  RootFolder folder;
  for (const Hash256& leaf : leaves) folder.add(leaf);
  return folder.finish(tree_height) == chunk_hash;
}

}  // namespace peernet::content
