#include "tracker/server/snapshot_writer.hpp"

#include <pthread.h>

#include <algorithm>
#include <ctime>

#include "cli/console.hpp"

namespace peernet::tracker::server {
namespace {

// A slice holds one lock for some 100 us; after it the writer rests four times as long, so that it takes at most a
// fifth of a core, and whoever waits for the lock or the core gets it.
constexpr int kRestPerWork = 4;
constexpr Duration kShortestRest = std::chrono::microseconds(500);

}  // namespace

SnapshotWriter::SnapshotWriter(const StateFolder& folder, const TrackerCore& core, Duration every)
    : folder_(folder), core_(core), every_(every), thread_([this] { run(); }) {}

SnapshotWriter::~SnapshotWriter() {
  stop();
}

void SnapshotWriter::stop() {
  if (!thread_.joinable()) return;
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

bool SnapshotWriter::sleep(Duration duration) {
  std::unique_lock lock(mutex_);
  wake_.wait_for(lock, duration, [this] { return stopping_; });
  return !stopping_;
}

void SnapshotWriter::run() {
  ::pthread_setname_np(::pthread_self(), "snapshot");
  std::string last_trouble;
  while (sleep(every_)) {
    const auto done =
        folder_.write(core_, [this](Duration slice) { return sleep(std::max(slice * kRestPerWork, kShortestRest)); });
    if (done) {
      set_last_second(static_cast<std::uint64_t>(::time(nullptr)));
      last_trouble.clear();
      continue;
    }
    const std::scoped_lock lock(mutex_);
    if (stopping_ || done.error().sentence == last_trouble) continue;  // told once
    last_trouble = done.error().sentence;
    cli::console().line("peernet-tracker: " + last_trouble);
  }
}

Outcome<void> SnapshotWriter::write_last() {
  auto done = folder_.write(core_, [](Duration) { return true; });
  if (done) set_last_second(static_cast<std::uint64_t>(::time(nullptr)));
  return done;
}

}  // namespace peernet::tracker::server
