// Which chunks of a content a node serves, in the order in which they came to be served: written and verified, never
// taken back. Each receiver has a cursor into it, so that what everybody was told takes a number a receiver.
#pragma once

#include <cstdint>
#include <vector>

#include "base/types.hpp"
#include "content/chunk_map.hpp"

namespace peernet::swarm {

class HaveLog {
 public:
  explicit HaveLog(std::uint32_t chunks) : map_(chunks) { order_.reserve(chunks); }

  /// False: it is served already.
  bool add(ChunkIndex chunk) {
    if (!map_.set(chunk)) return false;
    order_.push_back(chunk);
    return true;
  }

  bool has(ChunkIndex chunk) const { return map_.test(chunk); }
  bool complete() const { return map_.full(); }
  const content::ChunkMap& map() const { return map_; }
  /// Chunks so far, and the i-th of them.
  std::uint32_t count() const { return map_.count(); }
  ChunkIndex at(std::uint32_t i) const { return order_[i]; }

 private:
  content::ChunkMap map_;
  std::vector<ChunkIndex> order_;
};

}  // namespace peernet::swarm
