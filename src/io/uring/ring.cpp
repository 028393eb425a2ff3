#include "io/uring/ring.hpp"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include "base/check.hpp"

namespace peernet::io {
namespace {

template <class T>
T* at(void* base, std::uint32_t offset) {
  return reinterpret_cast<T*>(static_cast<std::byte*>(base) + offset);
}

}  // namespace

Result<Ring> Ring::open(const RingOptions& options) {
  io_uring_params params{};
  params.flags = options.setup_flags | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP | IORING_SETUP_SUBMIT_ALL;
  params.cq_entries = options.completion_entries;
  const long fd = ::syscall(__NR_io_uring_setup, options.submission_entries, &params);
  if (fd < 0) return std::unexpected(Error{ErrorCode::kKernel, errno, "open an io_uring"});
  Ring ring;
  ring.fd_ = static_cast<int>(fd);
  constexpr std::uint32_t kNeeded = IORING_FEAT_SINGLE_MMAP | IORING_FEAT_NODROP | IORING_FEAT_EXT_ARG;
  if ((params.features & kNeeded) != kNeeded)
    return std::unexpected(Error{ErrorCode::kKernel, ENOSYS, "use this kernel's io_uring"});
  if (!ring.map(params)) return std::unexpected(Error{ErrorCode::kKernel, errno, "map an io_uring"});
  return ring;
}

bool Ring::map(const io_uring_params& params) {
  const std::size_t sq_size = params.sq_off.array + params.sq_entries * sizeof(std::uint32_t);
  const std::size_t cq_size = params.cq_off.cqes + params.cq_entries * sizeof(io_uring_cqe);
  const std::size_t size = sq_size > cq_size ? sq_size : cq_size;
  constexpr int kFlags = MAP_SHARED | MAP_POPULATE;
  void* rings = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, kFlags, fd_, IORING_OFF_SQ_RING);
  if (rings == MAP_FAILED) return false;
  rings_ = rings;
  rings_size_ = size;
  const std::size_t sqes_size = params.sq_entries * sizeof(io_uring_sqe);
  void* sqes = ::mmap(nullptr, sqes_size, PROT_READ | PROT_WRITE, kFlags, fd_, IORING_OFF_SQES);
  if (sqes == MAP_FAILED) return false;
  sqes_ = static_cast<io_uring_sqe*>(sqes);
  sqes_size_ = sqes_size;

  features_ = params.features;
  sq_head_ = at<std::uint32_t>(rings, params.sq_off.head);
  sq_tail_ = at<std::uint32_t>(rings, params.sq_off.tail);
  sq_flags_ = at<std::uint32_t>(rings, params.sq_off.flags);
  cq_head_ = at<std::uint32_t>(rings, params.cq_off.head);
  cq_tail_ = at<std::uint32_t>(rings, params.cq_off.tail);
  cqes_ = at<io_uring_cqe>(rings, params.cq_off.cqes);
  sq_mask_ = params.sq_entries - 1;
  cq_mask_ = params.cq_entries - 1;
  // Entry i of the queue is always slot i: the indirection is set once.
  auto* array = at<std::uint32_t>(rings, params.sq_off.array);
  for (std::uint32_t i = 0; i < params.sq_entries; ++i) array[i] = i;
  return true;
}

Ring::Ring(Ring&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      features_(other.features_),
      rings_(std::exchange(other.rings_, nullptr)),
      rings_size_(other.rings_size_),
      sqes_(std::exchange(other.sqes_, nullptr)),
      sqes_size_(other.sqes_size_),
      sq_head_(other.sq_head_),
      sq_tail_(other.sq_tail_),
      sq_flags_(other.sq_flags_),
      cq_head_(other.cq_head_),
      cq_tail_(other.cq_tail_),
      cqes_(other.cqes_),
      sq_mask_(other.sq_mask_),
      cq_mask_(other.cq_mask_),
      sqe_tail_(other.sqe_tail_) {}

Ring::~Ring() {
  if (sqes_ != nullptr) ::munmap(sqes_, sqes_size_);
  if (rings_ != nullptr) ::munmap(rings_, rings_size_);
  if (fd_ >= 0) ::close(fd_);
}

io_uring_sqe& Ring::next_sqe() {
  PN_CHECK(queued() <= sq_mask_);
  io_uring_sqe& sqe = sqes_[sqe_tail_ & sq_mask_];
  ++sqe_tail_;
  std::memset(&sqe, 0, sizeof sqe);
  return sqe;
}

int Ring::enter(std::uint32_t wait_for, std::optional<Duration> timeout) {
  // Release: the kernel must see the entries before the tail that covers them.
  std::atomic_ref(*sq_tail_).store(sqe_tail_, std::memory_order_release);
  __kernel_timespec limit{};
  io_uring_getevents_arg argument{};
  argument.sigmask_sz = _NSIG / 8;
  if (timeout) {
    const std::int64_t ns = timeout->count() > 0 ? timeout->count() : 0;
    limit.tv_sec = ns / 1'000'000'000;
    limit.tv_nsec = ns % 1'000'000'000;
    argument.ts = reinterpret_cast<std::uint64_t>(&limit);
  }
  std::uint32_t flags = IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG;
  if ((features_ & uapi::kFeatureNoIowait) != 0) flags |= uapi::kEnterNoIowait;
  const long n = ::syscall(__NR_io_uring_enter, fd_, queued(), wait_for, flags, &argument, sizeof argument);
  return n < 0 ? -errno : static_cast<int>(n);
}

int Ring::do_register(unsigned opcode, const void* argument, unsigned count) const {
  const long n = ::syscall(__NR_io_uring_register, fd_, opcode, argument, count);
  return n < 0 ? -errno : static_cast<int>(n);
}

}  // namespace peernet::io
