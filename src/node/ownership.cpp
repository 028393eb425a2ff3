#include "node/ownership.hpp"

#include <algorithm>

namespace peernet::node {

wire::OwnershipBits ownership_of(const content::ChunkMap& present) {
  wire::OwnershipBits out{};
  if (present.full()) {
    out.fill(std::byte{0xff});
    return out;
  }
  constexpr std::uint64_t kBits = wire::kOwnershipBits;
  const std::uint64_t n = present.size();
  if (n <= kBits) {
    for (auto at = present.next_set(ChunkIndex(0)); at; at = present.next_set(*at + 1))
      wire::set_owned(out, at->value());
    return out;
  }
  for (std::uint32_t bit = 0; bit < kBits; ++bit) {
    const auto clear = present.next_clear(ChunkIndex(static_cast<std::uint32_t>(bit * n / kBits)));
    if (!clear || clear->value() >= (bit + 1) * n / kBits) wire::set_owned(out, bit);
  }
  return out;
}

double fraction_of(const wire::OwnershipBits& owned, std::uint32_t chunks) {
  const std::uint32_t bits = chunks == 0 ? wire::kOwnershipBits : std::min(chunks, wire::kOwnershipBits);
  std::uint32_t count = 0;
  for (std::uint32_t bit = 0; bit < bits; ++bit) count += wire::owns(owned, bit) ? 1u : 0u;
  return static_cast<double>(count) / bits;
}

}  // namespace peernet::node
