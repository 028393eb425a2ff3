// How good a source has been: its measured rate, round trip, what is outstanding, and its standing after stalls.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>

#include "base/rng.hpp"
#include "base/time.hpp"
#include "base/types.hpp"

namespace peernet::swarm {

using SourceIndex = Strong<struct SourceIndexTag, std::uint16_t>;

/// Sources one download keeps sessions with at once.
inline constexpr std::size_t kMaxSources = 64;

class SourceScore {
 public:
  /// What a source that has not delivered yet may hold.
  static constexpr std::uint64_t kFirstWindow = 256 * 1024;

  void start(Instant now) { last_data_ = busy_since_ = now; }

  void on_request(Instant now, std::uint32_t bytes) {
    if (outstanding_ == 0) {
      last_data_ = busy_since_ = now;
      busy_bytes_ = 0;
      sampling_ = false;  // a gap says nothing about the rate
    }
    outstanding_ += bytes;
  }

  void on_data(Instant now, std::uint32_t bytes) {
    delivered_ += bytes;
    busy_bytes_ += bytes;
    outstanding_ -= std::min<std::uint64_t>(outstanding_, bytes);
    last_data_ = now;
    if (!withholds_) {
      if (failures_ > 0) suspended_until_ = now;  // it is back
      failures_ = 0;
    }
    sample(now, bytes);
    const std::uint64_t low = window() / 4;
    if (outstanding_ < low) sample_limited_ = low_since_look_ = true;
    // Too little was ever asked for a sample: what came, over the whole wait, is a lower bound.
    if (outstanding_ == 0 && now > busy_since_) rate_ = std::max(rate_, per_second(busy_bytes_, now - busy_since_));
  }
  /// It has sent something, though nothing new.
  void on_alive(Instant now) { last_data_ = now; }
  /// Bytes that will not come after all.
  void on_forgotten(std::uint32_t bytes) { outstanding_ -= std::min<std::uint64_t>(outstanding_, bytes); }

  /// Exponential backoff with jitter: 250 ms doubled per failure in a row, at most 8 s, times 0.75 to 1.25.
  void on_failure(Instant now, Rng& rng) {
    const int shift = std::min(failures_, 5);
    ++failures_;
    ++total_failures_;
    const double base = 0.25 * static_cast<double>(1 << shift);
    pause(now, Duration(static_cast<std::int64_t>(base * (0.75 + 0.5 * rng.unit()) * 1e9)));
  }
  /// It goes on sending, but not what was asked for long ago. Bytes alone are no excuse then, whole requests are.
  void on_overdue(Instant now, Rng& rng) {
    withholds_ = true;
    fulfilled_ = 0;
    if (!suspended(now)) on_failure(now, rng);
  }
  void on_fulfilled() {
    if (!withholds_ || ++fulfilled_ < kForgivenAfter) return;
    withholds_ = false;
    failures_ = 0;
  }
  /// Left alone without blame.
  void pause(Instant now, Duration length) {
    suspended_until_ = std::max(suspended_until_, now + length);
    ++suspensions_;
    last_data_ = suspended_until_;  // a stall is counted again only after it had another chance
  }

  bool suspended(Instant now) const { return now < suspended_until_; }
  Instant suspended_until() const { return suspended_until_; }
  /// No byte for this long while something was asked for. Twice the retransmission patience of a session on that path.
  Duration stall_patience() const { return std::clamp<Duration>(rtt_ * 8, 1s, 2s); }
  Instant stall_at() const { return outstanding_ == 0 ? Instant::never() : last_data_ + stall_patience(); }
  Instant last_data() const { return last_data_; }

  /// minimum 0: not known, the least of what was told here serves.
  void set_rtt(Duration smoothed, Duration minimum = 0ns) {
    rtt_ = smoothed;
    if (minimum > 0ns) {
      min_rtt_ = std::min(minimum, smoothed);
    } else if (min_rtt_ == 0ns || smoothed < min_rtt_) {
      min_rtt_ = smoothed;
    }
  }
  Duration rtt() const { return rtt_; }
  Duration min_rtt() const { return min_rtt_; }

  /// Bytes per second that it is able to deliver, 0 until measured. Does not fall while too little is asked of it.
  double rate() const { return rate_; }

  /// A whole sample was taken: rate() is more than a first guess.
  bool measured() const { return sampled_; }

