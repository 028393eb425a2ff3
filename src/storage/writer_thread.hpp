// One thread per process for what would block a shard: buffered writes (through the ring they go to a worker anyway and
// cost more, FACTS), fsync, and named slow calls. Bounded queue; nothing is allocated per operation.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

#include "base/types.hpp"

namespace peernet::storage {

enum class WriterOpKind : std::uint8_t { kWrite, kFsync, kCall };

struct WriterOp {
  WriterOpKind kind = WriterOpKind::kWrite;
  std::uint64_t token = 0;  ///< handed back
  int fd = -1;
  ByteSpan bytes;  ///< kWrite: untouched until the completion was taken
  std::uint64_t offset = 0;
  std::int64_t (*call)(void* argument) = nullptr;  ///< kCall: runs on the writer thread; its result is handed back
  void* argument = nullptr;
};

struct WriterCompletion {
  std::uint64_t token = 0;
  std::int64_t result = 0;  ///< bytes, 0 (fsync) or -errno
};

class WriterThread;

/// One user (a shard). All methods on that shard's thread; destroy only when in_flight() is 0.
class WriterClient {
 public:
  /// wake is called on the writer thread when completions appear after there were none (io::Driver::wake fits).
  WriterClient(WriterThread& thread, std::uint32_t max_in_flight, void (*wake)(void*), void* wake_argument);
  ~WriterClient();
  WriterClient(const WriterClient&) = delete;
  WriterClient& operator=(const WriterClient&) = delete;

  /// Queues; false when max_in_flight operations are out or the thread's queue is full. Operations run in the order
  /// queued.
  bool submit(const WriterOp& op);
  /// Takes finished operations, up to out.size(); the number taken.
  std::size_t take(std::span<WriterCompletion> out);
  std::uint32_t in_flight() const { return in_flight_; }

 private:
  friend class WriterThread;
  WriterThread& thread_;
  void (*wake_)(void*);
  void* wake_argument_;
  std::uint32_t in_flight_ = 0;  // owner's thread only
  std::mutex mutex_;             // guards the ring below
  std::vector<WriterCompletion> done_;
  std::size_t head_ = 0, count_ = 0;
};

class WriterThread {
 public:
  explicit WriterThread(std::uint32_t queue_length = 256);
  /// Finishes what is queued, then ends the thread. All clients must be gone or idle.
  ~WriterThread();
  WriterThread(const WriterThread&) = delete;
  WriterThread& operator=(const WriterThread&) = delete;

 private:
  friend class WriterClient;
  struct Job {
    WriterOp op;
    WriterClient* client = nullptr;
  };
  bool push(const Job& job);
  void run();
  static std::int64_t execute(const WriterOp& op);
  static void deliver(WriterClient& client, WriterCompletion completion);

  std::mutex mutex_;
  std::condition_variable ready_;
  std::vector<Job> ring_;
  std::size_t head_ = 0, count_ = 0;
  bool stop_ = false, started_ = false;
  std::thread thread_;
};

}  // namespace peernet::storage
