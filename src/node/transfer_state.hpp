// What the door's Transfer handle and the node's threads share about one share or get: numbers, events, the wish to
// stop.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>

#include "peernet/stats.hpp"

namespace peernet::node {

class TransferState {
 public:
  // --- node's side

  /// Progress numbers are independent of each other: relaxed is enough, a reader may see them a moment apart.
  std::atomic<Phase> phase{Phase::kStarting};
  std::atomic<std::uint64_t> bytes_total{0};
  std::atomic<std::uint64_t> bytes_done{0};
  std::atomic<std::uint64_t> bytes_resumed{0};
  std::atomic<std::uint64_t> bytes_received{0};
  std::atomic<std::uint64_t> bytes_duplicate{0};
  std::atomic<std::uint64_t> bytes_sent{0};
  std::atomic<std::uint32_t> sources{0};
  std::atomic<std::uint32_t> receivers{0};
  std::atomic<std::uint32_t> completed{0};

  /// True once after each look at the progress: what sources gave is told then, not in every turn.
  bool sources_wanted() {
    return sources_wanted_.load(std::memory_order_relaxed) &&
           sources_wanted_.exchange(false, std::memory_order_relaxed);
  }
  /// Bytes of chunks from a source since it joined. It has left: what it gives if it joins again is added.
  void tell_source(const std::string& peer, std::uint64_t bytes, bool left);
  void set_name(std::string name);
  void push(Event event);
  /// The last event; later ones are dropped.
  void finish(Event event, Phase phase);
  /// What cancel() does; called at most once, on the caller's thread.
  void on_cancel(std::function<void()> action);

  // --- the program's side

  Progress progress() const;
  std::optional<Event> wait_event(std::chrono::milliseconds timeout);
  void cancel();
  void interrupt();
  bool cancelled() const { return cancelled_.load(std::memory_order_acquire); }
  const std::atomic<bool>& cancel_flag() const { return cancelled_; }

 private:
  static constexpr std::size_t kMaxEvents = 256;
  static constexpr std::size_t kMaxSourcesTold = 64;

  struct ToldSource {
    SourceBytes total;
    std::uint64_t earlier = 0;  // before it joined the last time
    bool left = false;
  };

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Event> events_;
  std::string name_;
  std::vector<ToldSource> told_sources_;
  mutable std::atomic<bool> sources_wanted_{false};
  std::function<void()> cancel_action_;
  std::atomic<bool> cancelled_{false};
  bool finished_ = false;
  bool interrupted_ = false;
};

}  // namespace peernet::node
