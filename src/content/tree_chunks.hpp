// Hashes of a tree's chunk: XXH3-128 over its bytes without gaps; SHA-256 leaves are the 16 KiB blocks of the address
// space, a gap hashed as nothing. For a file of a block or more they are the leaves of its own BEP 52 tree.
#pragma once

#include <span>

#include "base/types.hpp"
#include "content/chunk_hasher.hpp"
#include "content/layout.hpp"
#include "content/merkle.hpp"

namespace peernet::content {

/// Adds the leaves of the address range [begin, end) to the folder; begin is a multiple of 16 KiB, end another or the
/// end of the content. bytes: the range without its gaps. No allocation.
void add_tree_leaves(const Layout& layout, std::uint64_t begin, std::uint64_t end, ByteSpan bytes, RootFolder& folder);

/// chunk_sha256 for a tree; bytes.size() == layout.chunk_payload(chunk).
Hash256 tree_chunk_sha256(const Layout& layout, ChunkIndex chunk, ByteSpan bytes, unsigned tree_height);

/// leaf_hashes for a tree; returns how many.
std::uint32_t tree_leaf_hashes(const Layout& layout, ChunkIndex chunk, ByteSpan bytes, std::span<Hash256> out);

}  // namespace peernet::content
