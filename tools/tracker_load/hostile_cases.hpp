// Bad input by category: what is sent, and what may come back.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "base/rng.hpp"
#include "base/types.hpp"

namespace peernet::tracker_load {

/// Whether the sender's address is proven by a connection id. If not, replies must not be longer than requests.
enum class Proof : std::uint8_t { kNone, kProven };
/// Whether anything but an error may come back.
enum class Served : std::uint8_t { kNever, kMaybe };

struct HostileCase {
  const char* name;
  const char* expected;
  Proof proof;
  Served served;
  std::size_t max_reply;                                             ///< bytes, 0: any
  std::uint32_t count;                                               ///< packets, 0: as the options say
  std::function<std::size_t(MutableByteSpan, std::uint32_t)> write;  ///< the i-th packet, into 65,535 bytes; its size
};

/// What the packets are made of; outlives the cases.
struct HostileSender {
  std::uint64_t connection_id = 0;
  std::uint64_t id_of_other_address = 0;
  bool has_other_address = false;
  std::uint64_t seed = 0;
  Rng rng{0};
};

std::vector<HostileCase> hostile_cases(HostileSender& sender);

inline constexpr std::uint16_t kForgedIpPort = 3001;
inline constexpr std::uint32_t kForgedIp = 0x08080808;

}  // namespace peernet::tracker_load
