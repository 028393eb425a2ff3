// A bounded, sorted set of half-open integer ranges: packet numbers to acknowledge, bytes of a chunk that have arrived.
// Memory is taken once, at construction.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>

#include "base/check.hpp"

namespace peernet {

/// first <= x < end; empty if first >= end.
template <std::unsigned_integral T>
struct Range {
  T first = 0;
  T end = 0;
  constexpr bool empty() const { return first >= end; }
  constexpr T size() const { return empty() ? T{0} : static_cast<T>(end - first); }
  friend constexpr bool operator==(const Range&, const Range&) = default;
};

/// What happens when an insertion needs one range more than fits.
enum class WhenFull : std::uint8_t {
  kDropLowest,  ///< the range with the smallest values is forgotten (ACK tracking: the oldest packets)
  kRefuse,      ///< the set stays as it is and the call says no (bytes of a chunk: nothing may be forgotten)
};

/// Ranges are kept ascending, never empty, never touching each other. Linear in the number of ranges at worst;
/// appending at the upper end, the common case, is constant.
template <std::unsigned_integral T, WhenFull kPolicy>
class RangeSet {
 public:
  explicit RangeSet(std::size_t capacity) : items_(std::make_unique<Range<T>[]>(capacity)), capacity_(capacity) {
    PN_CHECK(capacity > 0);
  }
  RangeSet(RangeSet&& other) noexcept
      : items_(std::move(other.items_)),
        capacity_(std::exchange(other.capacity_, 0)),
        size_(std::exchange(other.size_, 0)),
        total_(std::exchange(other.total_, 0)) {}
  RangeSet& operator=(RangeSet&& other) noexcept {
    items_ = std::move(other.items_);
    capacity_ = std::exchange(other.capacity_, 0);
    size_ = std::exchange(other.size_, 0);
    total_ = std::exchange(other.total_, 0);
    return *this;
  }

  /// Adds all of r. False only under kRefuse: there was no room and nothing has changed. Under kDropLowest the lowest
  /// range goes, which may be r itself. An empty r is always accepted.
  bool insert(Range<T> r);
  /// Takes all of r out. May split a range in two, hence the same answer as insert().
  bool subtract(Range<T> r);
  void clear() {
    size_ = 0;
    total_ = 0;
  }

  bool contains(T x) const { return contains(Range<T>{x, static_cast<T>(x + 1)}); }
  /// All of r is in the set (true for an empty r).
  bool contains(Range<T> r) const;
  /// Some of r is in the set.
  bool intersects(Range<T> r) const;
  /// The first maximal piece of `within` that is not in the set; empty if there is none.
  Range<T> first_missing(Range<T> within) const;

  /// Ascending; valid until the next change.
  std::span<const Range<T>> ranges() const { return {items_.get(), size_}; }
  std::size_t size() const { return size_; }
  std::size_t capacity() const { return capacity_; }
  bool empty() const { return size_ == 0; }
  /// How many values are in the set.
  T total() const { return total_; }
  const Range<T>& lowest() const {
    PN_CHECK(size_ > 0);
    return items_[0];
  }
  const Range<T>& highest() const {
    PN_CHECK(size_ > 0);
    return items_[size_ - 1];
  }

 private:
  /// Index of the first range whose end is >= x (> x if strict): the first that may touch (overlap) something from x
  /// on.
  std::size_t first_reaching(T x, bool strict) const;
  void remove(std::size_t from, std::size_t to);
  /// Makes room for one more range at index i and answers where it may be written: nullptr if it may not.
  Range<T>* make_room(std::size_t i);

