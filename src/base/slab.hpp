// A table of fixed capacity whose entries are named by {slot, generation}: whatever the kernel or another shard may
// still name after it has died. A stale handle finds nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <utility>

#include "base/check.hpp"

namespace peernet {

/// Names an entry of a Slab. The default value names none. Packs into 64 bits (io_uring user_data).
struct SlabHandle {
  std::uint32_t slot = 0;
  std::uint32_t generation = 0;  ///< odd while alive, so that 0 never names anything

  constexpr std::uint64_t packed() const { return (std::uint64_t{generation} << 32) | slot; }
  static constexpr SlabHandle unpack(std::uint64_t v) {
    return {static_cast<std::uint32_t>(v), static_cast<std::uint32_t>(v >> 32)};
  }
  constexpr explicit operator bool() const { return generation != 0; }
  friend constexpr bool operator==(const SlabHandle&, const SlabHandle&) = default;
};

/// Not for several threads. Memory is reserved at construction and touched only as slots come into use for the first
/// time (pools are sized for the worst case, a small transfer must not pay for it). Entries never move.
template <class T>
class Slab {
 public:
  explicit Slab(std::uint32_t capacity)
      : entries_(capacity == 0 ? nullptr
                               : static_cast<Entry*>(::operator new(sizeof(Entry) * std::size_t{capacity},
                                                                    std::align_val_t{alignof(Entry)}))),
        capacity_(capacity) {
    PN_CHECK(capacity < kNone);
  }
  Slab(const Slab&) = delete;
  Slab& operator=(const Slab&) = delete;
  ~Slab() {
    clear();
    ::operator delete(entries_, std::align_val_t{alignof(Entry)});
  }

  /// A new entry, or a handle that is false when all slots are taken.
  template <class... Args>
  SlabHandle emplace(Args&&... args) {
    std::uint32_t slot = free_;
    if (slot == kNone) {
      if (used_ == capacity_) return {};
      slot = used_++;
      Entry* fresh = ::new (entries_ + slot) Entry;
      fresh->generation = 0;
    } else {
      free_ = entries_[slot].next_free;
    }
    Entry& e = entries_[slot];
    ::new (e.storage) T(std::forward<Args>(args)...);
    ++e.generation;  // even -> odd
    ++size_;
    return {slot, e.generation};
  }

  /// The entry, or nullptr if it has been erased. Any handle may be asked, also one that a peer made up.
  T* get(SlabHandle h) {
    if (h.slot >= used_ || entries_[h.slot].generation != h.generation || (h.generation & 1) == 0) return nullptr;
    return entries_[h.slot].value();
  }
  const T* get(SlabHandle h) const { return const_cast<Slab*>(this)->get(h); }

  /// The live entry in a slot, or nullptr: for links between entries that are kept consistent by their owner.
  T* at_slot(std::uint32_t slot) {
    return slot < used_ && (entries_[slot].generation & 1) != 0 ? entries_[slot].value() : nullptr;
  }
  /// The handle that names the live entry in a slot; false if it is free.
  SlabHandle handle_of(std::uint32_t slot) const {
    if (slot >= used_ || (entries_[slot].generation & 1) == 0) return {};
    return {slot, entries_[slot].generation};
  }

  /// Destroys the entry; false if the handle is stale. The slot is the next to be used again.
  bool erase(SlabHandle h) {
    T* value = get(h);
    if (value == nullptr) return false;
    Entry& e = entries_[h.slot];
    ++e.generation;  // odd -> even: the handle is stale before ~T runs
    value->~T();
    e.next_free = free_;
    free_ = h.slot;
    --size_;
    return true;
  }

  /// Destroys all entries; their handles are stale.
  void clear() {
    for (std::uint32_t slot = 0; slot < used_; ++slot) erase(handle_of(slot));
  }

  /// Calls f(SlabHandle, T&) for each live entry by ascending slot; f may erase the entry it is given.
  template <class F>
  void for_each(F&& f) {
    for (std::uint32_t slot = 0; slot < used_; ++slot)
      if (T* value = at_slot(slot)) f(handle_of(slot), *value);
  }

  std::uint32_t size() const { return size_; }
  std::uint32_t capacity() const { return capacity_; }
  bool full() const { return size_ == capacity_; }

 private:
  static constexpr std::uint32_t kNone = UINT32_MAX;
  struct Entry {
    alignas(T) std::byte storage[sizeof(T)];
    std::uint32_t generation;
    std::uint32_t next_free;
    T* value() { return std::launder(reinterpret_cast<T*>(storage)); }
  };

  Entry* entries_;  // owned; raw because only the first used_ entries exist
  std::uint32_t capacity_;
  std::uint32_t used_ = 0;  // slots below have been used at least once
  std::uint32_t free_ = kNone;
  std::uint32_t size_ = 0;
};

}  // namespace peernet
