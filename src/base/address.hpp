// An IP address and UDP port as a value. IPv4 is kept in its mapped form (::ffff:a.b.c.d), as a dual-stack socket gives it.
#pragma once

#include <compare>
#include <cstdint>
#include <cstring>

#include "base/types.hpp"

namespace peernet {

struct Address {
  ByteArray<16> ip{};           ///< network byte order; IPv4 as ::ffff:a.b.c.d
  std::uint16_t port = 0;       ///< host byte order
  std::uint32_t scope_id = 0;   ///< interface of a link-local address, else 0

  static Address v4(std::uint8_t a, std::uint8_t b, std::uint8_t c, std::uint8_t d, std::uint16_t port) {
    Address out;
    out.ip[10] = out.ip[11] = std::byte{0xff};
    out.ip[12] = std::byte{a};
    out.ip[13] = std::byte{b};
    out.ip[14] = std::byte{c};
    out.ip[15] = std::byte{d};
    out.port = port;
    return out;
  }

  bool is_v4() const {
    static constexpr ByteArray<12> kMapped{std::byte{0}, std::byte{0}, std::byte{0}, std::byte{0},
                                           std::byte{0}, std::byte{0}, std::byte{0}, std::byte{0},
                                           std::byte{0}, std::byte{0}, std::byte{0xff}, std::byte{0xff}};
    return std::memcmp(ip.data(), kMapped.data(), kMapped.size()) == 0;
  }
  bool is_loopback() const {
    if (is_v4()) return ip[12] == std::byte{127};
    ByteArray<16> one{};
    one[15] = std::byte{1};
    return ip == one;
  }
  /// Bytes of IP and UDP header in front of a datagram's payload on this family (no options or extension headers).
  std::uint16_t header_bytes() const { return is_v4() ? 28 : 48; }
  bool same_host(const Address& other) const { return ip == other.ip && scope_id == other.scope_id; }

  friend auto operator<=>(const Address&, const Address&) = default;
};

}  // namespace peernet
