// N sources to one receiver.
#pragma once

#include <span>
#include <string>

namespace peernet::bench {

/// peernet-bench speedup: the words behind the mode's name; the exit code.
int run_speedup(std::span<const std::string> words);

}  // namespace peernet::bench
