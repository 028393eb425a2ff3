// Two results beside each other: what became better or worse.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "outcome.hpp"
#include "result.hpp"

namespace peernet::bench {

enum class Verdict : std::uint8_t {
  kNotCompared,  ///< the figure has no better direction, or is 0 in the base
  kWithinNoise,  ///< the ranges of both sides overlap
  kBetter,
  kWorse,
  kGone,  ///< only the base has it
  kNew    ///< the base has it not
};

struct Change {
  std::string id, label, unit;
  std::optional<Summary> base, now;
  double share = 0;  ///< of the base's median that the new one is above (or below: negative) it
  Verdict verdict = Verdict::kNotCompared;
};

struct Comparison {
  std::vector<Change> changes;        ///< in the order of the new result, then what is gone
  std::vector<std::string> warnings;  ///< why the figures may not be compared: another machine, other settings, noise
  std::vector<std::string> remarks;   ///< what else differs: versions, kernel

  /// Those that became worse by more than `limit` (a share of the base's median).
  std::vector<const Change*> worse_than(double limit) const;
};

/// Fails with a sentence if they are of different modes or damaged. Both are results as read_result() gives them.
Outcome<Comparison> compare(const nlohmann::json& base, const nlohmann::json& now);

/// What a person reads.
std::string to_text(const Comparison& comparison);

/// peernet-bench diff; returns the exit code, kSlower if --fail-over says so.
int run_diff(std::span<const std::string> words);

}  // namespace peernet::bench
