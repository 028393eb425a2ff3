#include "tracker/address_counts.hpp"

#include <algorithm>
#include <utility>

namespace peernet::tracker {
namespace {

constexpr int kCountBits = 24;
constexpr std::uint64_t kCountMask = (std::uint64_t{1} << kCountBits) - 1;
constexpr int kStripeShift = 58;
constexpr std::uint64_t kHashMask = (std::uint64_t{1} << 40) - 1;
constexpr std::size_t kFirstSlots = 8;

std::size_t place(std::uint64_t slot, std::size_t mask) {
  return static_cast<std::size_t>(slot >> kCountBits) & mask;
}

}  // namespace

std::optional<std::uint64_t> AddressCounts::key_of(const Address& address) const {
  if (address.is_loopback()) return std::nullopt;
  std::uint64_t prefix = 0;
  std::memcpy(&prefix, address.ip.data() + (address.is_v4() ? 8 : 0), 8);  // ::ffff: and an IPv4 address, or a /64
  return hash_.of_number(prefix);
}

/// The slot of an address, or the free one where it would go.
std::size_t AddressCounts::find(const Stripe& stripe, std::uint64_t hash) {
  const std::size_t mask = stripe.slots.size() - 1;
  std::size_t at = static_cast<std::size_t>(hash) & mask;
  while (stripe.slots[at] != 0 && stripe.slots[at] >> kCountBits != hash) at = (at + 1) & mask;
  return at;
}

void AddressCounts::resize(Stripe& stripe, std::size_t slots) {
  std::vector<std::uint64_t> old(slots);
  old.swap(stripe.slots);
  for (const std::uint64_t slot : old)
    if (slot != 0) stripe.slots[find(stripe, slot >> kCountBits)] = slot;
}

bool AddressCounts::add(const Address& address, std::uint32_t limit) {
  const auto key = key_of(address);
  if (!key) return true;
  Stripe& stripe = stripes_[*key >> kStripeShift];
  const std::uint64_t hash = *key & kHashMask;
  const Locked locked(stripe.lock);
  if (stripe.used * 4 >= stripe.slots.size() * 3) resize(stripe, std::max(stripe.slots.size() * 2, kFirstSlots));
  std::uint64_t& slot = stripe.slots[find(stripe, hash)];
  const std::uint64_t count = slot & kCountMask;
  if ((limit != 0 && count >= limit) || count == kCountMask) return false;
  if (slot == 0) ++stripe.used;
  slot = (hash << kCountBits) | (count + 1);
  return true;
}

void AddressCounts::remove(const Address& address) {
  const auto key = key_of(address);
  if (!key) return;
  Stripe& stripe = stripes_[*key >> kStripeShift];
  const Locked locked(stripe.lock);
  PN_CHECK(!stripe.slots.empty());
  std::size_t hole = find(stripe, *key & kHashMask);
  PN_CHECK(stripe.slots[hole] != 0);
  if ((--stripe.slots[hole] & kCountMask) != 0) return;
  stripe.slots[hole] = 0;
  --stripe.used;
  // Whoever could have stood in the hole moves up (Knuth, TAOCP 6.4, algorithm R).
  const std::size_t mask = stripe.slots.size() - 1;
  for (std::size_t at = (hole + 1) & mask; stripe.slots[at] != 0; at = (at + 1) & mask) {
    const std::size_t home = place(stripe.slots[at], mask);
    if (((at - home) & mask) < ((at - hole) & mask)) continue;
    stripe.slots[hole] = std::exchange(stripe.slots[at], 0);
    hole = at;
  }
  if (stripe.slots.size() > kFirstSlots && stripe.used * 8 < stripe.slots.size())
    resize(stripe, stripe.slots.size() / 2);
}

std::size_t AddressCounts::addresses() const {
  std::size_t sum = 0;
  for (const Stripe& stripe : stripes_) {
    const Locked locked(stripe.lock);
    sum += stripe.used;
  }
  return sum;
}

}  // namespace peernet::tracker
