#include "storage/state_thread.hpp"

#include <algorithm>
#include <string>

#include "base/bytes.hpp"
#include "base/log.hpp"

namespace peernet::storage {
namespace {

/// Posts about the same part file replace each other. Mixed so that different files do not meet (splitmix64's
/// finalizer).
std::uint64_t key_of(const ContentId& id, std::uint64_t device, std::uint64_t inode) {
  std::uint64_t key = 0;
  const auto mix = [&key](std::uint64_t word) {
    key = (key ^ word) + 0x9e3779b97f4a7c15ULL;
    key = (key ^ (key >> 30)) * 0xbf58476d1ce4e5b9ULL;
    key = (key ^ (key >> 27)) * 0x94d049bb133111ebULL;
    key ^= key >> 31;
  };
  ByteReader r(id);
  while (r.remaining() != 0) mix(r.u64());
  mix(device);
  mix(inode);
  return key == 0 ? 1 : key;  // 0 means "replaces nothing"
}

}  // namespace

StateThread::~StateThread() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  ready_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void StateThread::ensure_started() {
  if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
}

void StateThread::post(std::uint64_t key, std::function<void(StateDb&)> work) {
  {
    const std::lock_guard lock(mutex_);
    if (broken_) return;
    const auto same = std::ranges::find_if(queue_, [key](const Post& post) { return key != 0 && post.key == key; });
    if (same != queue_.end()) {
      same->work = std::move(work);
    } else if (queue_.size() < kMaxQueued) {
      queue_.push_back({.key = key, .work = std::move(work)});
      ++posted_;
    }
    ensure_started();
  }
  ready_.notify_one();
}

void StateThread::post_part(const PartRecord& record) {
  post(key_of(record.content_id, record.device, record.inode),
       [record](StateDb& db) { static_cast<void>(db.put_part(record)); });
}

void StateThread::erase_part(const ContentId& id, std::uint64_t device, std::uint64_t inode) {
  post(key_of(id, device, inode), [=](StateDb& db) { static_cast<void>(db.erase_part(id, device, inode)); });
}

bool StateThread::ask(const std::function<void(StateDb&)>& work) {
  std::unique_lock lock(mutex_);
  if (broken_) return false;
  queue_.push_back({.key = 0, .work = work});  // may exceed the bound by one per waiting thread
  const std::uint64_t mine = ++posted_;
  ensure_started();
  ready_.notify_one();
  idle_.wait(lock, [&] { return committed_ >= mine || broken_; });
  return !broken_;
}

std::optional<PartRecord> StateThread::find_part(const ContentId& id, std::uint64_t device, std::uint64_t inode) {
  std::optional<PartRecord> out;
  static_cast<void>(ask([&](StateDb& db) {
    if (Result<std::optional<PartRecord>> found = db.find_part(id, device, inode); found) out = std::move(*found);
  }));
  return out;
}

void StateThread::run() {
  Result<std::unique_ptr<StateDb>> db = StateDb::open(directory_);
  if (!db) {
    log(LogLevel::kWarning, "progress cannot be remembered: " + describe(db.error()));
    const std::lock_guard lock(mutex_);
    broken_ = true;
    queue_.clear();
    idle_.notify_all();
    return;
  }
  std::deque<Post> batch;
  std::unique_lock lock(mutex_);
  while (true) {
    ready_.wait(lock, [this] { return !queue_.empty() || stop_; });
    if (queue_.empty()) return;
    batch.swap(queue_);
    lock.unlock();
    // One transaction for all that came meanwhile. If it cannot be had (another node holds the lock), each post commits
    // alone or is lost.
    const bool grouped = (*db)->begin().has_value();
    for (const Post& post : batch) post.work(**db);
    if (grouped && !(*db)->commit()) log(LogLevel::kWarning, "progress could not be recorded");
    const std::uint64_t done = batch.size();
    batch.clear();
    lock.lock();
    committed_ += done;
    idle_.notify_all();
  }
}

}  // namespace peernet::storage
