// The mode "engines".
#pragma once

#include <span>
#include <string>

namespace peernet::bench {

/// peernet-bench engines; returns the exit code.
int run_engines(std::span<const std::string> words);

}  // namespace peernet::bench
