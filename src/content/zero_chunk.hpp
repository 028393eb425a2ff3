// Hashes of chunks that are all zeros: holes of sparse files, known without reading, sending or writing a byte.
#pragma once

#include "base/types.hpp"
#include "content/manifest.hpp"

namespace peernet::content {

/// For a single file (no gaps): hashes of a full zero chunk and of a zero last chunk.
class ZeroChunks {
 public:
  /// Costs one XXH3 pass over a chunk's worth of zeros (16 KiB at a time) and a few SHA-256 blocks.
  explicit ZeroChunks(const ManifestCore& core);

  const Hash128& xxh3_of(ChunkIndex chunk) const { return is_last(chunk) ? last_xxh3_ : full_xxh3_; }
  const Hash256& sha256_of(ChunkIndex chunk) const { return is_last(chunk) ? last_sha256_ : full_sha256_; }

 private:
  bool is_last(ChunkIndex chunk) const { return chunk.value() + 1 == chunk_count_; }

  std::uint32_t chunk_count_;
  Hash128 full_xxh3_{}, last_xxh3_{};
  Hash256 full_sha256_{}, last_sha256_{};
};

}  // namespace peernet::content
