// The only clock of a driver: CLOCK_MONOTONIC.
#pragma once

#include <ctime>

#include "base/time.hpp"

namespace peernet::io {

inline Instant monotonic_now() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return Instant::from_ns(std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec);
}

}  // namespace peernet::io
