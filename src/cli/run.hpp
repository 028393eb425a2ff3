// The program behind tools/peernet.cpp.
#pragma once

namespace peernet::cli {

/// Runs a command line to its end and returns the exit status.
int run(int argc, char** argv);

}  // namespace peernet::cli
