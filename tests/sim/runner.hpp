// Runs many seeds of a suite in worker processes: a seed that aborts or hangs fails alone, and the results do not
// depend on how the seeds were spread.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace peernet::sim {

/// What a seed has to say; plain memory, because it is written by one process and read by another.
struct SeedResult {
  enum class State : std::uint8_t { kNotRun, kPassed, kFailed, kCrashed, kHung };
  State state = State::kNotRun;
  std::uint64_t trace = 0;
  std::uint64_t events = 0;
  std::uint64_t bytes = 0;
  std::int64_t virtual_ns = 0;
  std::array<char, 240> reason{};

  bool passed() const { return state == State::kPassed; }
  void fail(const std::string& why);
};

/// How a seed is played; what it does depends on `nodes`, not on `verbose`.
struct SeedOptions {
  bool verbose = false;
  std::uint32_t nodes = 0;  ///< of a swarm; 0: as many as the seed says
};

struct Suite {
  std::string name;
  std::uint64_t default_seeds;
  std::uint64_t full_seeds;
  /// Runs one seed to its end. Must depend on its arguments only.
  std::function<SeedResult(std::uint64_t seed, const SeedOptions& options)> run;
  unsigned seed_timeout_s = 120;  ///< wall time after which a seed counts as hung
};

struct RunOptions {
  std::uint64_t first = 1;
  std::uint64_t seeds = 0;
  unsigned workers = 2;
  std::uint32_t nodes = 0;
};

/// Results in the order of the seeds.
std::vector<SeedResult> run_seeds(const Suite& suite, const RunOptions& options);

/// The command line: --suite, --first, --seeds, --full, --seed, --verbose, --mutant, --jobs, --nodes. Returns the exit
/// code. `select_mutant` gets the value of --mutant before any seed runs; it answers false if there is no such planted
/// bug.
int run_main(const std::vector<Suite>& suites, const std::vector<std::string>& arguments,
             const std::function<bool(const std::string&)>& select_mutant);

}  // namespace peernet::sim
