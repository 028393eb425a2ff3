#include "storage/chunk_checker.hpp"

#include <memory>

#include "base/check.hpp"
#include "content/chunk_hasher.hpp"
#include "storage/posix_fd.hpp"

namespace peernet::storage {
namespace {

constexpr std::size_t kPieceBytes = 256 << 10;

}  // namespace

ChunkChecker::ChunkChecker(int fd, std::uint32_t max_jobs, void (*wake)(void*), void* wake_argument)
    : fd_(fd),
      wake_(wake),
      wake_argument_(wake_argument),
      max_jobs_(max_jobs),
      jobs_(max_jobs),
      results_(max_jobs),
      thread_([this] { run(); }) {}

ChunkChecker::~ChunkChecker() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  ready_.notify_one();
  thread_.join();
}

bool ChunkChecker::submit(const CheckJob& job) {
  if (in_flight_ == max_jobs_) return false;
  {
    const std::lock_guard lock(mutex_);
    jobs_[(job_head_ + job_count_) % max_jobs_] = job;
    ++job_count_;
  }
  ready_.notify_one();
  ++in_flight_;
  return true;
}

std::size_t ChunkChecker::take(std::span<CheckResult> out) {
  const std::lock_guard lock(mutex_);
  std::size_t n = 0;
  for (; n < out.size() && result_count_ > 0; ++n, --result_count_) {
    out[n] = results_[result_head_];
    result_head_ = (result_head_ + 1) % max_jobs_;
  }
  in_flight_ -= static_cast<std::uint32_t>(n);
  return n;
}

void ChunkChecker::run() {
  const auto buffer = std::make_unique_for_overwrite<std::byte[]>(kPieceBytes);
  while (true) {
    CheckJob job;
    {
      std::unique_lock lock(mutex_);
      ready_.wait(lock, [this] { return job_count_ > 0 || stop_; });
      if (stop_) return;
      job = jobs_[job_head_];
      job_head_ = (job_head_ + 1) % max_jobs_;
      --job_count_;
    }
    const bool matches = check(job, {buffer.get(), kPieceBytes});
    bool first = false;
    {
      const std::lock_guard lock(mutex_);
      results_[(result_head_ + result_count_) % max_jobs_] = {.chunk = job.chunk, .matches = matches};
      first = result_count_++ == 0;
    }
    if (first && wake_ != nullptr) wake_(wake_argument_);  // the destructor joins, so wake's argument is still alive
  }
}

bool ChunkChecker::check(const CheckJob& job, MutableByteSpan buffer) const {
  content::FastHasher xxh3;
  for (std::uint32_t at = 0; at < job.length;) {
    const MutableByteSpan piece = buffer.first(std::min<std::size_t>(buffer.size(), job.length - at));
    if (pread_full(fd_, piece, job.offset + at) != static_cast<std::int64_t>(piece.size())) return false;
    xxh3.update(piece);
    at += static_cast<std::uint32_t>(piece.size());
  }
  return xxh3.finish() == job.expected;
}

}  // namespace peernet::storage
