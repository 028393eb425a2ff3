// A thread that answers: one epoll loop over its sockets, batches of datagrams in between.
#pragma once

#include <atomic>
#include <cstdint>
#include <span>
#include <thread>
#include <vector>

#include "tracker/server/datagram_batch.hpp"
#include "tracker/server/descriptor.hpp"
#include "tracker/server/failure.hpp"
#include "tracker/server/listeners.hpp"
#include "tracker/settings.hpp"
#include "tracker/tracker_core.hpp"

namespace peernet::tracker::server {

struct WorkerOptions {
  unsigned number = 0;  ///< worker 0 sweeps the core
  unsigned workers = 1;
};

/// core and listeners outlive it.
class Worker {
 public:
  Worker(TrackerCore& core, std::span<const Listener> listeners, const WorkerOptions& options);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  /// Starts to serve.
  Outcome<void> start();
  /// Ends the loop after the batch at hand and waits for that.
  void stop();

  const Counters& counters() const { return counters_; }
  /// Replies that the kernel did not take.
  std::uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }
  /// The loop comes around: it waits, or its turn began less than 10 s ago.
  bool healthy(Instant now) const;

 private:
  struct Socket {
    int fd = -1;
    bool any = false;
  };

  void run();
  int wait_ms(Instant now) const;
  void serve(const Socket& socket);

  TrackerCore& core_;
  const WorkerOptions options_;
  std::vector<Socket> sockets_;
  Descriptor epoll_;
  Descriptor stop_;  // an eventfd
  Counters counters_;
  // Written by the loop alone, each is a number that stands for itself: relaxed.
  std::atomic<std::uint64_t> dropped_{0};
  std::atomic<std::int64_t> turn_began_ns_{0};  // 0: waiting
  DatagramBatch batch_;
  std::thread thread_;
};

}  // namespace peernet::tracker::server
