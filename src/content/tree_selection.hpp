// Which chunks of a tree are needed when only some of its files are wanted.
#pragma once

#include <cstdint>
#include <vector>

#include "content/chunk_map.hpp"
#include "content/tree_listing.hpp"

namespace peernet::content {

struct TreeSelection {
  /// By entry; closed upwards: the directories above a wanted entry are wanted.
  std::vector<bool> entries;
  /// Chunks with a byte of a wanted file: to be fetched.
  ChunkMap wanted;
  /// Chunks all of whose files are wanted: these alone are ever announced, served and recorded.
  ChunkMap whole;
  std::uint64_t payload_bytes = 0;  ///< of the wanted files
  std::uint32_t files = 0;          ///< wanted, of every size
};

/// picked: by entry (listing.count() long), or empty for all. A picked directory brings its own entry, not what is
/// below it. An empty folder with nothing picked is still made.
TreeSelection select_entries(const TreeListing& listing, std::uint32_t chunk_count, std::vector<bool> picked);

}  // namespace peernet::content
