#include "storage/writer_thread.hpp"

#include <errno.h>
#include <unistd.h>

#include "base/check.hpp"
#include "storage/posix_fd.hpp"

namespace peernet::storage {

WriterClient::WriterClient(WriterThread& thread, std::uint32_t max_in_flight, void (*wake)(void*), void* wake_argument)
    : thread_(thread), wake_(wake), wake_argument_(wake_argument), done_(max_in_flight) {}

WriterClient::~WriterClient() {
  PN_CHECK(in_flight_ == 0);
}

bool WriterClient::submit(const WriterOp& op) {
  if (in_flight_ == done_.size()) return false;
  if (!thread_.push({.op = op, .client = this})) return false;
  ++in_flight_;
  return true;
}

std::size_t WriterClient::take(std::span<WriterCompletion> out) {
  const std::lock_guard lock(mutex_);
  std::size_t n = 0;
  for (; n < out.size() && count_ > 0; ++n, --count_) {
    out[n] = done_[head_];
    head_ = (head_ + 1) % done_.size();
  }
  in_flight_ -= static_cast<std::uint32_t>(n);
  return n;
}

WriterThread::WriterThread(std::uint32_t queue_length) : ring_(queue_length) {}

WriterThread::~WriterThread() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  ready_.notify_one();
  if (thread_.joinable()) thread_.join();
}

bool WriterThread::push(const Job& job) {
  bool was_empty = false;
  {
    const std::lock_guard lock(mutex_);
    if (count_ == ring_.size()) return false;
    // Started by the first operation: a transfer that writes through the ring never pays for the thread.
    if (!started_) thread_ = std::thread([this] { run(); });
    started_ = true;
    was_empty = count_ == 0;
    ring_[(head_ + count_) % ring_.size()] = job;
    ++count_;
  }
  if (was_empty) ready_.notify_one();
  return true;
}

void WriterThread::run() {
  while (true) {
    Job job;
    {
      std::unique_lock lock(mutex_);
      ready_.wait(lock, [this] { return count_ > 0 || stop_; });
      if (count_ == 0) return;
      job = ring_[head_];
      head_ = (head_ + 1) % ring_.size();
      --count_;
    }
    deliver(*job.client, {.token = job.op.token, .result = execute(job.op)});
  }
}

std::int64_t WriterThread::execute(const WriterOp& op) {
  switch (op.kind) {
    case WriterOpKind::kWrite:
      return pwrite_full(op.fd, op.bytes, op.offset);
    case WriterOpKind::kFsync:
      while (::fsync(op.fd) != 0)
        if (errno != EINTR) return -errno;
      return 0;
    case WriterOpKind::kCall:
      return op.call(op.argument);
  }
  return -EINVAL;
}

void WriterThread::deliver(WriterClient& client, WriterCompletion completion) {
  // The wake is inside the lock: once take() has seen the completion the client may be destroyed.
  const std::lock_guard lock(client.mutex_);
  client.done_[(client.head_ + client.count_) % client.done_.size()] = completion;
  if (client.count_++ == 0 && client.wake_ != nullptr) client.wake_(client.wake_argument_);
}

}  // namespace peernet::storage
