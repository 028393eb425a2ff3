#include "io/epoll/file_workers.hpp"

#include <pthread.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <system_error>

namespace peernet::io {

void run_transfer(int fd, Transfer& transfer) {
  std::int64_t moved = 0;
  do {
    const auto offset = static_cast<off_t>(transfer.offset());
    switch (transfer.op()) {
      case FileOp::kRead:
        moved = ::pread(fd, transfer.bytes(), transfer.left(), offset);
        break;
      case FileOp::kWrite:
        moved = ::pwrite(fd, transfer.bytes(), transfer.left(), offset);
        break;
      case FileOp::kFsync:
        moved = ::fsync(fd);
        break;
    }
    if (moved < 0) moved = -errno;
  } while (transfer.advance(moved) == Transfer::Next::kAgain);
}

FileWorkers::FileWorkers(std::size_t capacity, int wake_fd) : wake_fd_(wake_fd), waiting_(capacity), ended_(capacity) {
  threads_.reserve(kThreads);
}

FileWorkers::~FileWorkers() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  work_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

// All at the first need: a thread that starts in the middle of a transfer allocates there.
void FileWorkers::start_threads() {
  // Signals are for the program's own threads.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  try {
    while (threads_.size() < kThreads) threads_.emplace_back([this] { run(); });
  } catch (const std::system_error&) {
    // No more threads to be had: those that run do it, or submit() itself.
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void FileWorkers::submit(const FileJob& job) {
  std::unique_lock lock(mutex_);
  if (threads_.empty()) start_threads();
  if (threads_.empty()) {
    FileJob own = job;
    run_transfer(own.fd, own.transfer);
    finish(own);
    return;
  }
  waiting_.push(job);
  lock.unlock();
  work_.notify_one();
}

void FileWorkers::collect(std::vector<FileJob>& out) {
  const std::lock_guard lock(mutex_);
  while (!ended_.empty()) out.push_back(ended_.pop());
}

void FileWorkers::finish(const FileJob& job) {
  const bool first = ended_.empty();
  ended_.push(job);
  const std::uint64_t one = 1;
  if (first && ::write(wake_fd_, &one, sizeof one) < 0) PN_CHECK(errno == EAGAIN || errno == EINTR);
}

void FileWorkers::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    work_.wait(lock, [this] { return stop_ || !waiting_.empty(); });
    if (waiting_.empty()) return;
    FileJob job = waiting_.pop();
    lock.unlock();
    run_transfer(job.fd, job.transfer);
    lock.lock();
    finish(job);
  }
}

}  // namespace peernet::io
