#include <errno.h>
#include <sys/stat.h>

#include "storage/source_guard.hpp"

namespace peernet::storage {
namespace {

std::int64_t nanoseconds(const timespec& t) {
  return std::int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec;
}

}  // namespace

Result<SourceStamp> stamp_of(int fd) {
  struct stat info{};
  if (::fstat(fd, &info) != 0) return std::unexpected(from_errno(errno, "look at the source file"));
  return SourceStamp{.device = info.st_dev,
                     .inode = info.st_ino,
                     .size = static_cast<std::uint64_t>(info.st_size),
                     .mtime_ns = nanoseconds(info.st_mtim),
                     .ctime_ns = nanoseconds(info.st_ctim)};
}

}  // namespace peernet::storage
