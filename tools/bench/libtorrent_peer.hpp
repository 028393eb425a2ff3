// libtorrent as a rival: a small client in Python, because that is how Debian brings it to people without a compiler.
#pragma once

#include <string>

#include "contest.hpp"

namespace peernet::bench {

/// Its version; empty if Debian's Python module is not installed.
std::string libtorrent_version();

/// One seed and one receiver that is told its address; pieces are hashed once, outside the clock. Transport "tcp" or
/// "utp".
Prepare libtorrent_transfer(std::string transport, bool encrypted);

}  // namespace peernet::bench
