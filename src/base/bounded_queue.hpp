// The only way between threads: queues of fixed capacity that never block and never allocate after construction.
// Whoever pushes into an empty queue wakes the consumer by other means (io's wake()).
#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <memory>
#include <utility>

#include "base/check.hpp"

namespace peernet {

/// Two cache lines, since x86 prefetches them in pairs: the producer's index must not travel with the consumer's.
inline constexpr std::size_t kCacheLinePair = 128;

/// One producer thread, one consumer thread. T is default-constructible and movable.
template <class T>
class SpscQueue {
 public:
  /// capacity: rounded up to a power of two.
  explicit SpscQueue(std::size_t capacity)
      : mask_(std::bit_ceil(capacity) - 1), items_(std::make_unique<T[]>(mask_ + 1)) {
    PN_CHECK(capacity > 0);
  }

  /// Producer only. False if full; the value is then untouched.
  bool try_push(T&& value) {
    // relaxed: only this thread writes tail_.
    const std::size_t tail = tail_.load(std::memory_order_relaxed);
    if (tail - head_seen_ > mask_) {
      // acquire: pairs with the consumer's release of head_; it has moved the old item out before we overwrite it.
      head_seen_ = head_.load(std::memory_order_acquire);
      if (tail - head_seen_ > mask_) return false;
    }
    items_[tail & mask_] = std::move(value);
    // release: the item is written before the consumer can see the new tail.
    tail_.store(tail + 1, std::memory_order_release);
    return true;
  }
  bool try_push(const T& value) {
    T copy = value;
    return try_push(std::move(copy));
  }

  /// Consumer only. False if empty.
  bool try_pop(T& out) {
    // relaxed: only this thread writes head_.
    const std::size_t head = head_.load(std::memory_order_relaxed);
    if (head == tail_seen_) {
      // acquire: pairs with the producer's release of tail_; the item is complete.
      tail_seen_ = tail_.load(std::memory_order_acquire);
      if (head == tail_seen_) return false;
    }
    out = std::move(items_[head & mask_]);
    // release: the item is moved out before the producer can reuse its place.
    head_.store(head + 1, std::memory_order_release);
    return true;
  }

  std::size_t capacity() const { return mask_ + 1; }

 private:
  const std::size_t mask_;
  const std::unique_ptr<T[]> items_;
  alignas(kCacheLinePair) std::atomic<std::size_t> tail_{0};
  std::size_t head_seen_ = 0;  // producer's last look at head_
  alignas(kCacheLinePair) std::atomic<std::size_t> head_{0};
  std::size_t tail_seen_ = 0;  // consumer's last look at tail_
};

/// Any number of producer threads, one consumer thread (the bounded queue of Vyukov, 2010, with a single consumer). T
/// is default-constructible and movable. Items of one producer arrive in its order.
template <class T>
class MpscQueue {
 public:
  /// capacity: rounded up to a power of two, at least 2.
  explicit MpscQueue(std::size_t capacity)
      : mask_(std::bit_ceil(capacity < 2 ? 2 : capacity) - 1), cells_(std::make_unique<Cell[]>(mask_ + 1)) {
    PN_CHECK(capacity > 0);
    // relaxed: no other thread knows the queue yet.
    for (std::size_t i = 0; i <= mask_; ++i) cells_[i].sequence.store(i, std::memory_order_relaxed);
  }

  /// Any thread. False if full; the value is then untouched.
  bool try_push(T&& value) {
    // relaxed: a stale tail only costs another round; the cell's sequence decides.
    std::size_t tail = tail_.load(std::memory_order_relaxed);
    for (;;) {
      Cell& cell = cells_[tail & mask_];
      // acquire: pairs with the consumer's release; it has moved the old item out before we overwrite it.
      const std::size_t sequence = cell.sequence.load(std::memory_order_acquire);
      if (sequence == tail) {
        // relaxed: claiming the cell publishes nothing; the release of its sequence below does.
        if (tail_.compare_exchange_weak(tail, tail + 1, std::memory_order_relaxed)) {
          cell.value = std::move(value);
          // release: the item is written before the consumer can see the sequence.
          cell.sequence.store(tail + 1, std::memory_order_release);
          return true;
        }
      } else if (static_cast<std::ptrdiff_t>(sequence - tail) < 0) {  // still holds last round's item: full
        return false;
      } else {
        tail = tail_.load(std::memory_order_relaxed);  // another producer was quicker
      }
    }
  }
  bool try_push(const T& value) {
    T copy = value;
    return try_push(std::move(copy));
  }

  /// Consumer only. False if empty, or if the next item's producer has claimed its place and not finished writing.
  bool try_pop(T& out) {
    Cell& cell = cells_[head_ & mask_];
    // acquire: pairs with the producer's release; the item is complete.
    if (cell.sequence.load(std::memory_order_acquire) != head_ + 1) return false;
    out = std::move(cell.value);
    // release: the item is moved out before a producer can reuse the cell.
    cell.sequence.store(head_ + mask_ + 1, std::memory_order_release);
    ++head_;
    return true;
  }

  std::size_t capacity() const { return mask_ + 1; }

 private:
  struct Cell {
    std::atomic<std::size_t> sequence{0};
    T value{};
  };
  const std::size_t mask_;
  const std::unique_ptr<Cell[]> cells_;
  alignas(kCacheLinePair) std::atomic<std::size_t> tail_{0};
  alignas(kCacheLinePair) std::size_t head_ = 0;  // the consumer's own
};

}  // namespace peernet
