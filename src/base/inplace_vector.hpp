// A vector whose capacity is part of its type: bounded by construction, no allocation.
#pragma once

#include <array>
#include <cstddef>
#include <span>

#include "base/check.hpp"

namespace peernet {

/// T is default-constructible and cheap to copy. push_back on a full vector is our own bug; try_push_back says no.
template <class T, std::size_t Capacity>
class InplaceVector {
 public:
  static constexpr std::size_t kCapacity = Capacity;

  bool try_push_back(const T& value) {
    if (size_ == Capacity) return false;
    items_[size_++] = value;
    return true;
  }
  void push_back(const T& value) { PN_CHECK(try_push_back(value)); }
  void pop_back() {
    PN_CHECK(size_ > 0);
    --size_;
  }
  /// Linear: for the short queues this is made for.
  void erase_front() {
    PN_CHECK(size_ > 0);
    for (std::size_t i = 1; i < size_; ++i) items_[i - 1] = items_[i];
    --size_;
  }
  void clear() { size_ = 0; }

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  bool full() const { return size_ == Capacity; }
  T& operator[](std::size_t i) {
    PN_CHECK(i < size_);
    return items_[i];
  }
  const T& operator[](std::size_t i) const {
    PN_CHECK(i < size_);
    return items_[i];
  }
  T& back() { return (*this)[size_ - 1]; }
  const T& back() const { return (*this)[size_ - 1]; }
  T* begin() { return items_.data(); }
  T* end() { return items_.data() + size_; }
  const T* begin() const { return items_.data(); }
  const T* end() const { return items_.data() + size_; }
  std::span<const T> span() const { return {items_.data(), size_}; }

  friend bool operator==(const InplaceVector& a, const InplaceVector& b) {
    if (a.size_ != b.size_) return false;
    for (std::size_t i = 0; i < a.size_; ++i)
      if (!(a.items_[i] == b.items_[i])) return false;
    return true;
  }

 private:
  std::array<T, Capacity> items_{};
  std::size_t size_ = 0;
};

}  // namespace peernet
