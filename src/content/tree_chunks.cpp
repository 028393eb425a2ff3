#include "content/tree_chunks.hpp"

#include <algorithm>

#include "base/check.hpp"
#include "crypto/hash.hpp"

namespace peernet::content {
namespace {

/// Cuts a range's bytes into leaves. on_full(bytes): one or more whole leaves; on_short(bytes): one with a gap.
template <class Full, class Short>
void each_leaf(const Layout& layout, std::uint64_t begin, std::uint64_t end, ByteSpan bytes, Full on_full,
               Short on_short) {
  PN_CHECK(begin % kLeafBytes == 0);
  std::size_t full = 0;                      // bytes[full, leaf) are whole leaves, not yet told
  std::size_t leaf = 0;                      // where the open leaf's bytes begin
  std::size_t at = 0;                        // bytes taken so far
  std::uint64_t block = begin / kLeafBytes;  // of the open leaf
  const auto close = [&] {
    if (at - leaf != kLeafBytes && at != leaf) {
      if (leaf != full) on_full(bytes.subspan(full, leaf - full));
      on_short(bytes.subspan(leaf, at - leaf));
      full = at;
    }
    leaf = at;
  };
  Layout::Cursor cursor = layout.segments_between(begin, end);
  while (const std::optional<Segment> segment = cursor.next()) {
    std::uint64_t address = layout.address_of(segment->file) + segment->file_offset;
    const std::uint64_t until = address + segment->length;
    PN_CHECK(segment->length <= bytes.size() - at);
    while (address < until) {
      if (address / kLeafBytes != block) {
        close();
        block = address / kLeafBytes;
      }
      const std::uint64_t step = std::min(until, (block + 1) * kLeafBytes) - address;
      at += step;
      address += step;
    }
  }
  close();
  if (leaf != full) on_full(bytes.subspan(full, leaf - full));
  PN_CHECK(at == bytes.size());
}

}  // namespace

void add_tree_leaves(const Layout& layout, std::uint64_t begin, std::uint64_t end, ByteSpan bytes, RootFolder& folder) {
  each_leaf(
      layout, begin, end, bytes, [&](ByteSpan leaves) { add_leaves(leaves, folder); },
      [&](ByteSpan leaf) { folder.add(crypto::sha256(leaf)); });
}

Hash256 tree_chunk_sha256(const Layout& layout, ChunkIndex chunk, ByteSpan bytes, unsigned tree_height) {
  const std::uint64_t start = std::uint64_t{chunk.value()} * layout.chunk_bytes();
  RootFolder folder;
  add_tree_leaves(layout, start, start + layout.chunk_bytes(), bytes, folder);
  return folder.finish(tree_height);
}

std::uint32_t tree_leaf_hashes(const Layout& layout, ChunkIndex chunk, ByteSpan bytes, std::span<Hash256> out) {
  const std::uint64_t start = std::uint64_t{chunk.value()} * layout.chunk_bytes();
  std::uint32_t count = 0;
  each_leaf(
      layout, start, start + layout.chunk_bytes(), bytes,
      [&](ByteSpan leaves) { count += leaf_hashes(leaves, out.subspan(count)); },
      [&](ByteSpan leaf) {
        PN_CHECK(count < out.size());
        out[count++] = crypto::sha256(leaf);
      });
  return count;
}

}  // namespace peernet::content
