// The mode "tracker".
#pragma once

#include <nlohmann/json.hpp>
#include <span>
#include <string>

#include "outcome.hpp"

namespace peernet::bench {

/// What a run of `peernet-bench tracker-load --json` said about its measured time.
struct TrackerSample {
  double replies_per_second = 0, contents_per_cpu_second = 0, replies_per_cpu_second = 0;
  double p50_seconds = 0, p99_seconds = 0, longest_seconds = 0;
  double memory_bytes = 0;  ///< resident set of the tracker at the end
  double seconds = 0;
  double lost = 0;  ///< share of the requests
};

/// Fails with a sentence if a reply was wrong, if there were none, or if it is not such a report.
Outcome<TrackerSample> read_load_report(const std::string& text);

/// peernet-bench tracker; returns the exit code.
int run_tracker(std::span<const std::string> words);

}  // namespace peernet::bench
