// Where files lie in the content's address space. A file of 16 KiB or more starts on a 16 KiB boundary and has its
// blocks to itself; smaller files share blocks but none crosses a boundary. The gaps this leaves are virtual: not sent,
// not stored, hashed as nothing. So a chunk's bytes are the concatenation of its segments, and its 16 KiB SHA-256
// leaves are those of BEP 52 for every file of a block or more.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/types.hpp"
#include "content/manifest.hpp"

namespace peernet::content {

/// A piece of a chunk that lies in one file.
struct Segment {
  std::uint32_t file = 0;  ///< index into the sizes given
  std::uint64_t file_offset = 0;
  std::uint32_t chunk_offset = 0;  ///< within the chunk's bytes, gaps left out
  std::uint32_t length = 0;
  bool starts_leaf = false;  ///< its first byte is the first of a 16 KiB leaf
  friend bool operator==(const Segment&, const Segment&) = default;
};

class Layout {
 public:
  /// sizes in entry order (0 for directories and empty files: they take no address). chunk_bytes as in the core.
  /// Sizes must sum to less than 2^56, else nullopt.
  static std::optional<Layout> make(std::span<const std::uint64_t> sizes, std::uint32_t chunk_bytes);
  static Layout single(std::uint64_t size, std::uint32_t chunk_bytes);

  std::uint64_t total_bytes() const { return total_; }
  std::uint64_t payload_bytes() const { return payload_; }
  std::uint32_t chunk_bytes() const { return chunk_bytes_; }
  std::uint64_t address_of(std::uint32_t file) const { return files_[file].address; }
  /// The next free address if another file of this size were added after `end` (end of the previous, whose size was
  /// `previous`).
  static std::uint64_t place(std::uint64_t end, std::uint64_t previous_size, std::uint64_t size);

  /// Bytes of the chunk without gaps.
  std::uint32_t chunk_payload(ChunkIndex chunk) const;

  /// Walks a chunk's segments in order; no allocation.
  class Cursor {
   public:
    std::optional<Segment> next();

   private:
    friend class Layout;
    Cursor(const Layout& layout, std::uint64_t start, std::uint64_t end);
    const Layout* layout_;  // outlives the cursor
    std::uint64_t start_;
    std::uint64_t end_;
    std::size_t file_;
    std::uint32_t chunk_offset_ = 0;
  };
  Cursor segments(ChunkIndex chunk) const {
    const std::uint64_t start = std::uint64_t{chunk.value()} * chunk_bytes_;
    return Cursor(*this, start, start + chunk_bytes_);
  }
  /// The same for any range of addresses; chunk_offset and length count from its begin. Shorter than 2^32.
  Cursor segments_between(std::uint64_t begin, std::uint64_t end) const { return Cursor(*this, begin, end); }

 private:
  struct Placed {
    std::uint64_t address;
    std::uint64_t size;
  };
  void sum_chunks();

  std::vector<Placed> files_;
  std::vector<std::uint32_t> payloads_;  // by chunk; empty for a single file
  std::uint64_t total_ = 0;
  std::uint64_t payload_ = 0;
  std::uint32_t chunk_bytes_ = kDefaultChunkBytes;
};

}  // namespace peernet::content
