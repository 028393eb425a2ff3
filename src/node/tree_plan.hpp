// What a get of a folder knows once its entry table is complete: the listing, what of it is wanted, how long each chunk
// is on the wire. Shared with its store and with readers of what is served, which may outlive the get. Pure.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "content/manifest.hpp"
#include "content/path_error.hpp"
#include "content/table.hpp"
#include "content/tree_listing.hpp"
#include "content/tree_selection.hpp"
#include "peernet/stats.hpp"

namespace peernet::node {

struct TreePlan {
  content::TreeListing listing;
  content::TreeSelection selection;

  /// entries: complete. patterns: PathGlob's, empty for everything. kIntegrity: what decode_tree finds; kUsage: a
  /// pattern that is none or selects nothing (path: some names that there are).
  static content::PathResult<std::shared_ptr<const TreePlan>> make(const content::ManifestCore& core,
                                                                   const content::PageTable& entries,
                                                                   std::span<const std::string> patterns);

  const content::Layout& layout() const { return listing.layout(); }
  /// Nothing is left out.
  bool whole() const { return selection.whole.full(); }
  /// Bytes of the chunks that are wanted: what is to be received.
  std::uint64_t wanted_bytes() const;
};

/// For the door.
ContentInfo describe_file(const content::ManifestCore& core, const ContentId& id, const std::string& name);
ContentInfo describe_tree(const content::ManifestCore& core, const ContentId& id, const content::TreeListing& listing,
                          const content::TreeSelection* selection);

}  // namespace peernet::node
