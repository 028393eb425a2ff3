#include "tracker/server/run.hpp"

int main(int argc, char** argv) {
  return peernet::tracker::server::run(argc, argv);
}
