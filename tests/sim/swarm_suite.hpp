// The swarm suite: one drawn swarm per seed.
#pragma once

#include "sim/runner.hpp"

namespace peernet::sim {

Suite swarm_suite();
/// No test: 4 MiB to a crowd of --nodes (100) receivers with equal links; prints the time against the ideal, in which
/// every link is full from the start.
Suite crowd_suite();
/// The same with the decisions alone (crowd_model.hpp), for 1,000 receivers (--nodes) and more.
Suite crowd_model_suite();

}  // namespace peernet::sim
