// A bare io_uring: setup, the two queues, one enter. By hand, as liburing 2.3's shared object lacks the calls for
// provided-buffer rings and disabled rings. One thread, except that it may be made on another one.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>

#include "base/time.hpp"
#include "base/types.hpp"
#include "io/uring/uapi.hpp"
#include "peernet/error.hpp"

namespace peernet::io {

struct RingOptions {
  std::uint32_t submission_entries = 64;
  std::uint32_t completion_entries = 128;
  std::uint32_t setup_flags = 0;  ///< IORING_SETUP_SINGLE_ISSUER, DEFER_TASKRUN, R_DISABLED, ...
};

class Ring {
 public:
  static Result<Ring> open(const RingOptions& options);
  Ring(Ring&& other) noexcept;
  Ring& operator=(Ring&&) = delete;
  ~Ring();

  /// A zeroed submission entry, sent by the next enter(). The owner bounds what it queues, so there is always room.
  io_uring_sqe& next_sqe();
  std::uint32_t queued() const { return sqe_tail_ - std::atomic_ref(*sq_head_).load(std::memory_order_acquire); }

  /// Hands over what is queued; waits for `wait_for` completions, at most for `timeout` (nullopt: no limit). Entries
  /// that were handed over, or -errno (-ETIME, -EINTR, ...).
  int enter(std::uint32_t wait_for, std::optional<Duration> timeout);

  std::uint32_t ready() const { return std::atomic_ref(*cq_tail_).load(std::memory_order_acquire) - cq_head(); }
  bool overflown() const {
    return (std::atomic_ref(*sq_flags_).load(std::memory_order_relaxed) & IORING_SQ_CQ_OVERFLOW) != 0;
  }
  /// Calls f(const io_uring_cqe&) for each completion that is there and returns their number.
  template <class F>
  std::uint32_t drain(F&& f) {
    const std::uint32_t n = ready();
    std::uint32_t head = cq_head();
    for (std::uint32_t i = 0; i < n; ++i, ++head) f(static_cast<const io_uring_cqe&>(cqes_[head & cq_mask_]));
    // Release: the kernel may overwrite the entries once it sees the new head.
    std::atomic_ref(*cq_head_).store(head, std::memory_order_release);
    return n;
  }

  /// io_uring_register(2): 0 or more, or -errno.
  int do_register(unsigned opcode, const void* argument, unsigned count) const;
  std::uint32_t features() const { return features_; }

 private:
  Ring() = default;
  bool map(const io_uring_params& params);
  std::uint32_t cq_head() const { return *cq_head_; }  // written by us only

  int fd_ = -1;
  std::uint32_t features_ = 0;
  void* rings_ = nullptr;
  std::size_t rings_size_ = 0;
  io_uring_sqe* sqes_ = nullptr;
  std::size_t sqes_size_ = 0;
  // Pointers into memory shared with the kernel.
  std::uint32_t* sq_head_ = nullptr;
  std::uint32_t* sq_tail_ = nullptr;
  std::uint32_t* sq_flags_ = nullptr;
  std::uint32_t* cq_head_ = nullptr;
  std::uint32_t* cq_tail_ = nullptr;
  io_uring_cqe* cqes_ = nullptr;
  std::uint32_t sq_mask_ = 0;
  std::uint32_t cq_mask_ = 0;
  std::uint32_t sqe_tail_ = 0;  // ours; *sq_tail_ follows at enter()
};

}  // namespace peernet::io
