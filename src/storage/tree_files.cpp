#include "storage/tree_files.hpp"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <string_view>

#include "base/check.hpp"

namespace peernet::storage {
namespace {

/// openat2 refuses flags that mean nothing together, as O_NONBLOCK with O_PATH.
int completed(int flags) {
  return flags | O_CLOEXEC | O_NOFOLLOW | ((flags & O_PATH) != 0 ? 0 : O_NOCTTY | O_NONBLOCK);
}

constexpr int kRaces = 8;  // EAGAIN: something was renamed just then

int open_one(int directory, const char* name, int flags, mode_t mode) {
  const int fd = ::openat(directory, name, completed(flags), mode);
  return fd >= 0 ? fd : -errno;
}

/// For kernels and containers without openat2: no component may be a link, none is "..".
int open_stepwise(int root, std::string_view path, int flags, mode_t mode) {
  Fd held;
  int at = root;
  while (true) {
    const std::size_t slash = path.find('/');
    const std::string part(path.substr(0, slash));
    if (content::check_name(part) != content::NameFault::kNone) return -EINVAL;
    if (slash == std::string_view::npos) return open_one(at, part.c_str(), flags, mode);
    const int next = open_one(at, part.c_str(), O_PATH | O_DIRECTORY, 0);
    if (next < 0) return next;
    held = Fd(next);
    at = next;
    path.remove_prefix(slash + 1);
  }
}

int open_two(int root, const char* path, int flags, mode_t mode) {
  struct open_how how{};
  how.flags = static_cast<unsigned>(completed(flags));
  how.mode = (flags & O_CREAT) != 0 ? mode : 0;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;
  for (int i = 0;; ++i) {
    const long fd = ::syscall(SYS_openat2, root, path, &how, sizeof how);
    if (fd >= 0) return static_cast<int>(fd);
    if (errno != EAGAIN || i == kRaces) return -errno;
  }
}

}  // namespace

int open_beneath(int root, const std::string& path, int flags, mode_t mode) {
  if (path.empty()) return open_one(root, ".", flags, mode);
  if (path.find('/') == std::string::npos && path != "..") return open_one(root, path.c_str(), flags, mode);
  // Relaxed: whoever does not see it yet only asks the kernel once more.
  static std::atomic<bool> forbidden{false};
  if (!forbidden.load(std::memory_order_relaxed)) {
    const int fd = open_two(root, path.c_str(), flags, mode);
    if (fd != -ENOSYS && fd != -EPERM) return fd;  // EPERM: what seccomp filters of containers answer
    if (fd == -ENOSYS) forbidden.store(true, std::memory_order_relaxed);
  }
  return open_stepwise(root, path, flags, mode);
}

TreeFiles::TreeFiles(int root, const content::TreeListing& listing, std::size_t max_open)
    : root_(root), listing_(listing), max_open_(max_open) {
  PN_CHECK(max_open > 0);
  kept_.reserve(max_open);
}

int TreeFiles::parent_of(std::uint32_t entry) {
  const std::uint32_t parent = listing_[entry].parent;
  if (parent == 0) return root_;
  if (directory_ == parent && directory_fd_.valid()) return directory_fd_.get();
  listing_.relative_path(parent, path_);
  const int fd = open_beneath(root_, path_, O_PATH | O_DIRECTORY, 0);
  if (fd < 0) return fd;
  directory_fd_ = Fd(fd);
  directory_ = parent;
  return fd;
}

const char* TreeFiles::name_of(std::uint32_t entry) {
  name_.assign(listing_.name(entry));
  return name_.c_str();
}

int TreeFiles::open(std::uint32_t entry, int flags, mode_t mode) {
  if (entry == 0) return open_one(root_, ".", flags, mode);
  const int parent = parent_of(entry);
  return parent < 0 ? parent : open_one(parent, name_of(entry), flags, mode);
}

int TreeFiles::kept(std::uint32_t entry, int flags, mode_t mode, bool* fresh) {
  if (fresh != nullptr) *fresh = false;
  const auto found = std::ranges::find(kept_, entry, &Kept::entry);
  if (found != kept_.end()) {
    found->used = ++clock_;
    return found->fd.get();
  }
  const int fd = open(entry, flags, mode);
  if (fd < 0) return fd;
  if (fresh != nullptr) *fresh = true;
  if (kept_.size() == max_open_) {
    const auto oldest = std::ranges::min_element(kept_, {}, &Kept::used);
    *oldest = {.entry = entry, .used = ++clock_, .fd = Fd(fd)};
  } else {
    kept_.push_back({.entry = entry, .used = ++clock_, .fd = Fd(fd)});
  }
  return fd;
}

void TreeFiles::close_kept(std::uint32_t entry) {
  std::erase_if(kept_, [entry](const Kept& kept) { return kept.entry == entry; });
}

}  // namespace peernet::storage
