// The memory a shard sends from: trains, read blocks and small control datagrams, one region that the driver may
// register. A train or control slot belongs to the kernel from submit_send until on_sent.
#pragma once

#include <sys/mman.h>

#include <utility>
#include <vector>

#include "base/check.hpp"
#include "base/types.hpp"
#include "node/memory_plan.hpp"

namespace peernet::node {

/// Pages of a private mapping: reserved now, touched by need, returned at the end.
class PageRegion {
 public:
  PageRegion() = default;
  explicit PageRegion(std::size_t bytes) : bytes_(bytes) {
    void* at = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    PN_CHECK(at != MAP_FAILED);
    data_ = static_cast<std::byte*>(at);
  }
  PageRegion(PageRegion&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
  PageRegion& operator=(PageRegion&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~PageRegion() {
    if (data_ != nullptr) ::munmap(data_, bytes_);
  }

  MutableByteSpan span() const { return {data_, bytes_}; }
  MutableByteSpan piece(std::size_t index, std::size_t size) const { return span().subspan(index * size, size); }

 private:
  std::byte* data_ = nullptr;
  std::size_t bytes_ = 0;
};

/// The kernel may back this part of a mapping with huge pages when it is first touched; nothing changes if it will not.
inline void prefer_huge_pages(MutableByteSpan memory) {
  constexpr std::uintptr_t kPage = 4096;
  const std::uintptr_t first = (reinterpret_cast<std::uintptr_t>(memory.data()) + kPage - 1) / kPage * kPage;
  const std::uintptr_t last = reinterpret_cast<std::uintptr_t>(memory.data() + memory.size()) / kPage * kPage;
  if (first < last) ::madvise(reinterpret_cast<void*>(first), last - first, MADV_HUGEPAGE);
}

/// Slots of equal size in a region; the lowest free one is taken, so that few stay hot.
class SlotPool {
 public:
  SlotPool(MutableByteSpan memory, std::size_t slot_bytes, std::uint32_t slots)
      : memory_(memory), slot_bytes_(slot_bytes), free_(slots, true), free_count_(slots) {
    PN_CHECK(memory.size() >= slot_bytes * slots);
  }

  bool available() const { return free_count_ > 0; }
  std::uint32_t free_count() const { return free_count_; }
  std::uint16_t take() {
    PN_CHECK(available());
    std::uint16_t slot = 0;
    while (!free_[slot]) ++slot;
    free_[slot] = false;
    --free_count_;
    return slot;
  }
  void give_back(std::uint16_t slot) {
    PN_CHECK(!free_[slot]);
    free_[slot] = true;
    ++free_count_;
  }
  MutableByteSpan bytes(std::uint16_t slot) const { return memory_.subspan(slot * slot_bytes_, slot_bytes_); }

 private:
  MutableByteSpan memory_;
  std::size_t slot_bytes_;
  std::vector<bool> free_;
  std::uint32_t free_count_;
};

}  // namespace peernet::node
