// What peernet status prints: a swarm as a tracker sees it.
#pragma once

#include <string>

#include "peernet/stats.hpp"

namespace peernet::cli {

/// Which chunks: `width` characters, from the first chunk to the last. '#': all chunks of that part are there, '+':
/// some,
/// '.': none.
std::string ownership_bar(const SwarmMember& member, std::size_t width);

/// A line for each node, those with most first, and one with the totals.
std::string status_text(const SwarmListing& listing);
/// {"v":1,"tracker":...,"complete":...,"partial":...,"nodes":[...]}, one line without its end.
std::string status_json(const SwarmListing& listing);

}  // namespace peernet::cli
