#include "base/check.hpp"

#include <cstdio>
#include <cstdlib>

namespace peernet {

void check_failed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "peernet: internal error: %s:%d: check failed: %s\n", file, line, condition);
  std::abort();
}

}  // namespace peernet
