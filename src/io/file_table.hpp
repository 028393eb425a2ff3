// The files a driver knows: handles with a generation, so that a stale one is noticed (our own bug).
#pragma once

#include <fcntl.h>

#include <vector>

#include "base/check.hpp"
#include "io/io.hpp"

namespace peernet::io {

class FileTable {
 public:
  struct Entry {
    int fd = -1;  ///< -1: free
    std::uint16_t generation = 0;
    bool direct = false;      ///< opened with O_DIRECT
    bool registered = false;  ///< the ring knows it under its slot
    bool can_nowait = true;   ///< preadv2(RWF_NOWAIT) has not been refused yet
  };

  explicit FileTable(std::uint32_t capacity) : entries_(capacity) { PN_CHECK(capacity < kSlotsMax); }

  /// kKernel when all slots are taken.
  Result<FileHandle> add(int fd) {
    for (std::size_t i = 0; i < entries_.size(); ++i) {
      Entry& entry = entries_[i];
      if (entry.fd >= 0) continue;
      const int flags = ::fcntl(fd, F_GETFL);
      if (flags < 0) return std::unexpected(Error{ErrorCode::kInternal, EBADF, "use a file"});
      entry = {fd, static_cast<std::uint16_t>(entry.generation + 1), (flags & O_DIRECT) != 0, false, true};
      return FileHandle(static_cast<std::uint32_t>(i) | static_cast<std::uint32_t>(entry.generation) << 16);
    }
    return std::unexpected(Error{ErrorCode::kKernel, EMFILE, "too many files are open at once"});
  }
  void release(FileHandle handle) { (*this)[handle].fd = -1; }

  Entry& operator[](FileHandle handle) {
    const std::uint32_t i = slot(handle);
    PN_CHECK(i < entries_.size() && entries_[i].fd >= 0 && entries_[i].generation == handle.value() >> 16);
    return entries_[i];
  }
  static std::uint32_t slot(FileHandle handle) { return handle.value() & (kSlotsMax - 1); }

 private:
  static constexpr std::uint32_t kSlotsMax = 1U << 16;
  std::vector<Entry> entries_;
};

}  // namespace peernet::io
