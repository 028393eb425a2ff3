// Opens the entries of a listing below a folder's descriptor: never outside it, never through a symbolic link
// (openat2 with RESOLVE_BENEATH and RESOLVE_NO_SYMLINKS; component by component where that call is forbidden).
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "content/tree_listing.hpp"
#include "storage/posix_fd.hpp"

namespace peernet::storage {

/// Descriptor of `path` (components as content::check_name has them) below `root` ("" is the root itself), or -errno.
/// flags as openat's; O_CLOEXEC, O_NOFOLLOW, O_NOCTTY and O_NONBLOCK are added.
int open_beneath(int root, const std::string& path, int flags, mode_t mode);

/// The directory used last and the large files used last stay open. Not thread safe.
class TreeFiles {
 public:
  /// root: borrowed. max_open: large files kept open, at least 1.
  TreeFiles(int root, const content::TreeListing& listing, std::size_t max_open);

  /// Descriptor of the directory an entry stands in, or -errno. Valid until the next call.
  int parent_of(std::uint32_t entry);
  /// Opens an entry (openat in its directory, O_NOFOLLOW). Descriptor or -errno; the caller owns it.
  int open(std::uint32_t entry, int flags, mode_t mode);
  /// The kept descriptor of a large file, opened when needed; or -errno. Borrowed until the next call of kept().
  /// fresh, if given: set when it was opened just now.
  int kept(std::uint32_t entry, int flags, mode_t mode, bool* fresh = nullptr);
  void close_kept(std::uint32_t entry);
  void close_all() { kept_.clear(); }
  /// Last component, for a call on parent_of(entry). Valid until the next call.
  const char* name_of(std::uint32_t entry);

 private:
  struct Kept {
    std::uint32_t entry = 0;
    std::uint64_t used = 0;
    Fd fd;
  };

  int root_;
  const content::TreeListing& listing_;
  std::uint32_t directory_ = 0;  // of directory_fd_; the root when that is not open
  Fd directory_fd_;
  std::string path_, name_;  // scratch
  std::vector<Kept> kept_;
  std::size_t max_open_;
  std::uint64_t clock_ = 0;
};

}  // namespace peernet::storage
