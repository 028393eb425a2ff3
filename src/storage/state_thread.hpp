// The thread on which the state database lives. Opened at the first use: a short transfer never pays for it. Posts
// never block and never fail a transfer: if the database cannot be opened, one warning is logged and posts are dropped.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "storage/state_db.hpp"

namespace peernet::storage {

class StateThread {
 public:
  explicit StateThread(std::string directory) : directory_(std::move(directory)) {}
  /// Writes what was posted, then ends.
  ~StateThread();
  StateThread(const StateThread&) = delete;
  StateThread& operator=(const StateThread&) = delete;

  /// Runs on the state thread, inside the current group commit; any thread may post. Bounded: at most kMaxQueued, then
  /// the oldest post of the same key is replaced or, failing that, the new one dropped (records are harmless to lose).
  void post(std::uint64_t key, std::function<void(StateDb&)> work);
  void post_part(const PartRecord& record);
  void erase_part(const ContentId& id, std::uint64_t device, std::uint64_t inode);

  /// Blocks until everything posted before is committed and `work` has run; false if there is no database.
  bool ask(const std::function<void(StateDb&)>& work);
  /// Blocking look-up for a resume.
  std::optional<PartRecord> find_part(const ContentId& id, std::uint64_t device, std::uint64_t inode);

  static constexpr std::size_t kMaxQueued = 1024;

 private:
  struct Post {
    std::uint64_t key;
    std::function<void(StateDb&)> work;
  };
  void run();
  void ensure_started();  // with mutex_ held

  std::string directory_;
  std::mutex mutex_;
  std::condition_variable ready_, idle_;
  std::deque<Post> queue_;
  std::uint64_t posted_ = 0, committed_ = 0;
  bool stop_ = false, broken_ = false;
  std::thread thread_;
};

}  // namespace peernet::storage
