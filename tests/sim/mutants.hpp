// Planted bugs by name, for --mutant.
#pragma once

#include <string>

#include "swarm/mutants.hpp"
#include "transport/mutants.hpp"

namespace peernet::sim {

/// Switches the named bug on. False: there is none of this name, or this build has none.
bool select_mutant(const std::string& name);

/// As in --mutant: the enumerator without its k.
const char* name_of(transport::Mutant mutant);
const char* name_of(swarm::Mutant mutant);

}  // namespace peernet::sim
