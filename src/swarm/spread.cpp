#include "swarm/spread.hpp"

#include <cstdlib>

#include "base/check.hpp"
#include "swarm/mutants.hpp"

namespace peernet::swarm {

void Spread::Release::operator()(Given* entries) const {
  std::free(entries);
}

// Zeros from calloc are not touched: a content of 16 million chunks costs memory only for those that are given.
Spread::Spread(std::uint32_t chunks) : chunks_(chunks), fresh_(chunks) {
  static_assert(sizeof(Given) == 2 && Given::is_always_lock_free);
  if (chunks == 0) return;
  given_.reset(static_cast<Given*>(std::calloc(chunks, sizeof(Given))));
  PN_CHECK(given_ != nullptr);
}

std::uint8_t Spread::tick_of(Instant now) {
  return static_cast<std::uint8_t>(static_cast<std::uint64_t>(now.ns() / kTick.count()) % kTicks + 1);
}

bool Spread::refuses(Instant now, ChunkIndex chunk, Receiver receiver) const {
  PN_CHECK(chunk.value() < chunks_);
  if (receivers() < 2 || fresh() == 0) return false;
  const std::uint16_t given = given_[chunk.value()].load(std::memory_order_relaxed);
  const auto tick = static_cast<std::uint8_t>(given >> 8);
  if (tick == 0 || static_cast<Receiver>(given & 0xff) == receiver) return false;
  if (mutant(Mutant::kSpreadingForever)) return true;
  const unsigned age = (static_cast<unsigned>(tick_of(now)) + kTicks - tick) % kTicks;
  return age < kRefusedTicks;
}

void Spread::on_given(Instant now, ChunkIndex chunk, Receiver receiver) {
  PN_CHECK(chunk.value() < chunks_);
  const auto given = static_cast<std::uint16_t>((tick_of(now) << 8) | receiver);
  Given& entry = given_[chunk.value()];
  if (entry.load(std::memory_order_relaxed) == given) return;
  if (entry.exchange(given, std::memory_order_relaxed) == 0) fresh_.fetch_sub(1, std::memory_order_relaxed);
}

}  // namespace peernet::swarm
