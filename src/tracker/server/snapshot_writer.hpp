// Writes the snapshot every few minutes, on a thread of its own, so slowly that nobody who is answered notices.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>

#include "tracker/server/state_folder.hpp"

namespace peernet::tracker::server {

/// folder and core outlive it.
class SnapshotWriter {
 public:
  SnapshotWriter(const StateFolder& folder, const TrackerCore& core, Duration every);
  ~SnapshotWriter();
  SnapshotWriter(const SnapshotWriter&) = delete;
  SnapshotWriter& operator=(const SnapshotWriter&) = delete;

  /// Ends the thread; a snapshot in progress is given up.
  void stop();
  /// The last one, at full speed, once stopped.
  Outcome<void> write_last();

  /// Unix time of the last snapshot that was written or loaded; 0: none.
  std::uint64_t last_second() const { return last_second_.load(std::memory_order_relaxed); }
  void set_last_second(std::uint64_t second) { last_second_.store(second, std::memory_order_relaxed); }

 private:
  void run();
  bool sleep(Duration duration);  // false: stopped

  const StateFolder& folder_;
  const TrackerCore& core_;
  const Duration every_;
  std::atomic<std::uint64_t> last_second_{0};  // stands for itself: relaxed
  std::mutex mutex_;                           // guards stopping_
  std::condition_variable wake_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace peernet::tracker::server
