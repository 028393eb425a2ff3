// The swarm suite: one drawn swarm per seed.
#pragma once

#include "sim/runner.hpp"

namespace peernet::sim {

Suite swarm_suite();
/// No test: 4 MiB to a crowd of --nodes (100) receivers with equal links; prints the time against the ideal, in which
/// every link is full from the start.
Suite crowd_suite();

}  // namespace peernet::sim
