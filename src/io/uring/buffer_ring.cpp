#include "io/uring/buffer_ring.hpp"

#include <bit>
#include <cstddef>

#include "base/check.hpp"

namespace peernet::io {

Result<BufferRing> BufferRing::open(const Ring& ring, const BufferRingOptions& options) {
  PN_CHECK(options.buffers >= 1 && options.buffers <= 32768);
  BufferRing out;
  const auto entries = std::bit_ceil(options.buffers);
  out.ring_ = Mapping(entries * sizeof(io_uring_buf));
  out.buffers_ = Mapping(std::size_t{options.buffers} * options.buffer_bytes);
  out.buffer_bytes_ = options.buffer_bytes;
  out.count_ = options.buffers;
  out.mask_ = static_cast<std::uint16_t>(entries - 1);
  io_uring_buf_reg registration{};
  registration.ring_addr = reinterpret_cast<std::uint64_t>(out.ring_.data());
  registration.ring_entries = entries;
  registration.bgid = options.group;
  const int result = ring.do_register(IORING_REGISTER_PBUF_RING, &registration, 1);
  if (result < 0) return std::unexpected(Error{ErrorCode::kKernel, -result, "register receive buffers"});
  for (std::uint32_t i = 0; i < options.buffers; ++i) out.put(static_cast<std::uint16_t>(i));
  out.publish();
  return out;
}

void BufferRing::put(std::uint16_t id) {
  auto* entries = reinterpret_cast<io_uring_buf*>(ring_.data());
  io_uring_buf& entry = entries[tail_ & mask_];
  entry.addr = reinterpret_cast<std::uint64_t>(buffer(id));
  entry.len = buffer_bytes_;
  entry.bid = id;
  ++tail_;  // entry 0's last two bytes are the shared tail, so only these three members may be written
}

void BufferRing::publish() {
  auto* tail = reinterpret_cast<std::uint16_t*>(ring_.data() + offsetof(io_uring_buf, resv));
  // Release: the kernel must see the entries before the tail that covers them.
  std::atomic_ref(*tail).store(tail_, std::memory_order_release);
}

}  // namespace peernet::io
