// A rate that all shards of a node obey together: bytes of content, not of packets.
#pragma once

#include <algorithm>
#include <cstdint>
#include <mutex>
#include <optional>

#include "base/token_bucket.hpp"

namespace peernet::node {

/// Locked per train or request, and only where a limit was asked for. Over 10 s it is kept within 1 %: at most 50 ms of
/// rate are saved up while nothing is sent (so that a late turn loses nothing), and what is taken at once into debt is
/// at most 5 ms of rate for each shard.
class SharedLimit {
 public:
  /// 0: no limit.
  explicit SharedLimit(std::uint64_t bytes_per_second) : rate_(bytes_per_second) {}

  bool limited() const { return rate_ != 0; }

  /// How many bytes may be sent or asked for at once now, 0 if none. What is then taken may not be more.
  std::uint64_t grant(Instant now) {
    if (!limited()) return UINT64_MAX;
    const std::scoped_lock lock(mutex_);
    return bucket(now).available(now) > 0 ? at_once() : 0;
  }
  bool ready(Instant now) { return grant(now) > 0; }

  void take(Instant now, std::uint64_t bytes) {
    if (!limited()) return;
    const std::scoped_lock lock(mutex_);
    bucket(now).take(now, bytes);
  }
  /// Bytes that were taken, and will not come after all.
  void give_back(Instant now, std::uint64_t bytes) {
    if (!limited()) return;
    const std::scoped_lock lock(mutex_);
    bucket(now).give(now, bytes);
  }

  /// When ready() will say yes; now if it does.
  Instant ready_at(Instant now) {
    if (!limited()) return now;
    const std::scoped_lock lock(mutex_);
    return bucket(now).ready_at(now, 1);
  }

 private:
  static constexpr std::uint64_t kLeast = 1200;    // a small packet
  static constexpr std::uint64_t kMost = 1 << 16;  // a train

  std::uint64_t at_once() const { return std::clamp(rate_ / 200, kLeast, kMost); }
  TokenBucket& bucket(Instant now) {
    if (!bucket_) bucket_.emplace(now, TokenBucket::Options{rate_, std::max(rate_ / 20, kLeast)});
    return *bucket_;
  }

  const std::uint64_t rate_;
  std::mutex mutex_;
  std::optional<TokenBucket> bucket_;  // guarded by mutex_; full at the first use
};

}  // namespace peernet::node
