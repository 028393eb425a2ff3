// Publishing a folder: walks it without following links, hashes it with all cores into a manifest and its tables.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/types.hpp"
#include "content/manifest.hpp"
#include "content/path_error.hpp"
#include "content/table.hpp"
#include "content/tree_listing.hpp"
#include "storage/posix_fd.hpp"
#include "storage/share_hasher.hpp"

namespace peernet::storage {

/// A folder that is ready to be served. The tables are complete.
struct SharedTree {
  Fd root;                       ///< the folder
  std::string name;              ///< its last component: the content's name
  content::TreeListing listing;  ///< with its layout
  content::ManifestCore core;
  ByteArray<content::kManifestBytes> core_bytes{};
  ContentId id{};
  content::PageTable entries, xxh3, sha256;
  /// By entry, as it was hashed. With size and mtime of the listing: is it still that file?
  std::vector<std::uint64_t> inodes;
  std::uint64_t device = 0;
  std::uint32_t files = 0;
};

/// kUsage: no folder, or it holds something that cannot be shared (a socket, pipe or device, a name or link that other
/// hosts would refuse); kLocalIo; kIntegrity: it changed while it was hashed; kInterrupted. Each names the file.
/// Everything on one file system and others mounted below is taken, symbolic links are shared as links.
content::PathResult<SharedTree> hash_tree(const std::string& path, const HashOptions& options);

}  // namespace peernet::storage
