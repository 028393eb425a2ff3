// The pair suite: one drawn scenario per seed.
#pragma once

#include "sim/runner.hpp"

namespace peernet::sim {

Suite pair_suite();

}  // namespace peernet::sim
