#include "content/table.hpp"

#include <algorithm>
#include <cstring>

#include "base/check.hpp"
#include "crypto/hash.hpp"

namespace peernet::content {
namespace {

constexpr unsigned kSha256PageHeight = 9;  // 512 chunk hashes
constexpr std::size_t kMaxProofHashes = 24;
static_assert((1U << kSha256PageHeight) == kSha256PerPage);
static_assert(kMaxChunkCount / kSha256PerPage <= (1U << kMaxProofHashes));
static_assert(kMaxEntryTableBytes / kPageBytes <= (1U << kMaxProofHashes));

unsigned leaf_level(const TableShape& shape) {
  return shape.id == TableId::kSha256 ? shape.chunk_height + kSha256PageHeight : 0;
}

}  // namespace

std::uint32_t TableShape::page_bytes(std::uint32_t page) const {
  PN_CHECK(page < pages);
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(kPageBytes, bytes - std::uint64_t{page} * kPageBytes));
}

TableShape table_shape(const ManifestCore& core, TableId id) {
  TableShape shape;
  shape.id = id;
  switch (id) {
    case TableId::kEntries:
      shape.bytes = core.entry_table_bytes;
      shape.root = core.entry_root;
      break;
    case TableId::kXxh3:
      shape.bytes = std::uint64_t{core.chunk_count} * 16;
      shape.root = core.xxh3_root;
      break;
    case TableId::kSha256:
      shape.bytes = std::uint64_t{core.chunk_count} * 32;
      shape.root = core.sha256_root;
      shape.chunk_height = chunk_tree_height(core);
      break;
    case TableId::kChunks:
    case TableId::kManifest:
      PN_CHECK(false && "not a table of pages");
  }
  shape.pages = static_cast<std::uint32_t>((shape.bytes + kPageBytes - 1) / kPageBytes);
  shape.proof_hashes = MerkleTree::height_of(shape.pages);
  return shape;
}

PageTable::PageTable(const TableShape& shape)
    : shape_(shape), pages_(shape.pages), tree_(std::in_place, shape.pages, leaf_level(shape)) {}

PageTable PageTable::build(TableShape shape, ByteSpan bytes) {
  PN_CHECK(bytes.size() == shape.bytes);
  PageTable table(shape);
  std::vector<Hash256> leaves(shape.pages);
  for (std::uint32_t page = 0; page < shape.pages; ++page) {
    const ByteSpan part = bytes.subspan(std::size_t{page} * kPageBytes, shape.page_bytes(page));
    leaves[page] = table.leaf_of(part);
    table.pages_[page] = std::make_unique_for_overwrite<std::byte[]>(part.size());
    std::memcpy(table.pages_[page].get(), part.data(), part.size());
  }
  table.have_ = shape.pages;
  if (shape.pages != 0) table.tree_->build(leaves);
  table.shape_.root = table.tree_->root();
  return table;
}

Hash256 PageTable::leaf_of(ByteSpan page_bytes) const {
  if (shape_.id == TableId::kSha256) {
    std::array<Hash256, kSha256PerPage> hashes;
    const std::size_t n = page_bytes.size() / 32;
    std::memcpy(hashes.data(), page_bytes.data(), n * 32);
    return merkle_root(std::span(hashes).first(n), shape_.chunk_height, shape_.pages > 1 ? kSha256PerPage : 1);
  }
  // The prefix keeps a page from being taken for an inner node or for a page of the other table.
  crypto::Sha256 sha;
  const ByteArray<1> id{static_cast<std::byte>(shape_.id)};
  sha.update(crypto::label("pn1 page"));
  sha.update(id);
  sha.update(page_bytes);
  return sha.finish();
}

PageVerdict PageTable::accept_page(std::uint32_t page, ByteSpan reply) {
  if (page >= shape_.pages) return PageVerdict::kOutOfRange;
  if (has_page(page)) return PageVerdict::kDuplicate;
  if (reply.size() != shape_.reply_bytes(page)) return PageVerdict::kBadLength;
  const ByteSpan bytes = reply.first(shape_.page_bytes(page));
  std::array<Hash256, kMaxProofHashes> proof;
  std::memcpy(proof.data(), reply.data() + bytes.size(), std::size_t{32} * shape_.proof_hashes);
  if (!tree_->accept(page, leaf_of(bytes), std::span(proof).first(shape_.proof_hashes), shape_.root))
    return PageVerdict::kBadProof;
  pages_[page] = std::make_unique_for_overwrite<std::byte[]>(bytes.size());
  std::memcpy(pages_[page].get(), bytes.data(), bytes.size());
  ++have_;
  return PageVerdict::kAccepted;
}

ByteSpan PageTable::page(std::uint32_t page) const {
  if (!has_page(page)) return {};
  return {pages_[page].get(), shape_.page_bytes(page)};
}

std::uint32_t PageTable::write_reply(std::uint32_t page, MutableByteSpan out) const {
  if (!has_page(page)) return 0;
  const ByteSpan bytes = this->page(page);
  PN_CHECK(out.size() >= shape_.reply_bytes(page));
  std::array<Hash256, kMaxProofHashes> proof;
  PN_CHECK(tree_->proof(page, std::span(proof).first(shape_.proof_hashes)));
  std::memcpy(out.data(), bytes.data(), bytes.size());
  std::memcpy(out.data() + bytes.size(), proof.data(), std::size_t{32} * shape_.proof_hashes);
  return shape_.reply_bytes(page);
}

std::optional<Hash128> PageTable::xxh3_of(ChunkIndex chunk) const {
  PN_CHECK(shape_.id == TableId::kXxh3);
  const ByteSpan bytes = page(xxh3_page(chunk));
  const std::size_t at = std::size_t{chunk.value() % kXxh3PerPage} * 16;
  if (at + 16 > bytes.size()) return std::nullopt;
  Hash128 out;
  std::memcpy(out.data(), bytes.data() + at, 16);
  return out;
}

std::optional<Hash256> PageTable::sha256_of(ChunkIndex chunk) const {
  PN_CHECK(shape_.id == TableId::kSha256);
  const ByteSpan bytes = page(sha256_page(chunk));
  const std::size_t at = std::size_t{chunk.value() % kSha256PerPage} * 32;
  if (at + 32 > bytes.size()) return std::nullopt;
  Hash256 out;
  std::memcpy(out.data(), bytes.data() + at, 32);
  return out;
}

}  // namespace peernet::content
