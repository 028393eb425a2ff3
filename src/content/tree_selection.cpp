#include "content/tree_selection.hpp"

#include "base/check.hpp"

namespace peernet::content {

TreeSelection select_entries(const TreeListing& listing, std::uint32_t chunk_count, std::vector<bool> picked) {
  TreeSelection out;
  out.entries = std::move(picked);
  if (out.entries.empty()) out.entries.assign(listing.count(), true);
  PN_CHECK(out.entries.size() == listing.count() && listing.count() != 0);
  // A parent stands before its children: one pass from the back reaches every directory above.
  for (std::uint32_t i = listing.count(); i-- > 1;)
    if (out.entries[i]) out.entries[listing[i].parent] = true;
  out.entries[0] = true;

  out.wanted = ChunkMap(chunk_count);
  out.whole = ChunkMap(chunk_count);
  out.whole.set_all();
  const Layout& layout = listing.layout();
  for (std::uint32_t i = 0; i < listing.count(); ++i) {
    if (listing[i].kind != EntryKind::kFile) continue;
    const bool wanted = out.entries[i];
    const std::uint64_t size = listing[i].size;
    if (wanted) {
      ++out.files;
      out.payload_bytes += size;
    }
    if (size == 0) continue;
    const auto first = static_cast<std::uint32_t>(layout.address_of(i) / layout.chunk_bytes());
    const auto last = static_cast<std::uint32_t>((layout.address_of(i) + size - 1) / layout.chunk_bytes());
    for (std::uint32_t chunk = first; chunk <= last; ++chunk) {
      if (wanted)
        out.wanted.set(ChunkIndex{chunk});
      else
        out.whole.reset(ChunkIndex{chunk});
    }
  }
  return out;
}

}  // namespace peernet::content
