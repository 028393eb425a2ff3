// What the files of TreePart share; for them alone.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "storage/tree_part.hpp"
#include "storage/tree_reader.hpp"
#include "storage/tree_walk.hpp"

namespace peernet::storage {

inline constexpr std::size_t kMaxKeptFiles = 32;
/// Above it one syncfs is cheaper than an fsync each.
inline constexpr std::size_t kMaxSyncedAlone = 64;

struct TreePart::State {
  State(TreePartOptions wish, Fd above, Fd folder)
      : options(std::move(wish)),
        parent(std::move(above)),
        root(std::move(folder)),
        listing(*options.listing),
        selection(*options.selection),
        files(root.get(), listing, kMaxKeptFiles),
        reader(root.get(), listing, {}),
        settled(listing.count()),
        reserved(listing.count()) {}

  bool wanted(std::uint32_t entry) const { return selection.entries[entry]; }
  const content::TreeListing::Item& item(std::uint32_t entry) const { return listing[entry]; }
  std::unexpected<content::PathError> fault(int os_error, const char* what, std::uint32_t entry) const;

  content::PathResult<void> make_directories();
  content::PathResult<void> clean_up();
  content::PathResult<bool> clean_up_one(const WalkItem& item);
  bool has_data(const content::Segment& segment);

  content::PathResult<void> write_whole(std::uint32_t entry, ByteSpan bytes);
  content::PathResult<void> write_piece(const content::Segment& segment, ByteSpan bytes);
  int open_piece(std::uint32_t entry);
  void touch(std::uint32_t entry);
  content::PathResult<bool> sync_each();

  void remove_unwanted();
  content::PathResult<void> make_link(std::uint32_t entry);
  content::PathResult<void> settle_file(std::uint32_t entry);
  content::PathResult<void> settle_directory(std::uint32_t entry);

  TreePartOptions options;
  Fd parent, root;
  const content::TreeListing& listing;
  const content::TreeSelection& selection;
  TreeFiles files;
  TreeReader reader;
  std::string part_name, part_path;
  std::uint64_t device = 0, inode = 0;
  mode_t umask = 022;
  bool resumed = false;
  bool tmpfs = false;
  bool directories_settled = false;
  std::vector<bool> settled;           // by entry: has its bytes, mode and time
  std::vector<bool> reserved;          // by entry: room was made for the whole file
  std::vector<std::uint32_t> touched;  // since the last sync
  bool touched_many = false;
};

}  // namespace peernet::storage
