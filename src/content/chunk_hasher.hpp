// Both hashes of a chunk in one pass over its bytes, as they are read.
#pragma once

#include "base/types.hpp"
#include "content/merkle.hpp"
#include "crypto/hash.hpp"

namespace peernet::content {

/// XXH3-128 alone, streaming: the check of a chunk that is read back.
using FastHasher = crypto::Xxh3;

struct ChunkHashes {
  Hash128 xxh3{};
  Hash256 sha256{};
};

/// Streaming; no allocation. For chunks without gaps (single files).
class ChunkHasher {
 public:
  /// Pieces in order, each but the last a multiple of 16 KiB; quickest while a piece is in the cache (256 KiB).
  void update(ByteSpan piece);
  /// tree_height: chunk_tree_height(core). The hasher is new again.
  ChunkHashes finish(unsigned tree_height);

 private:
  crypto::Xxh3 xxh3_;
  RootFolder folder_;
};

}  // namespace peernet::content
