// A few threads that carry out file operations which may block, so that a cold disk never stalls a shard. They are
// started when first needed. The queue is bounded by the driver's max_file_ops.
#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "io/fifo.hpp"
#include "io/transfer.hpp"

namespace peernet::io {

struct FileJob {
  std::uint32_t slot = 0;  ///< the driver's name for it
  int fd = -1;
  Transfer transfer;
};

class FileWorkers {
 public:
  /// wake_fd (an eventfd) is written when a job ends after collect() had found none.
  FileWorkers(std::size_t capacity, int wake_fd);
  /// Finishes what was submitted.
  ~FileWorkers();
  FileWorkers(const FileWorkers&) = delete;
  FileWorkers& operator=(const FileWorkers&) = delete;

  void submit(const FileJob& job);
  /// Moves the jobs that ended to the end of `out`.
  void collect(std::vector<FileJob>& out);

 private:
  void start_threads();
  void run();
  void finish(const FileJob& job);  // with mutex_ held

  // Deep enough for a disk that likes several requests at once, few enough for eight shards.
  static constexpr std::size_t kThreads = 4;

  const int wake_fd_;
  std::mutex mutex_;
  std::condition_variable work_;
  Fifo<FileJob> waiting_;
  Fifo<FileJob> ended_;
  std::vector<std::thread> threads_;
  bool stop_ = false;
};

/// Carries out the whole transfer with blocking calls.
void run_transfer(int fd, Transfer& transfer);

}  // namespace peernet::io
