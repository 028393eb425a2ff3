#include <fmt/format.h>

#include <cstdio>

#include "jobs.hpp"
#include "packets.hpp"
#include "report.hpp"

namespace peernet::tracker_load {
namespace {

int print_hashes(const Options& options) {
  for (std::uint32_t i = 0; i < options.swarms; ++i) {
    std::string line;
    for (const std::byte b : swarm_id(options.seed, i)) line += fmt::format("{:02x}", static_cast<unsigned>(b));
    std::puts(line.c_str());
  }
  return kAllPlausible;
}

}  // namespace

int run(std::span<const std::string> words) {
  const auto options = parse_options(words);
  if (!options) return complain(options.error(), kUsage);
  switch (options->job) {
    case Job::kPrintHelp:
      std::fputs(kHelp, stdout);
      return kAllPlausible;
    case Job::kPrintHashes:
      return print_hashes(*options);
    case Job::kNullTracker:
      return run_null_tracker(*options);
    case Job::kHostile:
      return run_hostile(*options);
    case Job::kNodes:
      return run_nodes(*options);
    case Job::kLoad:
      break;
  }
  return run_load(*options);
}

}  // namespace peernet::tracker_load
