// The whole entry table of a tree, checked, in little memory: about 50 bytes and its own name for each entry, no
// allocation per entry. Entry 0 is the folder itself; its name is the content's name. Parents come before children.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/types.hpp"
#include "content/entries.hpp"
#include "content/layout.hpp"
#include "content/manifest.hpp"
#include "content/path_error.hpp"
#include "content/table.hpp"

namespace peernet::content {

class TreeListing {
 public:
  struct Item {
    std::uint64_t size = 0;  ///< of a file; 0 for the others
    std::int64_t mtime_s = 0;
    std::uint32_t mtime_ns = 0;
    std::uint32_t parent = 0;  ///< entry of the directory it stands in; 0 for entry 0 itself
    std::uint32_t name_at = 0;
    std::uint16_t target_length = 0;
    std::uint16_t mode = 0;  ///< permission bits (0777)
    std::uint8_t name_length = 0;
    EntryKind kind = EntryKind::kFile;
  };

  std::uint32_t count() const { return static_cast<std::uint32_t>(items_.size()); }
  const Item& operator[](std::uint32_t entry) const { return items_[entry]; }
  /// Last component; borrowed from the listing.
  std::string_view name(std::uint32_t entry) const;
  /// Of a symbolic link; empty for the others.
  std::string_view target(std::uint32_t entry) const;
  /// From inside the folder: "a/b.txt"; "" for entry 0. Replaces `out`, so that a loop allocates once.
  void relative_path(std::uint32_t entry, std::string& out) const;
  std::string relative_path(std::uint32_t entry) const;
  /// The entry with this name in this directory.
  std::optional<std::uint32_t> find(std::uint32_t parent, std::string_view name) const;

  /// Where the files lie in the address space of the core that the listing was decoded with.
  const Layout& layout() const { return layout_; }

 private:
  friend class TreeDecoder;
  std::vector<Item> items_;
  std::vector<char> names_;             // name, then a link's target
  std::vector<std::uint32_t> buckets_;  // open addressing over (parent, name folded to lower case); entry + 1
  Hash128 seed_{};
  Layout layout_;
};

/// A whole entry table of a tree (complete, every page verified) against its core. The publisher may be hostile.
/// kIntegrity names what is wrong and the entry: page indices and addresses, order, names, a parent that is no
/// directory, two names of one directory that differ only in the case of ASCII letters, a link that leaves the folder,
/// sums that are not the core's.
PathResult<TreeListing> decode_tree(const ManifestCore& core, const PageTable& entries);

}  // namespace peernet::content
