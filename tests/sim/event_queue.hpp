// Virtual time: events leave in order of their instant, and of their insertion where instants are equal, so that a run
// is a pure function of its seed.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/check.hpp"
#include "base/time.hpp"

namespace peernet::sim {

template <class Payload>
class EventQueue {
 public:
  bool empty() const { return heap_.empty(); }
  std::size_t size() const { return heap_.size(); }
  Instant next_at() const { return heap_.empty() ? Instant::never() : heap_.front().at; }

  void push(Instant at, Payload payload) {
    std::uint32_t slot;
    if (free_.empty()) {
      slot = static_cast<std::uint32_t>(slab_.size());
      slab_.push_back(std::move(payload));
    } else {
      slot = free_.back();
      free_.pop_back();
      slab_[slot] = std::move(payload);
    }
    heap_.push_back(Key{at, next_sequence_++, slot});
    std::push_heap(heap_.begin(), heap_.end(), later);
  }

  std::pair<Instant, Payload> pop() {
    PN_CHECK(!heap_.empty());
    std::pop_heap(heap_.begin(), heap_.end(), later);
    const Key key = heap_.back();
    heap_.pop_back();
    free_.push_back(key.slot);
    return {key.at, std::move(slab_[key.slot])};
  }

 private:
  struct Key {
    Instant at;
    std::uint64_t sequence;
    std::uint32_t slot;
  };
  static bool later(const Key& a, const Key& b) { return a.at != b.at ? a.at > b.at : a.sequence > b.sequence; }

  std::vector<Key> heap_;
  std::vector<Payload> slab_;
  std::vector<std::uint32_t> free_;
  std::uint64_t next_sequence_ = 0;
};

}  // namespace peernet::sim
