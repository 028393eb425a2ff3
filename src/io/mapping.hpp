// Anonymous pages, given by the kernel when they are first touched.
#pragma once

#include <sys/mman.h>

#include <new>
#include <utility>

#include "base/types.hpp"

namespace peernet::io {

class Mapping {
 public:
  Mapping() = default;
  /// Throws std::bad_alloc like any other allocation at start.
  explicit Mapping(std::size_t size) : size_(size) {
    void* at = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED) throw std::bad_alloc();
    data_ = static_cast<std::byte*>(at);
    // A huge page would make the first small datagram pay for 2 MiB.
    ::madvise(at, size, MADV_NOHUGEPAGE);
  }
  Mapping(Mapping&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  Mapping& operator=(Mapping&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~Mapping() {
    if (data_ != nullptr) ::munmap(data_, size_);
  }

  std::byte* data() const { return data_; }
  std::size_t size() const { return size_; }

 private:
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace peernet::io
