// Which bytes of something are there: an oracle of its own, kept simple on purpose.
#pragma once

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <map>

namespace peernet::sim {

class RangeSet {
 public:
  /// Adds [begin, end); returns how many of its bytes were new. `each_new(begin, end)` is told the new pieces first.
  template <class F>
  std::uint64_t add(std::uint64_t begin, std::uint64_t end, F each_new) {
    std::uint64_t fresh = 0;
    std::uint64_t at = begin;
    auto it = ranges_.upper_bound(begin);
    if (it != ranges_.begin() && std::prev(it)->second >= begin) --it;
    std::uint64_t low = begin;
    std::uint64_t high = end;
    while (it != ranges_.end() && it->first <= end) {
      if (it->first > at) {
        each_new(at, it->first);
        fresh += it->first - at;
      }
      at = std::max(at, it->second);
      low = std::min(low, it->first);
      high = std::max(high, it->second);
      it = ranges_.erase(it);
    }
    if (at < end) {
      each_new(at, end);
      fresh += end - at;
    }
    if (low < high) ranges_[low] = high;
    total_ += fresh;
    return fresh;
  }
  std::uint64_t add(std::uint64_t begin, std::uint64_t end) {
    return add(begin, end, [](std::uint64_t, std::uint64_t) {});
  }

  bool covers(std::uint64_t begin, std::uint64_t end) const {
    if (begin >= end) return true;
    auto it = ranges_.upper_bound(begin);
    return it != ranges_.begin() && std::prev(it)->second >= end;
  }
  bool touches(std::uint64_t begin, std::uint64_t end) const {
    if (begin >= end) return false;
    auto it = ranges_.lower_bound(end);
    return it != ranges_.begin() && std::prev(it)->second > begin;
  }
  /// Where the first range at or behind `begin` starts, at most `end`.
  std::uint64_t next_from(std::uint64_t begin, std::uint64_t end) const {
    const auto it = ranges_.lower_bound(begin);
    return it == ranges_.end() ? end : std::min(it->first, end);
  }
  /// Removes and returns at most `most` bytes from the lowest range; {0, 0} if there is none.
  std::pair<std::uint64_t, std::uint64_t> take_first(std::uint64_t most) {
    if (ranges_.empty()) return {0, 0};
    const auto [begin, end] = *ranges_.begin();
    const std::uint64_t cut = std::min(end, begin + most);
    ranges_.erase(ranges_.begin());
    if (cut < end) ranges_[cut] = end;
    total_ -= cut - begin;
    return {begin, cut};
  }
  std::uint64_t total() const { return total_; }
  bool empty() const { return ranges_.empty(); }

 private:
  std::map<std::uint64_t, std::uint64_t> ranges_;
  std::uint64_t total_ = 0;
};

}  // namespace peernet::sim
