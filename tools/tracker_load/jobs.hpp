// What `peernet-bench tracker-load` can do; each runs to its end and returns the exit status.
#pragma once

#include <span>
#include <string>

#include "options.hpp"

namespace peernet::tracker_load {

inline constexpr int kAllPlausible = 0;
inline constexpr int kCheckFailed = 1;
inline constexpr int kUsage = 2;
inline constexpr int kNoReply = 3;

/// The words behind "tracker-load".
int run(std::span<const std::string> words);

int run_load(const Options& options);
int run_nodes(const Options& options);
int run_hostile(const Options& options);
int run_null_tracker(const Options& options);

}  // namespace peernet::tracker_load
