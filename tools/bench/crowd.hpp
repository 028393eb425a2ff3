// One source to N receivers.
#pragma once

#include <span>
#include <string>

namespace peernet::bench {

/// peernet-bench crowd: the words behind the mode's name; the exit code.
int run_crowd(std::span<const std::string> words);

}  // namespace peernet::bench
