// HyStart++ (RFC 9406): leave slow start when the round trip grows, before the queue overflows.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/time.hpp"

namespace peernet::transport {

/// kSlowStart -> kConservative (the round trip grew) -> kSlowStart (it shrank again) | kDone (five rounds went by).
class HyStart {
 public:
  enum class Phase : std::uint8_t { kSlowStart, kConservative, kDone };

  static constexpr Duration kMinThreshold = 4ms;
  static constexpr Duration kMaxThreshold = 16ms;
  static constexpr std::uint32_t kMinSamples = 8;
  static constexpr std::uint32_t kConservativeGrowthDivisor = 4;
  static constexpr std::uint32_t kConservativeRounds = 5;

  /// `largest_acked`, `next_packet`: packet numbers; a round ends when everything sent before its start is
  /// acknowledged. rtt_sample 0: none.
  void on_ack(std::uint64_t largest_acked, std::uint64_t next_packet, Duration rtt_sample) {
    if (phase_ == Phase::kDone) return;
    if (rtt_sample > 0ns) {
      current_round_min_ = std::min(current_round_min_, rtt_sample);
      ++samples_;
    }
    if (samples_ >= kMinSamples) judge();
    if (largest_acked >= round_end_) start_round(next_packet);
  }

  Phase phase() const { return phase_; }
  void finish() { phase_ = Phase::kDone; }
  void restart() { *this = HyStart(); }

 private:
  static constexpr Duration kNone = Duration::max();

  void judge() {
    if (phase_ == Phase::kSlowStart) {
      if (last_round_min_ == kNone || current_round_min_ == kNone) return;
      const Duration threshold = std::clamp(last_round_min_ / 8, kMinThreshold, kMaxThreshold);
      if (current_round_min_ < last_round_min_ + threshold) return;
      baseline_min_ = current_round_min_;
      phase_ = Phase::kConservative;
      conservative_rounds_ = 0;
    } else if (current_round_min_ < baseline_min_) {
      baseline_min_ = kNone;
      phase_ = Phase::kSlowStart;  // the growth was jitter
    }
  }

  void start_round(std::uint64_t next_packet) {
    round_end_ = next_packet;
    last_round_min_ = current_round_min_;
    current_round_min_ = kNone;
    samples_ = 0;
    if (phase_ == Phase::kConservative && ++conservative_rounds_ >= kConservativeRounds) phase_ = Phase::kDone;
  }

  Phase phase_ = Phase::kSlowStart;
  std::uint64_t round_end_ = 0;
  Duration last_round_min_ = kNone;
  Duration current_round_min_ = kNone;
  Duration baseline_min_ = kNone;
  std::uint32_t samples_ = 0;
  std::uint32_t conservative_rounds_ = 0;
};

}  // namespace peernet::transport
