#include "storage/posix_part_tools.hpp"

#include <errno.h>
#include <linux/magic.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>

#include <chrono>
#include <cstdio>
#include <thread>

namespace peernet::storage {
namespace {

using namespace std::chrono_literals;

// A process that was killed a moment ago holds its lock until the kernel has wound up its ring (40 to 80 ms here): the
// command that goes on from where it was is often started sooner.
constexpr std::chrono::milliseconds kLockPatience{1000}, kLockPause{10};

}  // namespace

bool same_file(const struct stat& a, const struct stat& b) {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

bool lock_part(int fd) {
  for (auto waited = 0ms;; waited += kLockPause) {
    if (::flock(fd, LOCK_EX | LOCK_NB) == 0) return true;
    if (errno != EWOULDBLOCK || waited >= kLockPatience) return false;
    std::this_thread::sleep_for(kLockPause);
  }
}

// umask(2) only swaps, which other threads would see.
mode_t current_umask() {
  unsigned mask = 022;
  if (FILE* status = std::fopen("/proc/self/status", "re"); status != nullptr) {
    char line[256];
    while (std::fgets(line, sizeof line, status) != nullptr)
      if (std::sscanf(line, "Umask: %o", &mask) == 1) break;
    std::fclose(status);
  }
  return static_cast<mode_t>(mask & 0777U);
}

bool on_tmpfs(int fd) {
  struct statfs info{};
  return ::fstatfs(fd, &info) == 0 && static_cast<unsigned long>(info.f_type) == TMPFS_MAGIC;
}

std::optional<std::uint64_t> free_bytes(int fd) {
  struct statvfs info{};
  if (::fstatvfs(fd, &info) != 0 || info.f_blocks == 0) return std::nullopt;
  return std::uint64_t{info.f_bavail} * info.f_frsize;
}

}  // namespace peernet::storage