  std::unique_ptr<Range<T>[]> items_;
  std::size_t capacity_;
  std::size_t size_ = 0;
  T total_ = 0;
};

template <std::unsigned_integral T, WhenFull kPolicy>
std::size_t RangeSet<T, kPolicy>::first_reaching(T x, bool strict) const {
  // The upper end first: packets arrive mostly in order.
  if (size_ == 0 || items_[size_ - 1].end < x || (strict && items_[size_ - 1].end == x)) return size_;
  if (size_ == 1 || items_[size_ - 2].end < x || (strict && items_[size_ - 2].end == x)) return size_ - 1;
  const Range<T>* begin = items_.get();
  const Range<T>* it = std::lower_bound(
      begin, begin + size_, x, [strict](const Range<T>& r, T v) { return r.end < v || (strict && r.end == v); });
  return static_cast<std::size_t>(it - begin);
}

template <std::unsigned_integral T, WhenFull kPolicy>
void RangeSet<T, kPolicy>::remove(std::size_t from, std::size_t to) {
  for (std::size_t i = from; i < to; ++i) total_ = static_cast<T>(total_ - items_[i].size());
  std::move(items_.get() + to, items_.get() + size_, items_.get() + from);
  size_ -= to - from;
}

template <std::unsigned_integral T, WhenFull kPolicy>
Range<T>* RangeSet<T, kPolicy>::make_room(std::size_t i) {
  if (size_ == capacity_) {
    if (kPolicy == WhenFull::kRefuse || i == 0) return nullptr;
    remove(0, 1);
    --i;
  }
  std::move_backward(items_.get() + i, items_.get() + size_, items_.get() + size_ + 1);
  ++size_;
  return &items_[i];
}

template <std::unsigned_integral T, WhenFull kPolicy>
bool RangeSet<T, kPolicy>::insert(Range<T> r) {
  if (r.empty()) return true;
  const std::size_t i = first_reaching(r.first, false);
  std::size_t j = i;  // [i, j) overlap or touch r
  while (j < size_ && items_[j].first <= r.end) ++j;
  if (i == j) {
    Range<T>* place = make_room(i);
    if (place == nullptr) return kPolicy == WhenFull::kDropLowest;
    *place = r;
    total_ = static_cast<T>(total_ + r.size());
    return true;
  }
  const Range<T> merged{std::min(r.first, items_[i].first), std::max(r.end, items_[j - 1].end)};
  remove(i + 1, j);
  total_ = static_cast<T>(total_ - items_[i].size() + merged.size());
  items_[i] = merged;
  return true;
}

template <std::unsigned_integral T, WhenFull kPolicy>
bool RangeSet<T, kPolicy>::subtract(Range<T> r) {
  if (r.empty()) return true;
  std::size_t i = first_reaching(r.first, true);
  if (i == size_ || items_[i].first >= r.end) return true;
  if (items_[i].first < r.first) {
    const Range<T> whole = items_[i];
    if (whole.end > r.end) {  // a hole inside one range
      Range<T>* upper = make_room(i + 1);
      if (upper == nullptr) return false;
      // Under kDropLowest the range that was cut may be the one that was forgotten to make room.
      *upper = {r.end, whole.end};
      total_ = static_cast<T>(total_ + upper->size());
      if (upper != items_.get() && upper[-1] == whole) {
        upper[-1].end = r.first;
        total_ = static_cast<T>(total_ - (whole.end - r.first));
      }
      return true;
    }
    total_ = static_cast<T>(total_ - (whole.end - r.first));
    items_[i].end = r.first;
    ++i;
  }
  std::size_t j = i;
  while (j < size_ && items_[j].end <= r.end) ++j;
  remove(i, j);
  if (i < size_ && items_[i].first < r.end) {
    total_ = static_cast<T>(total_ - (r.end - items_[i].first));
    items_[i].first = r.end;
  }
  return true;
}

template <std::unsigned_integral T, WhenFull kPolicy>
bool RangeSet<T, kPolicy>::contains(Range<T> r) const {
  if (r.empty()) return true;
  const std::size_t i = first_reaching(r.first, true);
  return i < size_ && items_[i].first <= r.first && items_[i].end >= r.end;
}

template <std::unsigned_integral T, WhenFull kPolicy>
bool RangeSet<T, kPolicy>::intersects(Range<T> r) const {
  if (r.empty()) return false;
  const std::size_t i = first_reaching(r.first, true);
  return i < size_ && items_[i].first < r.end;
}

template <std::unsigned_integral T, WhenFull kPolicy>
Range<T> RangeSet<T, kPolicy>::first_missing(Range<T> within) const {
  if (within.empty()) return {};
  const std::size_t i = first_reaching(within.first, true);
  if (i == size_ || items_[i].first >= within.end) return within;
  if (items_[i].first > within.first) return {within.first, items_[i].first};
  if (items_[i].end >= within.end) return {};
  const T end = i + 1 < size_ ? std::min(items_[i + 1].first, within.end) : within.end;
  return {items_[i].end, end};
}

}  // namespace peernet
