// What a tracker is told of the chunks a node has: 128 bits.
#pragma once

#include "content/chunk_map.hpp"
#include "wire/tracker_messages.hpp"

namespace peernet::node {

/// Of at most 128 chunks bit i is chunk i; of more, bit i is set when all chunks in [i * n / 128, (i + 1) * n / 128)
/// are there. All set when every chunk is.
wire::OwnershipBits ownership_of(const content::ChunkMap& present);

/// Which part of the chunks such bits promise, 0 to 1.
double fraction_of(const wire::OwnershipBits& owned, std::uint32_t chunks);

}  // namespace peernet::node
