#include "node/tree_bytes.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <string>

#include "base/check.hpp"
#include "io/io.hpp"
#include "storage/tree_reader.hpp"

namespace peernet::node {
namespace {

constexpr std::size_t kMaxReads = 64;         // more pieces than a shard has blocks to read into
constexpr std::uint32_t kLookedAtOnce = 256;  // files whose stamps are compared each second

class TreePieceReader final : public PieceReader {
 public:
  TreePieceReader(io::Driver& driver, int root, const TreeBytes::Options& tree)
      : driver_(driver), owner_(tree.owner), reader_(root, *tree.listing, tree.inodes) {}
  ~TreePieceReader() override {
    {
      const std::scoped_lock lock(mutex_);
      stop_ = true;
    }
    ready_.notify_one();
    if (thread_.joinable()) thread_.join();
  }

  bool read(io::OpToken token, ChunkIndex chunk, std::uint32_t offset, MutableByteSpan into) override {
    {
      const std::scoped_lock lock(mutex_);
      if (job_count_ + done_count_ + (reading_ ? 1 : 0) == kMaxReads) return false;
      jobs_[(job_head_ + job_count_++) % kMaxReads] = {token, chunk, offset, into};
      // Started by the first read: most shards of a share never serve anybody.
      if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
      if (reading_) return true;  // it looks again before it sleeps
    }
    ready_.notify_one();
    return true;
  }

  std::optional<Done> take() override {
    const std::scoped_lock lock(mutex_);
    if (done_count_ == 0) return std::nullopt;
    const Done done = done_[done_head_];
    done_head_ = (done_head_ + 1) % kMaxReads;
    --done_count_;
    return done;
  }

 private:
  struct Job {
    io::OpToken token;
    ChunkIndex chunk;
    std::uint32_t offset = 0;
    MutableByteSpan into;
  };

  void run() {
    std::unique_lock lock(mutex_);
    while (true) {
      ready_.wait(lock, [this] { return job_count_ > 0 || stop_; });
      if (stop_) return;
      const Job job = jobs_[job_head_];
      job_head_ = (job_head_ + 1) % kMaxReads;
      --job_count_;
      reading_ = true;
      lock.unlock();
      const std::int64_t result = reader_.read(job.chunk, job.offset, job.into);
      lock.lock();
      reading_ = false;
      done_[(done_head_ + done_count_++) % kMaxReads] = {job.token, result};
      if (done_count_ > 1) continue;  // woken for an earlier one that was not taken yet
      lock.unlock();
      driver_.wake();
      lock.lock();
    }
  }

  io::Driver& driver_;
  std::shared_ptr<const void> owner_;
  storage::TreeReader reader_;  // the thread's
  std::mutex mutex_;            // guards all below but the thread, which read() starts
  std::condition_variable ready_;
  std::array<Job, kMaxReads> jobs_{};
  std::array<Done, kMaxReads> done_{};
  std::size_t job_head_ = 0, job_count_ = 0, done_head_ = 0, done_count_ = 0;
  bool reading_ = false, stop_ = false;
  std::thread thread_;
};

}  // namespace

// Looks at the stamps of a few files whenever it is asked to, on a thread of its own: stat of a name that the kernel
// does not remember waits for the disk.
class TreeBytes::Watch {
 public:
  Watch(int root, const Options& tree) : root_(root), tree_(tree) {}
  ~Watch() {
    {
      const std::scoped_lock lock(mutex_);
      stop_ = true;
    }
    ready_.notify_one();
    if (thread_.joinable()) thread_.join();
  }

  bool changed() const { return changed_.load(std::memory_order_relaxed); }

  void look() {
    {
      const std::scoped_lock lock(mutex_);
      wanted_ = true;
      if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
    }
    ready_.notify_one();
  }

 private:
  void run() {
    std::unique_lock lock(mutex_);
    while (true) {
      ready_.wait(lock, [this] { return wanted_ || stop_; });
      if (stop_) return;
      wanted_ = false;
      lock.unlock();
      look_at_some();
      lock.lock();
    }
  }

  void look_at_some() {
    const content::TreeListing& listing = *tree_.listing;
    for (std::uint32_t n = std::min(kLookedAtOnce, listing.count()); n > 0; --n) {
      next_ = next_ + 1 < listing.count() ? next_ + 1 : 0;
      if (tree_.selected != nullptr && !(*tree_.selected)[next_]) continue;
      if (listing[next_].kind == content::EntryKind::kFile && differs(next_))
        changed_.store(true, std::memory_order_relaxed);
    }
  }

  bool differs(std::uint32_t entry) {
    const content::TreeListing::Item& item = (*tree_.listing)[entry];
    tree_.listing->relative_path(entry, path_);
    struct stat info{};
    if (::fstatat(root_, path_.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) return errno == ENOENT || errno == ENOTDIR;
    const bool same_time = info.st_mtim.tv_sec == item.mtime_s &&
                           (tree_.inodes.empty() || info.st_mtim.tv_nsec == static_cast<long>(item.mtime_ns));
    const bool same_file = tree_.inodes.empty() || info.st_ino == tree_.inodes[entry];
    return !S_ISREG(info.st_mode) || static_cast<std::uint64_t>(info.st_size) != item.size || !same_time || !same_file;
  }

  int root_;
  const Options& tree_;
  std::string path_;
  std::uint32_t next_ = 0;
  std::atomic<bool> changed_{false};
  std::mutex mutex_;  // guards the two wishes
  std::condition_variable ready_;
  bool wanted_ = false, stop_ = false;
  std::thread thread_;
};

TreeBytes::TreeBytes(const Options& options)
    : options_(options), root_(::fcntl(options.root, F_DUPFD_CLOEXEC, 0)), watched_(!options.inodes.empty()) {
  watch_ = std::make_unique<Watch>(root_.get(), options_);
}

TreeBytes::~TreeBytes() = default;

Result<std::unique_ptr<PieceReader>> TreeBytes::open(io::Driver& driver) {
  return std::make_unique<TreePieceReader>(driver, root_.get(), options_);
}

bool TreeBytes::changed() const {
  if (!watched_.load(std::memory_order_relaxed)) return false;
  watch_->look();
  return watch_->changed();
}

}  // namespace peernet::node
