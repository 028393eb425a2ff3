// The highest recent delivery rate: maximum over the last one to two windows of several round trips.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/time.hpp"

namespace peernet::transport {

class RateEstimate {
 public:
  /// A sample taken while the sender had less to send than allowed can only raise the estimate.
  void on_sample(Instant now, std::uint64_t bytes_per_second, bool app_limited, Duration rtt) {
    const Duration window = std::max<Duration>(rtt * 5, 50ms);
    if (now - window_start_ > window && !(app_limited && bytes_per_second < best())) {
      previous_ = current_;
      current_ = 0;
      window_start_ = now;
    }
    current_ = std::max(current_, bytes_per_second);
  }
  std::uint64_t best() const { return std::max(previous_, current_); }
  void reset() { *this = RateEstimate(); }

 private:
  std::uint64_t previous_ = 0;
  std::uint64_t current_ = 0;
  Instant window_start_;
};

}  // namespace peernet::transport
