// Which chunks: a bitmap with a count, cut into HAVE_MAP pages of 8192 chunks and HAVE ranges.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/types.hpp"

namespace peernet::content {

inline constexpr std::uint32_t kChunksPerMapPage = 8192;
inline constexpr std::uint32_t kMapPageBytes = kChunksPerMapPage / 8;

struct ChunkRange {
  ChunkIndex first;
  std::uint32_t count = 0;
  friend bool operator==(const ChunkRange&, const ChunkRange&) = default;
};

/// Fixed size after construction; no allocation later. Copyable.
class ChunkMap {
 public:
  ChunkMap() = default;
  explicit ChunkMap(std::uint32_t size) : size_(size), words_((std::size_t{size} + 63) / 64) {}

  std::uint32_t size() const { return size_; }
  std::uint32_t count() const { return count_; }
  bool full() const { return count_ == size_; }
  bool none() const { return count_ == 0; }

  /// An index outside the map is never set.
  bool test(ChunkIndex chunk) const {
    return chunk.value() < size_ && ((words_[chunk.value() / 64] >> (chunk.value() % 64)) & 1U) != 0;
  }
  /// True if it changed; the index must be inside.
  bool set(ChunkIndex chunk);
  bool reset(ChunkIndex chunk);
  void set_all();
  void clear();
  /// A range from a peer: false (and nothing changed) if it leaves the map.
  bool set_range(ChunkRange range);
  void merge(const ChunkMap& other);     ///< this |= other, same size
  void subtract(const ChunkMap& other);  ///< this &= ~other, same size

  /// First set / clear index at or after `from`.
  std::optional<ChunkIndex> next_set(ChunkIndex from) const;
  std::optional<ChunkIndex> next_clear(ChunkIndex from) const;
  /// First index at or after `from` that is set here and in `other`, a map of the same size.
  std::optional<ChunkIndex> next_common(const ChunkMap& other, ChunkIndex from) const;
  /// First run of set chunks at or after `from`.
  std::optional<ChunkRange> next_run(ChunkIndex from) const;

  std::uint32_t map_pages() const { return (size_ + kChunksPerMapPage - 1) / kChunksPerMapPage; }
  /// Bytes of a HAVE_MAP page (1024, less for the last).
  std::uint32_t map_page_bytes(std::uint32_t page) const;
  /// Bit 7 of the first byte is the page's first chunk; out must hold map_page_bytes(page).
  void write_map_page(std::uint32_t page, MutableByteSpan out) const;
  /// ORs a peer's page in. False (nothing changed): no such page, wrong length, or spare bits set.
  bool merge_map_page(std::uint32_t page, ByteSpan bits);

  friend bool operator==(const ChunkMap&, const ChunkMap&) = default;

 private:
  std::optional<ChunkIndex> next(ChunkIndex from, bool wanted) const;

  std::uint32_t size_ = 0;
  std::uint32_t count_ = 0;
  std::vector<std::uint64_t> words_;
};

}  // namespace peernet::content
