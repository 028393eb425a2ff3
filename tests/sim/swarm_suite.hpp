// The swarm suite: one drawn swarm per seed.
#pragma once

#include "sim/runner.hpp"

namespace peernet::sim {

Suite swarm_suite();

}  // namespace peernet::sim
