// One node's monotonic clock: its own origin, its own speed, and jumps forward as after a suspended guest. It never
// goes back, as CLOCK_MONOTONIC does not.
#pragma once

#include "base/check.hpp"
#include "base/rng.hpp"
#include "base/time.hpp"

namespace peernet::sim {

class LocalClock {
 public:
  LocalClock(Instant local_origin, std::int64_t drift_ppm) : local_base_(local_origin), drift_ppm_(drift_ppm) {}

  Instant local(Instant world) const {
    const std::int64_t passed = (world - world_base_).count();
    return local_base_ + Duration(passed + scaled(passed));
  }

  /// When the world's clock will show at least this local instant (rounded up: a timer is late, never early).
  Instant world(Instant local_at) const {
    if (local_at.is_never()) return local_at;
    if (local_at <= local_base_) return world_base_;
    const auto wanted = static_cast<Wide>((local_at - local_base_).count());
    Instant at = world_base_ +
                 Duration(static_cast<std::int64_t>(wanted * 1'000'000 / static_cast<Wide>(1'000'000 + drift_ppm_)));
    while (local(at) < local_at) at += Duration(1 + (local_at - local(at)).count());
    return at;
  }

  void jump(Instant world_now, Duration forward) {
    PN_CHECK(forward >= Duration::zero());
    local_base_ = local(world_now) + forward;
    world_base_ = world_now;
  }

 private:
  std::int64_t scaled(std::int64_t ns) const {
    return ns / 1'000'000 * drift_ppm_ + ns % 1'000'000 * drift_ppm_ / 1'000'000;
  }

  Instant world_base_;
  Instant local_base_;
  std::int64_t drift_ppm_;
};

}  // namespace peernet::sim
