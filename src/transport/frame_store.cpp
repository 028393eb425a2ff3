#include "transport/frame_store.hpp"

#include <cstring>

namespace peernet::transport {

FrameStore::FrameStore(Capacity capacity)
    : small_count_(capacity.small + kReserve),
      large_count_(capacity.large),
      slots_(std::make_unique<Slot[]>(small_count_ + large_count_)),
      bytes_(std::make_unique_for_overwrite<std::byte[]>(small_count_ * kSmallBytes + large_count_ * kLargeBytes)) {
  PN_CHECK(small_count_ + large_count_ < kNoFrame);
  for (std::uint32_t i = small_count_ + large_count_; i != 0; --i) put_free(static_cast<std::uint16_t>(i - 1));
}

std::byte* FrameStore::bytes_of(std::uint16_t slot) const {
  if (is_small(slot)) return bytes_.get() + slot * kSmallBytes;
  return bytes_.get() + small_count_ * kSmallBytes + (slot - small_count_) * kLargeBytes;
}

void FrameStore::put_free(std::uint16_t slot) {
  std::uint16_t& head = is_small(slot) ? free_small_ : free_large_;
  slots_[slot] = {head, 0};
  head = slot;
  ++(is_small(slot) ? free_small_count_ : free_large_count_);
}

bool FrameStore::push(ByteSpan encoded, For whom) {
  if (encoded.empty() || encoded.size() > kLargeBytes) return false;
  const bool small = encoded.size() <= kSmallBytes;
  std::uint32_t& free_count = small ? free_small_count_ : free_large_count_;
  const std::uint32_t reserve = small && whom == For::kOwner ? kReserve : 0;
  if (free_count <= reserve) return false;
  std::uint16_t& head = small ? free_small_ : free_large_;
  const std::uint16_t slot = head;
  head = slots_[slot].next;
  --free_count;

  std::memcpy(bytes_of(slot), encoded.data(), encoded.size());
  slots_[slot] = {kNoFrame, static_cast<std::uint16_t>(encoded.size())};
  if (queue_tail_ == kNoFrame) {
    queue_head_ = slot;
  } else {
    slots_[queue_tail_].next = slot;
  }
  queue_tail_ = slot;
  ++queued_;
  return true;
}

std::size_t FrameStore::room() const {
  return free_small_count_ > kReserve ? free_small_count_ - kReserve : 0;
}

ByteSpan FrameStore::front() const {
  PN_CHECK(queue_head_ != kNoFrame);
  return {bytes_of(queue_head_), slots_[queue_head_].length};
}

std::uint16_t FrameStore::take(std::uint16_t chain) {
  PN_CHECK(queue_head_ != kNoFrame);
  const std::uint16_t slot = queue_head_;
  queue_head_ = slots_[slot].next;
  if (queue_head_ == kNoFrame) queue_tail_ = kNoFrame;
  slots_[slot].next = chain;  // newest first; order within a packet promises nothing
  --queued_;
  ++carried_;
  return slot;
}

void FrameStore::release(std::uint16_t chain) {
  while (chain != kNoFrame) {
    const std::uint16_t next = slots_[chain].next;
    put_free(chain);
    PN_CHECK(carried_ > 0);
    --carried_;
    chain = next;
  }
}

std::uint32_t FrameStore::requeue(std::uint16_t chain) {
  std::uint32_t count = 0;
  while (chain != kNoFrame) {  // the chain is newest first, so pushing to the front restores the order
    const std::uint16_t next = slots_[chain].next;
    slots_[chain].next = queue_head_;
    queue_head_ = chain;
    if (queue_tail_ == kNoFrame) queue_tail_ = chain;
    PN_CHECK(carried_ > 0);
    --carried_;
    ++queued_;
    ++count;
    chain = next;
  }
  return count;
}

std::uint32_t FrameStore::chain_length(std::uint16_t chain) const {
  std::uint32_t n = 0;
  for (; chain != kNoFrame; chain = slots_[chain].next) ++n;
  return n;
}

wire::FrameType FrameStore::first_type(std::uint16_t chain) const {
  PN_CHECK(chain != kNoFrame);
  return static_cast<wire::FrameType>(std::to_integer<std::uint8_t>(*bytes_of(chain)));
}

void FrameStore::check_invariants() const {
  PN_CHECK(queued_ + carried_ + free_small_count_ + free_large_count_ == small_count_ + large_count_);
  std::uint32_t n = 0;
  std::uint16_t last = kNoFrame;
  for (std::uint16_t slot = queue_head_; slot != kNoFrame; slot = slots_[slot].next) {
    last = slot;
    PN_CHECK(++n <= queued_);
  }
  PN_CHECK(n == queued_ && last == queue_tail_);
}

}  // namespace peernet::transport
