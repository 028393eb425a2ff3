// The kernel's random bytes (getrandom(2), which blocks only until the pool is initialised at boot).
#pragma once

#include <sys/random.h>

#include <cerrno>

#include "base/check.hpp"
#include "base/random_source.hpp"

namespace peernet::io {

/// Stateless; any thread.
class SystemRandom final : public RandomSource {
 public:
  void fill(MutableByteSpan out) override {
    while (!out.empty()) {
      const ssize_t n = ::getrandom(out.data(), out.size(), 0);
      if (n < 0) {
        PN_CHECK(errno == EINTR);
        continue;
      }
      out = out.subspan(static_cast<std::size_t>(n));
    }
  }
};

}  // namespace peernet::io
