// How many peers each address has, over all contents: an IPv4 address or an IPv6 /64 (what one household gets). Touched
// only when a peer comes or goes. An entry is 8 bytes: 40 bits of the keyed hash and a count; two addresses that share
// 46 bits of hash share a count, which a limit of tens of thousands can live with.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/address.hpp"
#include "tracker/peer_records.hpp"
#include "tracker/spin_lock.hpp"

namespace peernet::tracker {

/// Safe for several threads.
class AddressCounts {
 public:
  explicit AddressCounts(const TableHash& hash) : hash_(hash) {}

  /// Counts one more peer; false if there are `limit` of them already (0: no limit). Loopback is not counted.
  bool add(const Address& address, std::uint32_t limit);
  void remove(const Address& address);
  /// Addresses with at least one peer; for tests.
  std::size_t addresses() const;

 private:
  static constexpr std::size_t kStripes = 64;
  struct alignas(64) Stripe {
    mutable SpinLock lock;
    std::vector<std::uint64_t> slots;  // hash << 24 | count, 0: free; linear probing, a power of two or empty
    std::size_t used = 0;
  };

  std::optional<std::uint64_t> key_of(const Address& address) const;
  static std::size_t find(const Stripe& stripe, std::uint64_t hash);
  static void resize(Stripe& stripe, std::size_t slots);

  TableHash hash_;
  std::array<Stripe, kStripes> stripes_;
};

}  // namespace peernet::tracker
