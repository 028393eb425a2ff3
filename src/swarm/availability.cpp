#include "swarm/availability.hpp"

#include <algorithm>
#include <utility>

#include "base/check.hpp"

namespace peernet::swarm {

static_assert(kMaxSources < 256, "holders fit a byte");

Availability::Availability(std::uint32_t chunks) : open_(chunks), holders_(chunks), order_(chunks), place_(chunks) {}

void Availability::swap_places(std::uint32_t a, std::uint32_t b) {
  if (a == b) return;
  const std::uint32_t chunk = order_[a];
  put(a, order_[b]);
  put(b, chunk);
}

void Availability::raise(ChunkIndex chunk) {
  const std::uint32_t holders = holders_[chunk.value()]++;
  PN_CHECK(holders < kMaxSources);
  if (holders == highest_) {
    ++highest_;
    begin_[highest_ + 1] = begin_[highest_];
  }
  if (!is_open(chunk)) return;
  swap_places(place_[chunk.value()], --begin_[holders + 1]);
}

void Availability::lower(ChunkIndex chunk) {
  const std::uint32_t holders = holders_[chunk.value()]--;
  PN_CHECK(holders > 0);
  if (!is_open(chunk)) return;
  swap_places(place_[chunk.value()], begin_[holders]++);
}

// The first of each higher bucket goes to its end, which moves the bucket up by one.
void Availability::open(ChunkIndex chunk) {
  if (!open_.set(chunk)) return;
  std::uint32_t hole = begin_[highest_ + 1]++;
  for (std::uint32_t k = highest_; k > holders_[chunk.value()]; --k) {
    if (begin_[k] != hole) put(hole, order_[begin_[k]]);
    hole = begin_[k]++;
  }
  put(hole, chunk.value());
}

void Availability::close(ChunkIndex chunk) {
  if (!open_.reset(chunk)) return;
  std::uint32_t hole = place_[chunk.value()];
  for (std::uint32_t k = holders_[chunk.value()]; k <= highest_; ++k) {
    const std::uint32_t last = --begin_[k + 1];
    if (last != hole) put(hole, order_[last]);
    hole = last;
  }
}

void Availability::check_invariants() const {
  PN_CHECK(begin_[0] == 0 && begin_[highest_ + 1] == open_.count());
  for (std::uint32_t k = 0; k <= highest_; ++k) {
    PN_CHECK(begin_[k] <= begin_[k + 1]);
    for (std::uint32_t i : {begin_[k], begin_[k + 1] - 1}) {  // the borders: where a wrong swap shows
      if (begin_[k] == begin_[k + 1]) continue;
      PN_CHECK(holders_[order_[i]] == k && place_[order_[i]] == i && open_.test(ChunkIndex(order_[i])));
    }
  }
}

}  // namespace peernet::swarm