  /// What may be outstanding, without regard to buffers and sockets: about rate x (1.5 RTT + 20 ms). Half as much again
  /// as the round trip so that a congestion window may grow, and yet no more than a router's queue of one round trip
  /// takes; 20 ms for the source's disk and the scheduling of both hosts. The least round trip counts: the smoothed one
  /// holds the queue that this very window fills, and would let it run away.
  std::uint64_t window() const {
    if (delivered_ == 0) return kFirstWindow;
    const double seconds = static_cast<double>((3 * min_rtt_ / 2 + kWindowSlack).count()) * 1e-9;
    const auto least = std::clamp<std::uint64_t>(static_cast<std::uint64_t>(rate_ * 0.064), kLeastWindow, kFirstWindow);
    return std::max({start_window(), least, static_cast<std::uint64_t>(rate_ * seconds)});
  }

  /// Whether it ran low on requests since the last look: then it delivered what it was asked for, not what it can.
  bool take_low() { return std::exchange(low_since_look_, false) || outstanding_ < window() / 4; }

  std::uint64_t outstanding() const { return outstanding_; }
  std::uint64_t delivered() const { return delivered_; }
  int failures() const { return failures_; }
  int total_failures() const { return total_failures_; }
  std::uint32_t suspensions() const { return suspensions_; }

 private:
  static constexpr std::uint32_t kForgivenAfter = 16;
  static constexpr Duration kRateWindow = 50ms;
  static constexpr Duration kLongestRateWindow = 1s;
  static constexpr double kRateGain = 0.3;
  static constexpr double kGrowing = 1.15;
  static constexpr int kFlatSamples = 2;
  static constexpr Duration kWindowSlack = 20ms;
  static constexpr std::uint64_t kStartWindow = 2u << 20;
  static constexpr std::uint64_t kLeastWindow = 32 * 1024;

  static double per_second(std::uint64_t bytes, Duration span) {
    return static_cast<double>(bytes) / (static_cast<double>(span.count()) * 1e-9);
  }

  // While its sender is in slow start, which on far paths grows up to 16 times in the first round trip and four times
  // in the next ones (transport/cubic.hpp). What was delivered is seen at once; a sample is up to one round trip old
  // and the request one early, so it only bounds the window. On near paths a sample spans many rounds: the first ends
  // the start. So does some data: a source that is asked for little beside others may never show that it is past its
  // slow start.
  std::uint64_t start_window() const {
    if (sampled_ && (!starting_ || delivered_ >= 2 * kStartWindow || min_rtt_ < kRateWindow / 2)) return 0;
    const std::uint64_t grown = std::clamp<std::uint64_t>(16 * delivered_, kFirstWindow, kStartWindow);
    if (!sampled_) return grown;
    const double two_rounds = rate_ * 32 * static_cast<double>(min_rtt_.count()) * 1e-9;
    return std::min(grown, std::max(static_cast<std::uint64_t>(two_rounds), kFirstWindow));
  }

  // From one batch of packets to another: packets of one batch have one time, so that a batch counts whole or not.
  void sample(Instant now, std::uint32_t bytes) {
    if (!sampling_) {
      sampling_ = true;
      sample_start_ = batch_ = now;
      sample_bytes_ = 0;
      sample_limited_ = false;
    } else if (now > batch_) {
      const Duration span = batch_ - sample_start_;
      if (span >= std::clamp<Duration>(rtt_, kRateWindow, kLongestRateWindow)) {
        take_sample(per_second(sample_bytes_, span));
        sample_start_ = batch_;
        sample_bytes_ = 0;
        sample_limited_ = false;
      }
      batch_ = now;
    }
    if (now > sample_start_) sample_bytes_ += bytes;
  }

  void take_sample(double rate) {
    sampled_ = true;
    if (rate_ == 0 || (starting_ && rate > rate_ * kGrowing)) {
      rate_ = rate;
      return;
    }
    if (starting_ && !sample_limited_ && ++flat_samples_ >= kFlatSamples) starting_ = false;
    if (rate < rate_ && sample_limited_) return;
    rate_ += (rate - rate_) * kRateGain;
  }

  Duration rtt_ = 0ns;
  Duration min_rtt_ = 0ns;
  double rate_ = 0;
  bool starting_ = true;  // its sender is in slow start: samples are taken as they are while they grow
  bool sampled_ = false;
  int flat_samples_ = 0;
  std::uint64_t outstanding_ = 0;
  std::uint64_t delivered_ = 0;
  std::uint64_t busy_bytes_ = 0;  // since something is outstanding without a gap
  Instant busy_since_;
  bool sampling_ = false;
  bool sample_limited_ = false;  // it ran low on requests meanwhile
  bool low_since_look_ = true;
  Instant sample_start_;
  Instant batch_;
  std::uint64_t sample_bytes_ = 0;
  Instant last_data_;
  Instant suspended_until_;
  int failures_ = 0;
  int total_failures_ = 0;
  std::uint32_t suspensions_ = 0;
  bool withholds_ = false;
  std::uint32_t fulfilled_ = 0;  // requests since it withheld one
};

}  // namespace peernet::swarm
