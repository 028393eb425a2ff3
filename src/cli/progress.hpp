// The progress line: numbers in, text out. When it is shown is the reporter's business.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "peernet/stats.hpp"

namespace peernet::cli {

/// Mean speed over the last few seconds: long enough to be readable, short enough to follow a change.
class RateMeter {
 public:
  /// Seconds from any fixed start, never decreasing; bytes never decreasing either (a smaller number starts anew).
  void add(double seconds, std::uint64_t bytes);
  /// Bytes per second; 0 until two samples are apart.
  double rate() const;

 private:
  static constexpr double kWindowSeconds = 3;
  static constexpr std::size_t kSamples = 32;
  struct Sample {
    double seconds = 0;
    std::uint64_t bytes = 0;
  };
  const Sample& sample(std::size_t i) const { return samples_[(first_ + i) % kSamples]; }

  std::array<Sample, kSamples> samples_{};
  std::size_t first_ = 0;
  std::size_t count_ = 0;
};

/// What the meter is fed: bytes that this run moved, without what an earlier one had left.
std::uint64_t moved_bytes(const Progress& progress, bool sharing);

/// "name 43% 1.2/2.8 GiB 940 MiB/s ETA 2s sources 3" for a get, the like for a share, in at most `columns` columns: the
/// name gives way first. The name is made printable.
std::string progress_line(const Progress& progress, double rate, bool sharing, std::size_t columns);

}  // namespace peernet::cli
