#include "storage/tree_cleanup.hpp"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ranges>
#include <vector>

#include "storage/posix_fd.hpp"
#include "storage/tree_files.hpp"
#include "storage/tree_walk.hpp"

namespace peernet::storage {
namespace {

/// A folder without rights for its owner: `rm -r` would fail, but it is ours to remove. True if they are there now.
bool open_up(const WalkItem& item) {
  if ((item.info.st_mode & S_IRWXU) == S_IRWXU) return true;
  const Fd path(::openat(item.directory, item.name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!path.valid()) return false;
  // fchmod refuses O_PATH; this name leads to the very directory that is open, not to whatever has its name now.
  return ::chmod(("/proc/self/fd/" + std::to_string(path.get())).c_str(), (item.info.st_mode & 0777U) | S_IRWXU) == 0;
}

}  // namespace

std::optional<content::PathError> remove_tree(int parent, const std::string& name) {
  constexpr const char* kWhat = "remove the old folder";
  std::optional<content::PathError> first;
  const auto note = [&](int fault, const std::string& below) {
    if (!first) first = content::PathError{from_errno(fault, kWhat), below.empty() ? name : name + "/" + below};
  };
  struct stat info{};
  if (::fstatat(parent, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno == ENOENT) return std::nullopt;
    note(errno, "");
    return first;
  }
  WalkItem self{.directory = parent, .name = name.c_str(), .info = info};
  if (S_ISDIR(info.st_mode)) open_up(self);
  const Fd root(::openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!root.valid()) {
    note(errno, "");
    return first;
  }
  std::vector<std::string> directories;  // parents first
  const auto walked = walk_beneath(root.get(), [&](const WalkItem& item) -> content::PathResult<bool> {
    if (!S_ISDIR(item.info.st_mode)) {
      if (::unlinkat(item.directory, item.name, 0) != 0 && errno != ENOENT) note(errno, item.path());
      return false;
    }
    directories.push_back(item.path());
    if (item.info.st_dev != info.st_dev) return false;
    return open_up(item);
  });
  if (!walked && !first) first = content::PathError{walked.error().error, name + "/" + walked.error().path};
  for (const std::string& path : std::views::reverse(directories)) {
    const std::size_t slash = path.rfind('/');
    const Fd above(
        open_beneath(root.get(), slash == std::string::npos ? "" : path.substr(0, slash), O_PATH | O_DIRECTORY, 0));
    const char* last = path.c_str() + (slash == std::string::npos ? 0 : slash + 1);
    if (!above.valid() || (::unlinkat(above.get(), last, AT_REMOVEDIR) != 0 && errno != ENOENT)) note(errno, path);
  }
  if (::unlinkat(parent, name.c_str(), AT_REMOVEDIR) != 0 && errno != ENOENT) note(errno, "");
  return first;
}

}  // namespace peernet::storage
