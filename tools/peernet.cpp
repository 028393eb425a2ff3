#include "cli/run.hpp"

int main(int argc, char** argv) {
  return peernet::cli::run(argc, argv);
}
