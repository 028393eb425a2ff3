// Time is an argument: an Instant has no now(). Only io drivers read a clock (CLOCK_MONOTONIC).
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>

namespace peernet {

using Duration = std::chrono::nanoseconds;
using namespace std::chrono_literals;

/// A point on a monotonic time line whose origin is the owner's (boot in a driver, 0 in the simulator).
class Instant {
 public:
  constexpr Instant() = default;
  static constexpr Instant from_ns(std::int64_t ns) { return Instant(ns); }
  /// Later than every other instant: "no deadline".
  static constexpr Instant never() { return Instant(INT64_MAX); }

  constexpr std::int64_t ns() const { return ns_; }
  constexpr bool is_never() const { return ns_ == INT64_MAX; }

  friend constexpr auto operator<=>(const Instant&, const Instant&) = default;
  friend constexpr Duration operator-(Instant a, Instant b) { return Duration(a.ns_ - b.ns_); }
  friend constexpr Instant operator+(Instant a, Duration d) { return a.is_never() ? a : Instant(a.ns_ + d.count()); }
  friend constexpr Instant operator-(Instant a, Duration d) { return a.is_never() ? a : Instant(a.ns_ - d.count()); }
  constexpr Instant& operator+=(Duration d) { return *this = *this + d; }

 private:
  explicit constexpr Instant(std::int64_t ns) : ns_(ns) {}
  std::int64_t ns_ = 0;
};

}  // namespace peernet
