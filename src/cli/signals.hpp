// SIGINT and SIGTERM as a call on a thread of their own. The second signal ends the process at once.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <thread>

namespace peernet::cli {

/// Exists once at a time, and before other threads: they inherit the mask that keeps the signals away from them.
class Signals {
 public:
  Signals();
  ~Signals();
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  /// What the first signal does; at once if it has come already.
  void on_first(std::function<void()> action);
  /// SIGINT or SIGTERM, 0 if none has come.
  int caught() const { return caught_.load(std::memory_order_acquire); }

 private:
  void wait();

  int signal_fd_ = -1;
  int stop_fd_ = -1;
  std::atomic<int> caught_{0};
  std::mutex mutex_;  // guards action_
  std::function<void()> action_;
  std::thread thread_;
};

/// 130 for SIGINT, 143 for SIGTERM: what a shell reports of a program that one of them ended.
constexpr int exit_status_of_signal(int signal) {
  return 128 + signal;
}

}  // namespace peernet::cli
