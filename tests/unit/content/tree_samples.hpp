// Entry tables of trees for tests: a core and a verified table for any bytes a publisher may have put there.
#pragma once

#include <string>
#include <vector>

#include "content/entries.hpp"
#include "content/tree_listing.hpp"

namespace peernet::content {

struct TreeTable {
  ManifestCore core;
  PageTable entries;
};

/// Core and table over these table bytes; what the core says of the entries is right.
inline TreeTable tree_table(ByteSpan bytes, const std::vector<Entry>& entries, std::uint32_t chunk_bytes = 16384) {
  TreeTable out;
  ManifestCore& core = out.core;
  core.kind = ContentKind::kTree;
  core.chunk_bytes = chunk_bytes;
  std::uint64_t previous = 0;
  for (const Entry& entry : entries) {
    if (entry.size == 0) continue;
    core.total_bytes = Layout::place(core.total_bytes, previous, entry.size) + entry.size;
    core.payload_bytes += entry.size;
    previous = entry.size;
  }
  core.chunk_count = chunk_count_for(core.total_bytes, chunk_bytes);
  core.entry_count = static_cast<std::uint32_t>(entries.size());
  core.entry_table_bytes = static_cast<std::uint32_t>(bytes.size());
  out.entries = PageTable::build(table_shape(core, TableId::kEntries), bytes);
  core.entry_root = out.entries.root();
  return out;
}

inline TreeTable tree_table(const std::vector<Entry>& entries, std::uint32_t chunk_bytes = 16384) {
  return tree_table(encode_entries(entries).value(), entries, chunk_bytes);
}

inline Entry directory(const std::string& path) {
  Entry out;
  out.kind = EntryKind::kDirectory;
  out.mode = 0755;
  out.path = path;
  return out;
}

inline Entry file(const std::string& path, std::uint64_t size = 0) {
  Entry out;
  out.path = path;
  out.size = size;
  return out;
}

inline Entry symlink(const std::string& path, const std::string& target) {
  Entry out;
  out.kind = EntryKind::kSymlink;
  out.mode = 0777;
  out.path = path;
  out.target = target;
  return out;
}

}  // namespace peernet::content
