// A content of the set and where it stands at each of its trackers.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "base/time.hpp"
#include "discovery/types.hpp"

namespace peernet::discovery {

/// A content at one of its trackers.
struct Listing {
  std::uint32_t tracker = 0;       ///< slot in the set
  bool open = false;               ///< ranks among the active ones, or before them while it does not answer
  bool home = false;               ///< the content shall be listed there
  bool interested = false;         ///< counted as such at the tracker
  bool listed = false;             ///< and is, as far as we were told
  bool in_flight = false;          ///< an announce waits for its reply
  Instant due = Instant::never();  ///< of the next announce
  unsigned refusals = 0;           ///< in a row; another tracker stands in meanwhile
  std::uint8_t told_flags = 0;     ///< by the announce in flight, at its first sending
  std::uint32_t told_chunks = 0;
};

/// A query under way at one tracker.
struct Asking {
  std::uint32_t tracker = 0;  ///< slot in the set
  bool begun = false;         ///< false: it does not answer yet, or has no room
  std::uint32_t cursor = 0;
  std::uint32_t pages = 0;
};

struct Content {
  SwarmId swarm{};
  ContentState state;
  std::uint8_t numwant = 0;
  bool announced = true;
  std::vector<Listing> listings;  ///< in the order of rendezvous hashing
  Instant peers_wanted;           ///< when want_peers() was or will be served last
  std::size_t turn = 0;           ///< which of its listings is asked next
  std::vector<Asking> asking;     ///< of those trackers that have not told everything

  Listing* at(std::uint32_t tracker);
  Asking* asking_at(std::uint32_t tracker);
};

/// Marks the best kActiveTrackers listings that can be counted on as homes, and those up to the last of them as open.
void choose_homes(Content& content, const std::function<bool(const Listing&)>& counted);
/// All homes are listed, and there is one: whoever stood in may be left.
bool settled(const Content& content);

}  // namespace peernet::discovery
