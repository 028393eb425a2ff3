#include "tracker/swarm_table.hpp"

#include <utility>

namespace peernet::tracker {
namespace {

constexpr std::size_t kFirstSlots = 8;

}  // namespace

/// The slot of a swarm, or the free one where it would go; slots_ is not empty.
std::size_t SwarmTable::place_of(const SwarmName& name) const {
  const auto tag = static_cast<std::uint32_t>(name.hash);
  std::size_t at = tag & mask();
  for (; slots_[at].number != 0; at = (at + 1) & mask()) {
    if (slots_[at].tag != tag) continue;
    const std::uint32_t number = slots_[at].number - 1;
    if (chunks_[number / kChunk][number % kChunk].id == name.id) break;
  }
  return at;
}

Swarm* SwarmTable::find(const SwarmName& name) {
  if (slots_.empty()) return nullptr;
  const Slot& slot = slots_[place_of(name)];
  return slot.number == 0 ? nullptr : &at(slot.number - 1);
}

void SwarmTable::prefetch_swarm(const SwarmName& name) const {
  if (slots_.empty()) return;
  const auto tag = static_cast<std::uint32_t>(name.hash);
  for (std::size_t at = tag & mask(); slots_[at].number != 0; at = (at + 1) & mask()) {
    if (slots_[at].tag != tag) continue;
    const std::uint32_t number = slots_[at].number - 1;
    const char* swarm = reinterpret_cast<const char*>(&chunks_[number / kChunk][number % kChunk]);
    __builtin_prefetch(swarm);
    __builtin_prefetch(swarm + sizeof(Swarm) - 1);
    return;
  }
}

Swarm& SwarmTable::add(const SwarmName& name) {
  if ((size_ + 1) * std::size_t{4} > slots_.size() * 3) resize(std::max(slots_.size() * 2, kFirstSlots));
  if (size_ / kChunk == chunks_.size()) chunks_.push_back(std::make_unique<Swarm[]>(kChunk));
  slots_[place_of(name)] = {static_cast<std::uint32_t>(name.hash), size_ + 1};
  Swarm& swarm = at(size_++);
  swarm.id = name.id;
  return swarm;
}

void SwarmTable::remove(const SwarmName& name) {
  const std::size_t slot = place_of(name);
  PN_CHECK(slots_[slot].number != 0);
  const std::uint32_t number = slots_[slot].number - 1;
  clear_slot(slot);
  Swarm& last = at(--size_);
  if (number != size_) {
    slots_[place_of({last.id, hash_.of(last.id)})].number = number + 1;
    at(number) = std::move(last);
  }
  last = Swarm{};
  // One empty chunk is kept, so that a swarm that comes and goes does not allocate each time.
  if (chunks_.size() * kChunk >= size_ + 2 * kChunk) chunks_.pop_back();
  if (slots_.size() > kFirstSlots && size_ * std::size_t{8} < slots_.size()) resize(slots_.size() / 2);
}

/// Whoever could have stood in the hole moves up (Knuth, TAOCP 6.4, algorithm R).
void SwarmTable::clear_slot(std::size_t hole) {
  slots_[hole] = {};
  for (std::size_t at = (hole + 1) & mask(); slots_[at].number != 0; at = (at + 1) & mask()) {
    const std::size_t home = slots_[at].tag & mask();
    if (((at - home) & mask()) < ((at - hole) & mask())) continue;
    slots_[hole] = std::exchange(slots_[at], Slot{});
    hole = at;
  }
}

void SwarmTable::resize(std::size_t slots) {
  std::vector<Slot> old(slots);
  old.swap(slots_);
  for (const Slot& slot : old) {
    if (slot.number == 0) continue;
    std::size_t at = slot.tag & mask();
    while (slots_[at].number != 0) at = (at + 1) & mask();
    slots_[at] = slot;
  }
}

void SwarmTable::check_invariants() const {
  std::uint32_t used = 0;
  for (const Slot& slot : slots_) used += slot.number != 0;
  PN_CHECK(used == size_);
  for (std::uint32_t number = 0; number < size_; ++number) {
    const Swarm& swarm = chunks_[number / kChunk][number % kChunk];
    PN_CHECK(slots_[place_of({swarm.id, hash_.of(swarm.id)})].number == number + 1);
    PN_CHECK(swarm.peers() > 0);
    swarm.legacy_v4.check_invariants(hash_);
    swarm.legacy_v6.check_invariants(hash_);
    swarm.nodes.check_invariants(hash_);
  }
}

}  // namespace peernet::tracker
