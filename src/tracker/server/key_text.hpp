// Swarm ids and other byte strings as hexadecimal digits.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/types.hpp"

namespace peernet::tracker::server {

inline std::string to_hex(ByteSpan bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const std::byte b : bytes) {
    out += kDigits[std::to_integer<unsigned>(b) >> 4];
    out += kDigits[std::to_integer<unsigned>(b) & 15];
  }
  return out;
}

/// 1 to 40 digits, either case: the front of swarm ids.
struct KeyPrefix {
  SwarmId bits{};
  std::size_t digits = 0;

  bool whole() const { return digits == 2 * sizeof(SwarmId); }
  bool fits(const SwarmId& swarm) const {
    const std::size_t bytes = digits / 2;
    for (std::size_t i = 0; i < bytes; ++i)
      if (swarm[i] != bits[i]) return false;
    return digits % 2 == 0 || (swarm[bytes] & std::byte{0xf0}) == bits[bytes];
  }
};

inline std::optional<KeyPrefix> parse_key(std::string_view text) {
  KeyPrefix out;
  if (text.empty() || text.size() > 2 * sizeof(SwarmId)) return std::nullopt;
  for (const char c : text) {
    const char low = static_cast<char>(c | 0x20);
    unsigned digit = 0;
    if (c >= '0' && c <= '9') {
      digit = static_cast<unsigned>(c - '0');
    } else if (low >= 'a' && low <= 'f') {
      digit = static_cast<unsigned>(low - 'a' + 10);
    } else {
      return std::nullopt;
    }
    out.bits[out.digits / 2] |= std::byte(out.digits % 2 == 0 ? digit << 4 : digit);
    ++out.digits;
  }
  return out;
}

}  // namespace peernet::tracker::server
