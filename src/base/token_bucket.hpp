// A rate limit: tokens (bytes, packets) flow in at a steady rate up to a burst and are taken out. All arithmetic is in
// integers and carries its remainder, so nothing is lost however often it is asked.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/check.hpp"
#include "base/rng.hpp"
#include "base/time.hpp"

namespace peernet {

class TokenBucket {
 public:
  struct Options {
    std::uint64_t per_second = 0;  ///< >= 1; at most 10^15
    std::uint64_t burst = 0;       ///< >= 1; at most 10^15; most that can be saved up
  };

  /// Starts full.
  TokenBucket(Instant now, Options options) : options_(options), updated_(now) {
    check(options);
    level_ = full();
  }

  /// A new rate from now on; what was saved up stays, cut to the new burst.
  void configure(Instant now, Options options) {
    check(options);
    refill(now);
    options_ = options;
    level_ = std::min(level_, full());
  }

  /// Takes n if they are there; n above the burst never are.
  bool try_take(Instant now, std::uint64_t n) {
    refill(now);
    if (level_ < units(n)) return false;
    level_ -= units(n);
    return true;
  }

  /// Takes n in any case; the bucket may be in debt afterwards and pays it off before it gives again (trains are sent
  /// whole: the average is what counts).
  void take(Instant now, std::uint64_t n) {
    refill(now);
    level_ -= units(n);
  }

  /// Puts back n that were taken and not used; above the burst they are lost.
  void give(Instant now, std::uint64_t n) {
    refill(now);
    level_ = std::min(full(), level_ + units(n));
  }

  /// When try_take(n) will say yes; now if it would already. never() for n above the burst.
  Instant ready_at(Instant now, std::uint64_t n) {
    if (n > options_.burst) return Instant::never();
    refill(now);
    const SignedWide missing = units(n) - level_;
    if (missing <= 0) return now;
    const auto rate = static_cast<SignedWide>(options_.per_second);
    const SignedWide wait = (missing + rate - 1) / rate;
    const auto room = static_cast<SignedWide>(INT64_MAX - 1 - std::max<std::int64_t>(updated_.ns(), 0));
    return updated_ + Duration(static_cast<std::int64_t>(std::min(wait, room)));
  }

  /// Whole tokens that may be taken now; negative while in debt.
  std::int64_t available(Instant now) {
    refill(now);
    const SignedWide whole = level_ / kUnit;
    return static_cast<std::int64_t>(level_ % kUnit < 0 ? whole - 1 : whole);
  }

 private:
  __extension__ typedef __int128 SignedWide;
  // One token is 10^9 units, so that rate x nanoseconds is a whole number of units.
  static constexpr SignedWide kUnit = 1'000'000'000;
  static constexpr std::uint64_t kMost = 1'000'000'000'000'000;

  static void check(const Options& o) {
    PN_CHECK(o.per_second >= 1 && o.per_second <= kMost);
    PN_CHECK(o.burst >= 1 && o.burst <= kMost);
  }
  static SignedWide units(std::uint64_t n) { return static_cast<SignedWide>(n) * kUnit; }
  SignedWide full() const { return units(options_.burst); }

  void refill(Instant now) {
    if (now <= updated_) return;  // time that stands still or goes back gives nothing
    const auto ns = static_cast<SignedWide>((now - updated_).count());
    level_ = std::min(full(), level_ + ns * static_cast<SignedWide>(options_.per_second));
    updated_ = now;
  }

  Options options_;
  SignedWide level_ = 0;
  Instant updated_;
};

}  // namespace peernet
