// An eventfd behind a flag: any number of wake() calls cost one write.
#pragma once

#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

#include "base/check.hpp"
#include "peernet/error.hpp"

namespace peernet::io {

class WakeSignal {
 public:
  /// flags: EFD_NONBLOCK for a reader that polls; not for a ring, whose read of it would end with EAGAIN.
  explicit WakeSignal(int flags) : fd_(::eventfd(0, EFD_CLOEXEC | flags)) {}
  WakeSignal(const WakeSignal&) = delete;
  WakeSignal& operator=(const WakeSignal&) = delete;
  ~WakeSignal() {
    if (fd_ >= 0) ::close(fd_);
  }

  /// -1 if the process has no descriptor left.
  int fd() const { return fd_; }

  /// From any thread or signal handler.
  void set() {
    // acq_rel: what the caller wrote before wake() is seen by the thread that takes the flag.
    if (wanted_.exchange(true, std::memory_order_acq_rel)) return;
    const int saved = errno;
    const std::uint64_t one = 1;
    const bool written = ::write(fd_, &one, sizeof one) == sizeof one || errno == EAGAIN;
    errno = saved;
    PN_CHECK(written);
  }
  /// Whether set() was called since the last take(). Read the eventfd first: a set() in between is then taken here, and
  /// its write only makes the next wait return early.
  bool take() { return wanted_.exchange(false, std::memory_order_acq_rel); }

 private:
  int fd_;
  std::atomic<bool> wanted_{false};
};

}  // namespace peernet::io
