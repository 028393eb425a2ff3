// How good a source has been: its measured rate, round trip, what is outstanding, and its standing after stalls.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/rng.hpp"
#include "base/time.hpp"
#include "base/types.hpp"

namespace peernet::swarm {

using SourceIndex = Strong<struct SourceIndexTag, std::uint16_t>;

/// Sources one download keeps sessions with at once.
inline constexpr std::size_t kMaxSources = 64;

class SourceScore {
 public:
  void start(Instant now) { last_data_ = window_start_ = now; }

  void on_request(Instant now, std::uint32_t bytes) {
    if (outstanding_ == 0) last_data_ = window_start_ = now;
    outstanding_ += bytes;
  }
  void on_data(Instant now, std::uint32_t bytes) {
    delivered_ += bytes;
    window_bytes_ += bytes;
    outstanding_ -= std::min<std::uint64_t>(outstanding_, bytes);
    last_data_ = now;
    if (failures_ > 0) suspended_until_ = now;  // it is back
    failures_ = 0;
    const Duration span = now - window_start_;
    if (span < std::max<Duration>(kRateWindow, rtt_)) return;
    const double sample = static_cast<double>(window_bytes_) / (static_cast<double>(span.count()) * 1e-9);
    rate_ = rate_ == 0 ? sample : rate_ + (sample - rate_) * kRateGain;
    window_start_ = now;
    window_bytes_ = 0;
  }
  /// Bytes that will not come after all.
  void on_forgotten(std::uint32_t bytes) { outstanding_ -= std::min<std::uint64_t>(outstanding_, bytes); }

  /// Exponential backoff with jitter: 250 ms doubled per failure in a row, at most 8 s, times 0.75 to 1.25.
  void on_failure(Instant now, Rng& rng) {
    const int shift = std::min(failures_, 5);
    ++failures_;
    ++total_failures_;
    const double base = 0.25 * static_cast<double>(1 << shift);
    suspended_until_ = now + Duration(static_cast<std::int64_t>(base * (0.75 + 0.5 * rng.unit()) * 1e9));
    last_data_ = suspended_until_;  // a stall is counted again only after it had another chance
  }

  bool suspended(Instant now) const { return now < suspended_until_; }
  Instant suspended_until() const { return suspended_until_; }
  /// No byte for this long while something was asked for. Twice the retransmission patience of a session on that path.
  Duration stall_patience() const { return std::clamp<Duration>(rtt_ * 8, 1s, 2s); }
  Instant stall_at() const { return outstanding_ == 0 ? Instant::never() : last_data_ + stall_patience(); }

  void set_rtt(Duration rtt) { rtt_ = rtt; }
  Duration rtt() const { return rtt_; }
  /// Bytes per second, 0 until measured.
  double rate() const { return rate_; }
  std::uint64_t outstanding() const { return outstanding_; }
  std::uint64_t delivered() const { return delivered_; }
  int failures() const { return failures_; }
  int total_failures() const { return total_failures_; }

 private:
  static constexpr Duration kRateWindow = 50ms;
  static constexpr double kRateGain = 0.3;

  Duration rtt_ = 0ns;
  double rate_ = 0;
  std::uint64_t outstanding_ = 0;
  std::uint64_t delivered_ = 0;
  std::uint64_t window_bytes_ = 0;
  Instant window_start_;
  Instant last_data_;
  Instant suspended_until_;
  int failures_ = 0;
  int total_failures_ = 0;
};

}  // namespace peernet::swarm
