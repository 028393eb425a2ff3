// An owned file descriptor, and read/write loops that finish what the kernel did by halves.
#pragma once

#include <cstdint>
#include <utility>

#include "base/types.hpp"
#include "peernet/error.hpp"

namespace peernet::storage {

class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    if (this != &other) {
      close();
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }
  ~Fd() { close(); }

  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  void close();

 private:
  int fd_ = -1;
};

/// Reads until the span is full or the file ends; the bytes read or -errno. Retries EINTR.
std::int64_t pread_full(int fd, MutableByteSpan into, std::uint64_t offset);
/// Writes all of it; the bytes written or -errno. Retries EINTR and short writes.
std::int64_t pwrite_full(int fd, ByteSpan bytes, std::uint64_t offset);

}  // namespace peernet::storage
