// Rendezvous hashing (Thaler and Ravishankar 1998): every node ranks a content's trackers alike, without asking
// anybody, and a tracker that goes away moves only the contents that lived there.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "base/types.hpp"

namespace peernet::discovery {

/// SHA-256 over the tracker's name as the link has it, then the swarm id. The greater, the earlier in the ranking.
Hash256 rendezvous_weight(std::string_view tracker, const SwarmId& swarm);

/// Positions in `trackers`, best first. Equal names keep their order.
std::vector<std::size_t> rank_trackers(std::span<const std::string_view> trackers, const SwarmId& swarm);

}  // namespace peernet::discovery
