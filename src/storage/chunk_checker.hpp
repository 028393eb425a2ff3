// A background thread that reads chunks of a part file back and hashes them (resume, re-verification). Off every shard.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

#include "base/types.hpp"

namespace peernet::storage {

struct CheckJob {
  ChunkIndex chunk;
  std::uint64_t offset = 0;
  std::uint32_t length = 0;
  Hash128 expected{};
};

struct CheckResult {
  ChunkIndex chunk;
  bool matches = false;  ///< false also when it could not be read
};

/// All methods on the owner's thread. The descriptor outlives the checker.
class ChunkChecker {
 public:
  /// wake: called on the checker's thread when results appear after there were none; may be null.
  ChunkChecker(int fd, std::uint32_t max_jobs, void (*wake)(void*), void* wake_argument);
  /// Drops jobs not begun.
  ~ChunkChecker();
  ChunkChecker(const ChunkChecker&) = delete;
  ChunkChecker& operator=(const ChunkChecker&) = delete;

  /// False: max_jobs are out (submitted and not taken).
  bool submit(const CheckJob& job);
  std::size_t take(std::span<CheckResult> out);
  std::uint32_t in_flight() const { return in_flight_; }

 private:
  void run();
  bool check(const CheckJob& job, MutableByteSpan buffer) const;

  int fd_;
  void (*wake_)(void*);
  void* wake_argument_;
  std::uint32_t max_jobs_;
  std::uint32_t in_flight_ = 0;  // owner's thread only
  std::mutex mutex_;             // guards all below
  std::condition_variable ready_;
  std::vector<CheckJob> jobs_;
  std::size_t job_head_ = 0, job_count_ = 0;
  std::vector<CheckResult> results_;
  std::size_t result_head_ = 0, result_count_ = 0;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace peernet::storage
