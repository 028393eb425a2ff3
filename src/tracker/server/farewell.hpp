// The last word to the nodes of a tracker that goes away.
#pragma once

#include <cstdint>
#include <span>

#include "base/time.hpp"
#include "tracker/server/listeners.hpp"
#include "tracker/tracker_core.hpp"

namespace peernet::tracker::server {

/// Sends the goodbye to every node, paced, for at most `limit`; whoever is not reached notices by its next beat. The
/// workers have stopped. Returns how many datagrams were sent.
std::uint64_t say_goodbye(TrackerCore& core, std::span<const Listener> listeners, Duration limit);

}  // namespace peernet::tracker::server
