#include "cli/run.hpp"
#include "crypto/lean_start.hpp"

int main(int argc, char** argv) {
  peernet::crypto::start_lean();
  return peernet::cli::run(argc, argv);
}
