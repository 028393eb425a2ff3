// A test-and-set lock for the tracker's stripes. A pure room may not block, and need not: whoever holds one does a
// microsecond of table work, or one bounded slice of a visit, and never calls out.
#pragma once

#include <atomic>

namespace peernet::tracker {

class SpinLock {
 public:
  void lock() {
    // acquire: sees what the last holder wrote; the inner loop only reads, so that waiters share the line.
    while (held_.exchange(true, std::memory_order_acquire)) {
      while (held_.load(std::memory_order_relaxed)) {
#if defined(__x86_64__)
        __builtin_ia32_pause();
#endif
      }
    }
  }
  void unlock() { held_.store(false, std::memory_order_release); }

 private:
  std::atomic<bool> held_{false};
};

/// Holds a lock for a scope.
class Locked {
 public:
  explicit Locked(SpinLock& lock) : lock_(lock) { lock_.lock(); }
  ~Locked() { lock_.unlock(); }
  Locked(const Locked&) = delete;
  Locked& operator=(const Locked&) = delete;

 private:
  SpinLock& lock_;  // outlives the scope
};

}  // namespace peernet::tracker
