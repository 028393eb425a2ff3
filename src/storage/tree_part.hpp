// A folder that is being received: NAME.part/ with the files in it, published under its final name in one step. Every
// call may block: they belong on the writer thread, one thread at a time.
//
//   open -> prepare -> (hoped, read to go on from an earlier run) -> write ... -> [sync] -> finish -> [sync] -> publish
//
// A chunk's bytes go to their files at once. A file that lies within one chunk is created, written, and given its mode
// and time by that write; larger ones stay 0600 until finish. Directories are 0700 until finish.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/types.hpp"
#include "content/path_error.hpp"
#include "content/tree_listing.hpp"
#include "content/tree_selection.hpp"
#include "storage/posix_part_file.hpp"
#include "storage/tree_files.hpp"

namespace peernet::storage {

struct TreePartOptions {
  Target target;  ///< name: the final folder's
  ContentId content_id{};
  const content::TreeListing* listing = nullptr;      ///< outlives the part
  const content::TreeSelection* selection = nullptr;  ///< outlives the part
  bool overwrite = false;                             ///< the final name may be replaced (a folder only)
};

/// What publishing left behind.
struct Published {
  /// The new folder has its final name, but of the replaced one something could not be removed: it is what NAME.part
  /// holds now, and the error says why.
  std::optional<content::PathError> old_left;
};

class TreePart {
 public:
  /// Opens or creates NAME.part/ (0700, ours, no link) and locks it. kTargetExists: another process holds it, or it is
  /// no folder of ours.
  static content::PathResult<TreePart> open(const TreePartOptions& options);
  TreePart(TreePart&&) noexcept;
  TreePart& operator=(TreePart&&) noexcept;
  ~TreePart();

  /// Existed before: there may be something to resume.
  bool resumed() const;
  /// kNoSpace when the wanted files do not fit. Removes from a resumed folder whatever is not in the listing, makes the
  /// directories. Before anything below.
  content::PathResult<void> prepare();

  /// Of a resumed folder: whole chunks all of whose files are there, long enough, with data: worth reading back. They
  /// are had only once their XXH3 matches. Nothing for a new folder.
  content::ChunkMap hoped();
  /// The bytes of a whole chunk as they are on the disk; -errno if they are not all there. For the check of resumed
  /// chunks.
  std::int64_t read(ChunkIndex chunk, MutableByteSpan into);

  /// Puts a verified chunk's bytes into their files; files that are not wanted are left out. May be repeated (after
  /// kNoSpace: nothing that was written is lost). bytes.size() == layout.chunk_payload(chunk).
  content::PathResult<void> write(ChunkIndex chunk, ByteSpan bytes);
  /// Everything written so far is on the disk when this returns: fsync of each file and directory below 64 of them,
  /// else one syncfs. Never try again after a failure.
  content::PathResult<void> sync();
  /// Every wanted chunk is written or was read back: makes empty files and links, removes files of an earlier run that
  /// are not wanted now, sets modes and times, directories last, deepest first. May be repeated.
  content::PathResult<void> finish();
  /// Gives the folder its final name. kTargetExists: something has that name; the part stays.
  content::PathResult<Published> publish(bool sync);
  /// Gives up: removes the part (only when it holds nothing worth keeping).
  void remove();

  int fd() const;                ///< of the folder; the same one before and after publish
  std::uint64_t device() const;  ///< with inode(): the part's record in the state database (size: core.total_bytes)
  std::uint64_t inode() const;
  const Target& target() const;
  const std::string& part_path() const;

 private:
  struct State;
  explicit TreePart(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace peernet::storage
