// A provided-buffer ring: receive buffers that the kernel picks from and that we put back.
#pragma once

#include <optional>
#include <vector>

#include "io/mapping.hpp"
#include "io/uring/ring.hpp"

namespace peernet::io {

struct BufferRingOptions {
  std::uint16_t group = 0;
  std::uint32_t buffers = 0;       ///< up to 32768
  std::uint32_t buffer_bytes = 0;  ///< a multiple of 64
};

class BufferRing {
 public:
  /// Registers with the ring and fills it; an error if the kernel knows no buffer rings.
  static Result<BufferRing> open(const Ring& ring, const BufferRingOptions& options);

  std::byte* buffer(std::uint16_t id) const { return buffers_.data() + std::size_t{id} * buffer_bytes_; }
  std::uint32_t buffer_bytes() const { return buffer_bytes_; }
  std::uint32_t count() const { return count_; }

  /// Puts a buffer back; the kernel sees it after publish().
  void put(std::uint16_t id);
  void publish();

 private:
  Mapping ring_;  // struct io_uring_buf[entries], shared with the kernel
  Mapping buffers_;
  std::uint32_t buffer_bytes_ = 0;
  std::uint32_t count_ = 0;
  std::uint16_t mask_ = 0;
  std::uint16_t tail_ = 0;
};

}  // namespace peernet::io
