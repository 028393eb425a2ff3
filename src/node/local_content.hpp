// A file or folder of this host, hashed: to be shared, described, or compared with what a link names.
#pragma once

#include <memory>
#include <string>
#include <variant>

#include "content/path_error.hpp"
#include "node/shared_content.hpp"
#include "peernet/stats.hpp"
#include "storage/share_hasher.hpp"
#include "storage/tree_hasher.hpp"

namespace peernet::node {

struct SwarmManifest;

/// A regular file or folder that can be read: told apart early, so that the words fit.
Result<void> check_shareable(const std::string& path);

class LocalContent {
 public:
  /// Blocks, and uses all cores. Errors as hash_file's and hash_tree's.
  static content::PathResult<LocalContent> hash(const std::string& path, const storage::HashOptions& options);

  const content::ManifestCore& core() const;
  /// Does it hold what that manifest describes? Modes, times and its own name do not matter; the names and sizes of a
  /// folder's files do. kIntegrity says what differs.
  content::PathResult<void> compare(const SwarmManifest& theirs) const;
  ContentInfo describe() const;

  /// Ready to be served, but for the key and the transfer.
  std::shared_ptr<SharedContent> share() &&;
  /// As a source of a content that compare() has found here: under the publisher's manifest.
  std::shared_ptr<SharedContent> share_as(SwarmManifest&& theirs) &&;

 private:
  explicit LocalContent(storage::SharedFile&& file) : hashed_(std::move(file)) {}
  explicit LocalContent(storage::SharedTree&& tree) : hashed_(std::move(tree)) {}

  std::variant<storage::SharedFile, storage::SharedTree> hashed_;
};

/// Does this folder hold exactly what the listing names, whatever its own name, modes and times are?
bool folder_holds(const std::string& path, const content::ManifestCore& core, const content::TreeListing& listing,
                  const storage::HashOptions& options);

}  // namespace peernet::node
