#include "content/chunk_hasher.hpp"

namespace peernet::content {

void ChunkHasher::update(ByteSpan piece) {
  xxh3_.update(piece);
  add_leaves(piece, folder_);
}

ChunkHashes ChunkHasher::finish(unsigned tree_height) {
  return {.xxh3 = xxh3_.finish(), .sha256 = folder_.finish(tree_height)};
}

}  // namespace peernet::content
