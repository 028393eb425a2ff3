// A table of the manifest: pages of 16 KiB under a Merkle root of the core. The publisher builds it, a receiver fills
// it page by page; nothing is kept that was not verified, and whoever has a page can serve it with its proof.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/types.hpp"
#include "content/manifest.hpp"
#include "content/merkle.hpp"

namespace peernet::content {

inline constexpr std::uint32_t kXxh3PerPage = kPageBytes / 16;
inline constexpr std::uint32_t kSha256PerPage = kPageBytes / 32;
/// Longest reply to a table request: a page and its proof.
inline constexpr std::uint32_t kMaxPageReplyBytes = kPageBytes + 32 * 24;

/// What the core says about a table; id is kEntries, kXxh3 or kSha256.
struct TableShape {
  TableId id = TableId::kEntries;
  std::uint64_t bytes = 0;
  std::uint32_t pages = 0;
  unsigned proof_hashes = 0;  ///< siblings in each page's proof
  unsigned chunk_height = 0;  ///< kSha256: height of a chunk's own subtree, the level its hashes stand on
  Hash256 root{};

  std::uint32_t page_bytes(std::uint32_t page) const;
  /// Length of the reply to a request for this page; a REQUEST must name exactly this length.
  std::uint32_t reply_bytes(std::uint32_t page) const { return page_bytes(page) + 32 * proof_hashes; }
};

TableShape table_shape(const ManifestCore& core, TableId id);

enum class PageVerdict : std::uint8_t { kAccepted, kDuplicate, kOutOfRange, kBadLength, kBadProof };

/// Allocates once per accepted page (or once at build); everything else is in place. Not thread safe; immutable when
/// complete.
class PageTable {
 public:
  PageTable() = default;  ///< an empty table, complete
  /// Receiver: knows the shape, has no page yet.
  explicit PageTable(const TableShape& shape);
  /// Publisher: all bytes of the table; shape.root is computed (see root()).
  static PageTable build(TableShape shape, ByteSpan bytes);

  PageVerdict accept_page(std::uint32_t page, ByteSpan reply);

  bool has_page(std::uint32_t page) const { return page < pages_.size() && pages_[page] != nullptr; }
  bool complete() const { return have_ == shape_.pages; }
  std::uint32_t pages_had() const { return have_; }
  const TableShape& shape() const { return shape_; }
  const Hash256& root() const { return shape_.root; }
  /// Verified bytes of a page; empty if it is not there. Valid as long as the table.
  ByteSpan page(std::uint32_t page) const;
  /// Page bytes and proof into out (at least shape().reply_bytes(page)); the length, 0 if the page is not there.
  std::uint32_t write_reply(std::uint32_t page, MutableByteSpan out) const;

  /// kXxh3 / kSha256: the hash of a chunk, if its page is there.
  std::optional<Hash128> xxh3_of(ChunkIndex chunk) const;
  std::optional<Hash256> sha256_of(ChunkIndex chunk) const;
  static std::uint32_t xxh3_page(ChunkIndex chunk) { return chunk.value() / kXxh3PerPage; }
  static std::uint32_t sha256_page(ChunkIndex chunk) { return chunk.value() / kSha256PerPage; }

 private:
  Hash256 leaf_of(ByteSpan page_bytes) const;

  TableShape shape_;
  std::uint32_t have_ = 0;
  std::vector<std::unique_ptr<std::byte[]>> pages_;
  std::optional<MerkleTree> tree_;
};

}  // namespace peernet::content
