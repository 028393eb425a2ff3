// A queue of fixed capacity: no allocation after it is made.
#pragma once

#include <bit>
#include <vector>

#include "base/check.hpp"

namespace peernet::io {

template <class T>
class Fifo {
 public:
  explicit Fifo(std::size_t capacity) : items_(std::bit_ceil(capacity < 1 ? std::size_t{1} : capacity)) {}

  bool empty() const { return head_ == tail_; }
  std::size_t size() const { return tail_ - head_; }
  bool full() const { return size() == items_.size(); }

  /// Pushing to a full queue is our own bug: the owner counts what is in flight.
  void push(const T& value) {
    PN_CHECK(!full());
    items_[tail_++ & (items_.size() - 1)] = value;
  }
  T& front() {
    PN_CHECK(!empty());
    return items_[head_ & (items_.size() - 1)];
  }
  T pop() {
    T value = front();
    ++head_;
    return value;
  }

 private:
  std::vector<T> items_;
  std::size_t head_ = 0;
  std::size_t tail_ = 0;
};

}  // namespace peernet::io
