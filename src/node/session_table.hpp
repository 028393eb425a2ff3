// Session id -> peer of one shard. Open addressing with linear probing at a load of at most a half; ids are random, so
// their own bits are the hash. Nothing is allocated after construction.
#pragma once

#include <cstdint>
#include <vector>

#include "base/check.hpp"
#include "base/slab.hpp"
#include "base/types.hpp"

namespace peernet::node {

class SessionTable {
 public:
  /// capacity: most ids held at once.
  explicit SessionTable(std::uint32_t capacity) {
    std::uint32_t size = 16;
    while (size < capacity * 2) size *= 2;
    entries_.resize(size);
    capacity_ = capacity;
  }

  /// False if the id is taken or the table is full.
  bool insert(SessionId id, SlabHandle peer) {
    if (used_ == capacity_) return false;
    std::size_t i = slot_of(id);
    for (; entries_[i].peer; i = next(i))
      if (entries_[i].id == id) return false;
    entries_[i] = {id, peer};
    ++used_;
    return true;
  }

  /// A false handle if nobody has the id.
  SlabHandle find(SessionId id) const {
    for (std::size_t i = slot_of(id); entries_[i].peer; i = next(i))
      if (entries_[i].id == id) return entries_[i].peer;
    return {};
  }

  void erase(SessionId id) {
    std::size_t i = slot_of(id);
    while (entries_[i].peer && entries_[i].id != id) i = next(i);
    if (!entries_[i].peer) return;
    --used_;
    // Close the hole: move back whatever probed past it (Knuth, algorithm 6.4 R).
    for (std::size_t j = next(i);; j = next(j)) {
      if (!entries_[j].peer) break;
      const std::size_t home = slot_of(entries_[j].id);
      const bool reachable = i <= j ? (i < home && home <= j) : (i < home || home <= j);
      if (reachable) continue;
      entries_[i] = entries_[j];
      i = j;
    }
    entries_[i] = {};
  }

  std::uint32_t size() const { return used_; }

 private:
  struct Entry {
    SessionId id;
    SlabHandle peer;
  };

  // The low byte is the shard number and the same for all.
  std::size_t slot_of(SessionId id) const { return (id.value() >> 8) & (entries_.size() - 1); }
  std::size_t next(std::size_t i) const { return (i + 1) & (entries_.size() - 1); }

  std::vector<Entry> entries_;
  std::uint32_t capacity_ = 0;
  std::uint32_t used_ = 0;
};

}  // namespace peernet::node
