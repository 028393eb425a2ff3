#include "storage/tree_walk.hpp"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <vector>

#include "storage/posix_fd.hpp"
#include "storage/tree_files.hpp"

namespace peernet::storage {
namespace {

constexpr std::size_t kListingBytes = 64 << 10;

bool is_dots(const char* name) {
  return std::strcmp(name, ".") == 0 || std::strcmp(name, "..") == 0;
}

class Walk {
 public:
  Walk(int root, const WalkVisit& visit) : root_(root), visit_(visit), buffer_(kListingBytes / sizeof(std::uint64_t)) {}

  content::PathResult<void> run() {
    waiting_.emplace_back();
    while (!waiting_.empty()) {
      const std::string path = std::move(waiting_.back());
      waiting_.pop_back();
      const int fd = open_beneath(root_, path, O_RDONLY | O_DIRECTORY, 0);
      if (fd < 0) return content::path_error(from_errno(-fd, "list the folder"), path);
      const Fd own(fd);
      if (content::PathResult<void> ok = list(fd, path); !ok) return ok;
    }
    return {};
  }

 private:
  content::PathResult<void> list(int fd, const std::string& path) {
    while (true) {
      const ssize_t n = ::getdents64(fd, buffer_.data(), kListingBytes);
      if (n == 0) return {};
      if (n < 0) return content::path_error(from_errno(errno, "list the folder"), path);
      const char* at = reinterpret_cast<const char*>(buffer_.data());
      const char* const end = at + n;
      while (at < end) {
        // The kernel's own records, aligned to 8 bytes.
        const auto* record = reinterpret_cast<const dirent64*>(at);
        at += record->d_reclen;
        if (is_dots(record->d_name)) continue;
        if (content::PathResult<void> ok = visit(fd, path, record->d_name); !ok) return ok;
      }
    }
  }

  content::PathResult<void> visit(int fd, const std::string& path, const char* name) {
    WalkItem item{.directory = fd, .above = &path, .name = name};
    if (::fstatat(fd, name, &item.info, AT_SYMLINK_NOFOLLOW) != 0) {
      if (errno == ENOENT) return {};
      return content::path_error(from_errno(errno, "look at the file"), item.path());
    }
    const content::PathResult<bool> enter = visit_(item);
    if (!enter) return std::unexpected(enter.error());
    if (*enter && S_ISDIR(item.info.st_mode)) waiting_.push_back(item.path());
    return {};
  }

  int root_;
  const WalkVisit& visit_;
  std::vector<std::uint64_t> buffer_;
  std::vector<std::string> waiting_;
};

}  // namespace

content::PathResult<void> walk_beneath(int root, const WalkVisit& visit) {
  return Walk(root, visit).run();
}

}  // namespace peernet::storage
