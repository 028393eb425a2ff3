// What the parts of this room and its users call things.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/address.hpp"
#include "base/types.hpp"
#include "wire/tracker_messages.hpp"

namespace peernet::discovery {

/// A tracker as a link names it, and what its name resolved to.
struct TrackerEndpoint {
  std::string name;                ///< "host:port" exactly as in the link: all nodes must rank by the same text
  std::vector<Address> addresses;  ///< tried in order, at most kMaxAddresses of them; not empty
};

/// A content of a set; never used again for another. 0: none.
using ContentKey = Strong<struct ContentKeyTag, std::uint32_t>;

/// What this node has of a content.
struct ContentState {
  std::uint8_t flags = 0;  ///< wire::kContentComplete, kContentServed
  std::uint32_t chunks = 0;
  wire::OwnershipBits owned{};
};

inline constexpr std::size_t kMaxTrackersPerContent = 16;
inline constexpr std::size_t kActiveTrackers = 2;
inline constexpr std::size_t kMaxAddresses = 8;  ///< of one tracker

}  // namespace peernet::discovery
