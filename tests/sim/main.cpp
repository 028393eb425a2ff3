// The simulator: runs seeds of a suite. ./dev sim builds and starts it.
#include <string>
#include <vector>

#include "sim/mutants.hpp"
#include "sim/pair_suite.hpp"
#include "sim/runner.hpp"
#include "sim/swarm_suite.hpp"

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  return peernet::sim::run_main({peernet::sim::pair_suite(), peernet::sim::swarm_suite(), peernet::sim::crowd_suite(),
                                 peernet::sim::crowd_model_suite()},
                                arguments, peernet::sim::select_mutant);
}
