// Reads pieces of a tree's chunks from its files, one or many. Blocking: on a helper thread, never on a shard. One
// reader serves one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/types.hpp"
#include "content/tree_listing.hpp"
#include "storage/tree_files.hpp"

namespace peernet::storage {

class TreeReader {
 public:
  /// What is pointed at outlives the reader; root: descriptor of the folder. inodes: SharedTree's, to notice files that
  /// changed (size, mtime, inode); empty for a folder that is being received.
  TreeReader(int root, const content::TreeListing& listing, std::span<const std::uint64_t> inodes);

  /// Bytes of a chunk from `offset` on (without gaps, as on the wire). into.size(), or -ESTALE: a file is not what was
  /// hashed any more (or is shorter), or another -errno; then failed_entry() says which file.
  std::int64_t read(ChunkIndex chunk, std::uint32_t offset, MutableByteSpan into);
  std::uint32_t failed_entry() const { return failed_; }

 private:
  std::int64_t read_segment(std::uint32_t entry, std::uint64_t offset, MutableByteSpan into);
  bool is_stale(int fd, std::uint32_t entry) const;

  const content::TreeListing& listing_;
  std::span<const std::uint64_t> inodes_;
  TreeFiles files_;
  std::uint32_t failed_ = 0;
};

}  // namespace peernet::storage
