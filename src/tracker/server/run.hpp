// The program behind tools/peernet-tracker.cpp.
#pragma once

namespace peernet::tracker::server {

/// Runs a command line to its end and returns the exit status.
int run(int argc, char** argv);

}  // namespace peernet::tracker::server
