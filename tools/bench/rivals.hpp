// The mode "rivals".
#pragma once

#include <span>
#include <string>

namespace peernet::bench {

/// peernet-bench rivals; returns the exit code.
int run_rivals(std::span<const std::string> words);

}  // namespace peernet::bench
