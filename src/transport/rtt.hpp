// Round-trip time estimate, RFC 9002 section 5.
#pragma once

#include <algorithm>

#include "base/time.hpp"

namespace peernet::transport {

/// Timer granularity (RFC 9002 6.1.2, kGranularity).
inline constexpr Duration kGranularity = 1ms;

class RttEstimator {
 public:
  /// Longer than any path: such a sample is a clock that jumped or a host that slept, and one of them would put the
  /// next probe minutes or hours away.
  static constexpr Duration kMaxSample = 10s;

  explicit RttEstimator(Duration initial) : initial_(initial), smoothed_(initial), variance_(initial / 2) {}

  /// `sample`: ack arrival minus send time of the newly acknowledged largest packet. `ack_delay`: what the peer says it
  /// waited; capped by the maximum it promised. Samples <= 0 (a clock that stands still) count as 1 us,
  /// those above kMaxSample not at all.
  void on_sample(Duration sample, Duration ack_delay, Duration max_ack_delay) {
    if (sample > kMaxSample) return;
    sample = std::max<Duration>(sample, 1us);
    latest_ = sample;
    if (!has_sample_) {
      has_sample_ = true;
      min_ = smoothed_ = sample;
      variance_ = sample / 2;
      return;
    }
    min_ = std::min(min_, sample);
    ack_delay = std::clamp<Duration>(ack_delay, 0ns, max_ack_delay);
    Duration adjusted = sample;
    if (sample >= min_ + ack_delay) adjusted = sample - ack_delay;  // never below the minimum seen (5.3)
    const Duration deviation = smoothed_ > adjusted ? smoothed_ - adjusted : adjusted - smoothed_;
    variance_ = (3 * variance_ + deviation) / 4;
    smoothed_ = (7 * smoothed_ + adjusted) / 8;
  }

  /// A new path knows nothing about the old one's delay (RFC 9002 5.2, RFC 9000 9.4).
  void reset() { *this = RttEstimator(initial_); }
  /// After persistent congestion the minimum may be stale (RFC 9002 5.2).
  void forget_minimum() {
    if (has_sample_) min_ = latest_;
  }

  bool has_sample() const { return has_sample_; }
  Duration latest() const { return latest_; }
  Duration smoothed() const { return smoothed_; }
  Duration variance() const { return variance_; }
  /// Zero before the first sample.
  Duration minimum() const { return min_; }

  /// Probe timeout without backoff (6.2.1).
  Duration probe_timeout(Duration max_ack_delay) const {
    return smoothed_ + std::max<Duration>(4 * variance_, kGranularity) + max_ack_delay;
  }
  /// A packet sent this long before an acknowledged later one is lost (6.1.2): 9/8 of the larger RTT.
  Duration loss_delay() const { return std::max<Duration>(std::max(latest_, smoothed_) * 9 / 8, kGranularity); }

 private:
  Duration initial_;
  Duration latest_{};
  Duration min_{};
  Duration smoothed_;
  Duration variance_;
  bool has_sample_ = false;
};

}  // namespace peernet::transport
