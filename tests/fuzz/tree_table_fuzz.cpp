// A whole entry table of a tree as a hostile publisher may build it: pages, their order, and a core that fits or not.
#include <algorithm>

#include "content/tree_listing.hpp"
#include "content/tree_selection.hpp"
#include "fuzz/fuzz.hpp"

using namespace peernet;
using namespace peernet::content;

namespace {

/// The pages again from what the listing says: a table that is accepted has one meaning.
void check_listing(const TreeListing& listing, const ManifestCore& core) {
  PN_CHECK(listing.count() == core.entry_count);
  std::uint64_t payload = 0;
  const std::string root(listing.name(0));
  for (std::uint32_t i = 0; i < listing.count(); ++i) {
    const TreeListing::Item& item = listing[i];
    const std::string path = listing.relative_path(i);
    PN_CHECK((i == 0) == path.empty());
    PN_CHECK(listing[item.parent].kind == EntryKind::kDirectory && (i == 0 || item.parent < i));
    PN_CHECK(check_name(listing.name(i)) == NameFault::kNone);
    PN_CHECK(i == 0 || listing.find(item.parent, listing.name(i)) == i);
    if (item.kind == EntryKind::kSymlink) PN_CHECK(link_stays_inside(root + "/" + path, listing.target(i)));
    payload += item.size;
  }
  PN_CHECK(payload == core.payload_bytes);
  std::vector<bool> odd(listing.count());
  for (std::uint32_t i = 1; i < listing.count(); i += 2) odd[i] = true;
  const TreeSelection some = select_entries(listing, core.chunk_count, odd);
  for (std::uint32_t chunk = 0; chunk < core.chunk_count; ++chunk)
    PN_CHECK(!some.whole.test(ChunkIndex{chunk}) || some.wanted.test(ChunkIndex{chunk}));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  ManifestCore core;
  core.kind = ContentKind::kTree;
  core.chunk_bytes = kMinChunkBytes << (input.u8() % 7);
  core.total_bytes = input.u32() % (std::uint64_t{1} << 28);
  core.payload_bytes = input.u32();
  core.entry_count = input.u16();
  const std::vector<std::byte> bytes = input.rest();
  core.chunk_count = chunk_count_for(core.total_bytes, core.chunk_bytes);
  core.entry_table_bytes = static_cast<std::uint32_t>(bytes.size());
  if (!check_manifest(core)) return 0;
  const PageTable table = PageTable::build(table_shape(core, TableId::kEntries), bytes);
  core.entry_root = table.root();
  const PathResult<TreeListing> listing = decode_tree(core, table);
  if (listing) check_listing(*listing, core);
  return 0;
}
