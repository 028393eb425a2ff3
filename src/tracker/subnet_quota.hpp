// No neighbourhood fills a reply: of the places in it, at most a tenth (rounded up, at least one) go to one IPv4 /24 or
// IPv6 /56 before everybody else has had a chance. Loopback is exempt: many nodes of one test or machine.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>

#include "base/types.hpp"
#include "tracker/peer_records.hpp"

namespace peernet::tracker {

inline constexpr std::uint64_t kExemptSubnet = 0;

inline std::uint64_t subnet_of_v4(const std::byte* ip) {
  if (ip[0] == std::byte{127}) return kExemptSubnet;
  constexpr std::uint64_t kV4 = std::uint64_t{1} << 56;  // above what a /56 fills
  return kV4 | (std::to_integer<std::uint64_t>(ip[0]) << 16) | (std::to_integer<std::uint64_t>(ip[1]) << 8) |
         std::to_integer<std::uint64_t>(ip[2]);
}
inline std::uint64_t subnet_of(const ByteArray<16>& ip) {
  const Address address{.ip = ip};
  if (address.is_v4()) return subnet_of_v4(ip.data() + 12);
  if (address.is_loopback()) return kExemptSubnet;
  constexpr std::uint64_t kV6 = std::uint64_t{1} << 57;
  std::uint64_t prefix = 0;
  std::memcpy(&prefix, ip.data(), 8);
  return kV6 | (to_big_endian(prefix) >> 8);
}
inline std::uint64_t subnet_of(const LegacyV4& peer) {
  ByteArray<4> ip;
  std::memcpy(ip.data(), &peer.ip, 4);
  return subnet_of_v4(ip.data());
}
inline std::uint64_t subnet_of(const LegacyV6& peer) {
  return subnet_of(peer.ip);
}
inline std::uint64_t subnet_of(const Node& peer) {
  return subnet_of(peer.ip);
}

/// The subnets of one reply of at most kMaxPeersV4 places.
class SubnetQuota {
 public:
  /// seed: random and odd or even, so that nobody can choose addresses that crowd one slot.
  SubnetQuota(std::uint32_t places, std::uint64_t seed)
      : limit_(std::max((places + 9) / 10, 1u)),
        factor_(seed | 1),
        bits_(static_cast<int>(std::bit_width(2 * places))) {
    std::fill_n(subnets_.begin(), std::size_t{1} << bits_, kExemptSubnet);
    std::fill_n(taken_.begin(), std::size_t{1} << bits_, std::uint8_t{0});
  }

  /// Takes a place for the subnet if its share is not used up.
  bool admit(std::uint64_t subnet) {
    if (subnet == kExemptSubnet) return true;
    const std::size_t mask = (std::size_t{1} << bits_) - 1;
    std::size_t at = static_cast<std::size_t>((subnet * factor_) >> (64 - bits_));
    while (subnets_[at] != kExemptSubnet && subnets_[at] != subnet) at = (at + 1) & mask;
    if (taken_[at] == limit_) return false;
    subnets_[at] = subnet;
    ++taken_[at];
    return true;
  }

 private:
  static constexpr std::size_t kSlots = 512;
  static_assert(kSlots > 2 * wire::kMaxPeersV4);

  std::uint32_t limit_;
  std::uint64_t factor_;
  int bits_;  // of the table in use: over twice as many slots as there are places
  std::array<std::uint64_t, kSlots> subnets_;
  std::array<std::uint8_t, kSlots> taken_;
};

}  // namespace peernet::tracker
