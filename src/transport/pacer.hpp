// Pacing in user space: when may the next burst leave? Bursts, not packets: a timer is late by 50 us to 4 ms (FACTS),
// and a GSO train costs nearly the same for 1 packet as for 46.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/time.hpp"
#include "base/types.hpp"

namespace peernet::transport {

/// A token bucket filled at window / RTT times a factor. The quantum is 1 ms of that rate (at least kMinPackets);
/// unused tokens are kept for at most 2 ms of rate. Not paced at all where the RTT is under 1 ms or one quantum covers
/// the window; nor are the first kFirstBurst packets (an initial window may leave at once, RFC 9002 7.7): how far they
/// are spread when they arrive tells slow start whether it may hurry.
class Pacer {
 public:
  static constexpr Duration kQuantum = 1ms;
  static constexpr Duration kCatchUp = 2ms;
  static constexpr std::uint32_t kMinPackets = 4;
  static constexpr std::uint32_t kFirstBurst = 16;

  struct Path {
    std::uint64_t window = 0;
    Duration smoothed_rtt{};
    std::uint32_t datagram_bytes = 1200;
    bool slow_start = false;
  };

  static bool paced(const Path& path) { return path.smoothed_rtt >= kQuantum && quantum(path) < path.window; }

  /// Bytes that may leave now; UINT64_MAX when not paced. Less than a quantum is held back (0) so that bursts stay
  /// whole.
  std::uint64_t allowed(Instant now, const Path& path) const {
    if (!paced(path)) return UINT64_MAX;
    if (in_first_burst(path)) return std::uint64_t{kFirstBurst} * path.datagram_bytes - sent_;
    const double tokens = tokens_at(now, path);
    return tokens + 0.5 >= release_level(path) ? static_cast<std::uint64_t>(std::max(tokens, 1.0)) : 0;
  }

  /// When allowed() stops being 0.
  Instant next(Instant now, const Path& path) const {
    if (!paced(path) || in_first_burst(path)) return now;
    const double missing = release_level(path) - tokens_at(now, path);
    if (missing <= 0.5) return now;
    return now + Duration(static_cast<std::int64_t>(missing / rate(path) * 1e9) + 1);
  }

  void on_sent(Instant now, const Path& path, std::uint64_t bytes) {
    if (!paced(path)) {
      tokens_ = 0;
    } else {
      // A debt is possible (probes, retransmissions go unasked); it is bounded so that no burst silences us for long.
      const double quantum_bytes = static_cast<double>(quantum(path));
      tokens_ = std::max(tokens_at(now, path) - static_cast<double>(bytes), -quantum_bytes);
    }
    updated_ = now;
    started_ = true;
    sent_ += bytes;
  }

  /// Bytes per second at which the bucket fills: 2x in slow start, so that the window can double in a round trip.
  static double rate(const Path& path) {
    const double seconds = std::max(std::chrono::duration<double>(path.smoothed_rtt).count(), 1e-6);
    return static_cast<double>(path.window) / seconds * (path.slow_start ? 2.0 : 1.25);
  }
  static std::uint64_t quantum(const Path& path) {
    const double ms = rate(path) * std::chrono::duration<double>(kQuantum).count();
    return std::max(static_cast<std::uint64_t>(ms), std::uint64_t{kMinPackets} * path.datagram_bytes);
  }

 private:
  static double release_level(const Path& path) { return static_cast<double>(quantum(path)); }

  // What is left of it is worth a quantum at least; the small packets of a session's beginning do not use it up.
  bool in_first_burst(const Path& path) const {
    return path.slow_start &&
           sent_ + std::uint64_t{kMinPackets} * path.datagram_bytes <= std::uint64_t{kFirstBurst} * path.datagram_bytes;
  }

  double tokens_at(Instant now, const Path& path) const {
    const double most = std::max(rate(path) * std::chrono::duration<double>(kCatchUp).count(), release_level(path));
    if (!started_) return most;
    const double seconds = std::chrono::duration<double>(std::max<Duration>(now - updated_, 0ns)).count();
    return std::min(tokens_ + seconds * rate(path), most);
  }

  double tokens_ = 0;
  Instant updated_;
  std::uint64_t sent_ = 0;
  bool started_ = false;
};

}  // namespace peernet::transport
