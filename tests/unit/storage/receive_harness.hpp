// Receives a content the way the node does, on a real disk: planner, part file and writer thread together, chunks in a
// seeded order.
#pragma once

#include <sys/mman.h>

#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <functional>
#include <mutex>
#include <numeric>

#include "base/check.hpp"
#include "base/rng.hpp"
#include "storage/posix_part_file.hpp"
#include "storage/share_hasher.hpp"
#include "storage/write_planner.hpp"
#include "storage/writer_thread.hpp"

namespace peernet::storage {

struct ReceiveOptions {
  bool sync = true;
  bool direct = false;
  std::uint64_t seed = 1;
  std::uint32_t stop_after = UINT32_MAX;  ///< chunks; then it is abandoned as by a kill
  std::function<void()> on_paused;        ///< makes room
  FinishOptions finish;
};

class Receiver {
 public:
  Receiver(PartFile& part, ByteSpan source, const content::ManifestCore& core, const ReceiveOptions& options)
      : part_(part),
        source_(source),
        core_(core),
        options_(options),
        planner_({.core = core, .direct = part.direct_fd() >= 0, .sync = options.sync, .max_buffers = kSlots}),
        client_(
            thread_, 32, [](void* self) { static_cast<Receiver*>(self)->wake(); }, this),
        memory_(static_cast<std::byte*>(
            ::mmap(nullptr, memory_bytes(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))) {
    PN_CHECK(memory_ != MAP_FAILED);
    for (std::uint32_t i = 0; i < kSlots; ++i) free_.push_back(i);
    order_.resize(core.chunk_count);
    std::iota(order_.begin(), order_.end(), 0U);
    Rng rng(options.seed);
    for (std::size_t i = order_.size(); i > 1; --i) std::swap(order_[i - 1], order_[rng.below(i)]);
  }
  ~Receiver() {
    while (client_.in_flight() > 0) wait_and_take();
    ::munmap(memory_, memory_bytes());
  }

  WritePlanner& planner() { return planner_; }
  std::uint32_t written_chunks() const { return written_; }
  int pauses() const { return pauses_; }
  Error error() const { return error_; }

  /// Until published, failed, or stop_after chunks are written. True if published.
  bool run() {
    while (!planner_.published() && !planner_.failed() && written_ < options_.stop_after) {
      feed();
      while (const std::optional<WriteOp> op = planner_.poll_op(Instant{})) submit(*op);
      if (client_.in_flight() > 0) wait_and_take();
      while (const std::optional<WriteEvent> event = planner_.poll_event()) on_event(*event);
    }
    return planner_.published();
  }

 private:
  static constexpr std::uint32_t kSlots = 8;
  std::size_t memory_bytes() const { return std::size_t{kSlots} * core_.chunk_bytes; }
  MutableByteSpan slot(std::uint32_t i) { return {memory_ + std::size_t{i} * core_.chunk_bytes, core_.chunk_bytes}; }

  void feed() {
    while (next_ < order_.size() && !free_.empty()) {
      const ChunkIndex chunk{order_[next_]};
      if (!planner_.written().test(chunk)) {
        const std::uint32_t i = free_.back();
        std::memcpy(slot(i).data(), source_.data() + core_.chunk_start(chunk), core_.chunk_span(chunk));
        if (!planner_.on_verified(chunk, BufferSlot{i})) return;
        free_.pop_back();
      }
      ++next_;
    }
  }
  void submit(const WriteOp& op) {
    WriterOp out{.token = op.id.value()};
    out.fd = op.direct ? part_.direct_fd() : part_.fd();
    switch (op.kind) {
      case WriteOpKind::kWrite: {
        const MutableByteSpan bytes = slot(op.slot.value()).first(op.length);
        std::memset(bytes.data() + op.payload_length, 0, op.length - op.payload_length);
        out.bytes = bytes;
        out.offset = op.file_offset;
        break;
      }
      case WriteOpKind::kFsync:
        out.kind = WriterOpKind::kFsync;
        out.fd = part_.fd();
        break;
      case WriteOpKind::kFinish:
        out.kind = WriterOpKind::kCall;
        out.call = [](void* self) {
          auto* r = static_cast<Receiver*>(self);
          return completion_of(r->part_.finish(r->options_.finish));
        };
        out.argument = this;
        break;
      case WriteOpKind::kPublish:
        out.kind = WriterOpKind::kCall;
        out.call = [](void* self) {
          auto* r = static_cast<Receiver*>(self);
          return completion_of(r->part_.publish(r->options_.sync));
        };
        out.argument = this;
        break;
    }
    PN_CHECK(client_.submit(out));
  }
  void wake() {
    const std::lock_guard lock(mutex_);
    woken_ = true;
    ready_.notify_one();
  }
  void wait_and_take() {
    WriterCompletion done[8];
    std::size_t n = 0;
    while ((n = client_.take(done)) == 0) {
      std::unique_lock lock(mutex_);
      ready_.wait(lock, [this] { return woken_; });
      woken_ = false;
    }
    for (std::size_t i = 0; i < n; ++i)
      planner_.on_completed(WriteOpId{static_cast<std::uint32_t>(done[i].token)}, done[i].result, Instant{});
  }
  void on_event(const WriteEvent& event) {
    if (event.has_slot) free_.push_back(event.slot.value());
    if (event.kind == WriteEventKind::kWritten) ++written_;
    if (event.kind == WriteEventKind::kFailed) error_ = event.error;
    if (event.kind == WriteEventKind::kPaused) {
      ++pauses_;
      if (options_.on_paused) options_.on_paused();
      planner_.resume();
    }
  }

  PartFile& part_;
  ByteSpan source_;
  content::ManifestCore core_;
  ReceiveOptions options_;
  WritePlanner planner_;
  WriterThread thread_;
  std::mutex mutex_;
  std::condition_variable ready_;
  bool woken_ = false;
  WriterClient client_;
  std::byte* memory_;
  std::vector<std::uint32_t> free_, order_;
  std::size_t next_ = 0;
  std::uint32_t written_ = 0;
  int pauses_ = 0;
  Error error_{};
};

inline Extent whole(const content::ManifestCore& core) {
  return {0, core.total_bytes};
}

}  // namespace peernet::storage
