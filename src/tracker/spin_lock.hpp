// A test-and-set lock for the tracker's stripes. A pure room may not block, and need not: whoever holds one does a
// microsecond of table work, or one bounded slice of a visit, and never calls out.
#pragma once

#include <atomic>

namespace peernet::tracker {

/// What a waiter does after some hundred looks in vain. A program whose threads outnumber their cores sets sched_yield
/// before they start: a holder that was preempted could otherwise be waited for until the end of the waiter's own time
/// slice (3 ms and more). Never null.
using GiveWay = void (*)();
inline constinit GiveWay give_way = [] {};

class SpinLock {
 public:
  void lock() {
    // acquire: sees what the last holder wrote; the inner loop only reads, so that waiters share the line.
    while (held_.exchange(true, std::memory_order_acquire)) {
      for (unsigned looks = 1; held_.load(std::memory_order_relaxed); ++looks) {
        if (looks % 256 == 0) give_way();
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
