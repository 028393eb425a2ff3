#include "storage/tree_hasher.hpp"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <mutex>
#include <optional>
#include <thread>

#include "base/check.hpp"
#include "content/tree_chunks.hpp"
#include "storage/tree_files.hpp"
#include "storage/tree_walk.hpp"

namespace peernet::storage {
namespace {

using content::Entry;
using content::EntryKind;
using content::PathError;
using content::PathResult;
using content::TableId;
using content::TreeListing;

constexpr std::size_t kWindowBytes = 256 << 10;  // read, then hashed twice while it is in the L2 cache
constexpr unsigned kMaxThreads = 16;
constexpr std::size_t kMaxOpen = 4;  // per thread; chunks follow one another, so does their file
constexpr auto kProgressEvery = std::chrono::milliseconds(100);
constexpr const char* kChanged = "hash the folder: it changed meanwhile";

std::unexpected<PathError> refuse(const char* what, std::string path) {
  return content::path_error({ErrorCode::kUsage, 0, what}, std::move(path));
}

struct Found {
  Entry entry;
  std::uint64_t inode = 0;
};

void take_attributes(Entry& entry, const struct stat& info) {
  entry.mode = static_cast<std::uint16_t>(info.st_mode & 0777U);
  entry.mtime_s = info.st_mtim.tv_sec;
  entry.mtime_ns = static_cast<std::uint32_t>(info.st_mtim.tv_nsec);
}

/// Everything in the folder, sorted by path bytes; paths begin with the folder's name.
class Collector {
 public:
  Collector(int root, const std::string& name, const std::atomic<bool>* cancel)
      : root_(root), name_(name), cancel_(cancel) {}

  PathResult<std::vector<Found>> run() {
    struct stat info{};
    if (::fstat(root_, &info) != 0) return content::path_error(from_errno(errno, "look at the folder"), "");
    Found self{.entry = {}, .inode = info.st_ino};
    self.entry.kind = EntryKind::kDirectory;
    self.entry.path = name_;
    take_attributes(self.entry, info);
    found_.push_back(std::move(self));
    const PathResult<void> walked = walk_beneath(root_, [this](const WalkItem& item) { return visit(item); });
    if (!walked) return std::unexpected(walked.error());
    std::ranges::sort(found_, {}, [](const Found& found) -> const std::string& { return found.entry.path; });
    return std::move(found_);
  }

 private:
  PathResult<bool> visit(const WalkItem& item) {
    if (cancel_ != nullptr && cancel_->load(std::memory_order_relaxed))
      return content::path_error({ErrorCode::kInterrupted, 0, "hash the folder"}, "");
    if (const content::NameFault fault = content::check_name(item.name); fault != content::NameFault::kNone)
      return refuse(content::describe(fault), item.path());
    Found found{.entry = {}, .inode = item.info.st_ino};
    Entry& entry = found.entry;
    entry.path = name_ + "/" + item.path();
    take_attributes(entry, item.info);
    if (entry.path.size() > content::kMaxPathBytes)
      return refuse("a path longer than 4095 bytes cannot be shared", item.path());
    if (S_ISDIR(item.info.st_mode)) {
      entry.kind = EntryKind::kDirectory;
    } else if (S_ISREG(item.info.st_mode)) {
      entry.size = static_cast<std::uint64_t>(item.info.st_size);
    } else if (S_ISLNK(item.info.st_mode)) {
      entry.kind = EntryKind::kSymlink;
      char target[content::kMaxPathBytes + 1];
      const ssize_t n = ::readlinkat(item.directory, item.name, target, sizeof target);
      if (n < 0) return content::path_error(from_errno(errno, "read the symbolic link"), item.path());
      entry.target.assign(target, static_cast<std::size_t>(n));
      if (!content::link_stays_inside(entry.path, entry.target))
        return refuse("a symbolic link that is absolute or could lead out of the folder cannot be shared", item.path());
    } else {
      return refuse("devices, pipes and sockets cannot be shared", item.path());
    }
    found_.push_back(std::move(found));
    return S_ISDIR(item.info.st_mode);
  }

  int root_;
  const std::string& name_;
  const std::atomic<bool>* cancel_;
  std::vector<Found> found_;
};

bool is_same(const struct stat& info, const TreeListing::Item& item, std::uint64_t inode) {
  return info.st_ino == inode && info.st_mtim.tv_sec == item.mtime_s &&
         static_cast<std::uint32_t>(info.st_mtim.tv_nsec) == item.mtime_ns &&
         (item.kind != EntryKind::kFile || static_cast<std::uint64_t>(info.st_size) == item.size);
}

/// Both hashes of every chunk, by as many threads as asked for; chunks are handed out one by one.
class ChunkWorkers {
 public:
  ChunkWorkers(const SharedTree& tree, const HashOptions& options)
      : tree_(tree),
        options_(options),
        height_(content::chunk_tree_height(tree.core)),
        xxh3_(std::size_t{tree.core.chunk_count} * 16),
        sha256_(std::size_t{tree.core.chunk_count} * 32) {}

  PathResult<void> run() {
    const unsigned cores = std::max(1U, std::thread::hardware_concurrency());
    const unsigned wanted = std::min(options_.threads != 0 ? options_.threads : cores, kMaxThreads);
    std::vector<std::jthread> helpers;
    for (unsigned i = 1; i < std::min(wanted, tree_.core.chunk_count); ++i)
      helpers.emplace_back([this] { work(false); });
    work(true);
    helpers.clear();  // joins
    if (fault_) return std::unexpected(*fault_);
    report(true);
    return {};
  }

  void tables(SharedTree& tree) const {
    tree.xxh3 = content::PageTable::build(content::table_shape(tree.core, TableId::kXxh3), xxh3_);
    tree.sha256 = content::PageTable::build(content::table_shape(tree.core, TableId::kSha256), sha256_);
    tree.core.xxh3_root = tree.xxh3.root();
    tree.core.sha256_root = tree.sha256.root();
  }

 private:
  void work(bool reports) {
    TreeFiles files(tree_.root.get(), tree_.listing, kMaxOpen);
    const auto buffer =
        std::make_unique_for_overwrite<std::byte[]>(std::min<std::uint64_t>(kWindowBytes, tree_.core.payload_bytes));
    while (!stop_.load(std::memory_order_relaxed)) {
      // Relaxed: the counter only hands out numbers; results are read after the threads were joined.
      const std::uint32_t next = next_.fetch_add(1, std::memory_order_relaxed);
      if (next >= tree_.core.chunk_count) return;
      if (options_.cancel != nullptr && options_.cancel->load(std::memory_order_relaxed))
        return fail({{ErrorCode::kInterrupted, 0, "hash the folder"}, ""});
      if (std::optional<PathError> fault = hash(ChunkIndex{next}, files, buffer.get())) return fail(std::move(*fault));
      done_.fetch_add(tree_.listing.layout().chunk_payload(ChunkIndex{next}), std::memory_order_relaxed);
      if (reports) report(false);
    }
  }

  std::optional<PathError> hash(ChunkIndex chunk, TreeFiles& files, std::byte* buffer) {
    const content::Layout& layout = tree_.listing.layout();
    const std::uint64_t start = tree_.core.chunk_start(chunk);
    const std::uint64_t end = start + tree_.core.chunk_span(chunk);
    content::FastHasher fast;
    content::RootFolder folder;
    for (std::uint64_t at = start; at < end; at += kWindowBytes) {
      const std::uint64_t until = std::min<std::uint64_t>(end, at + kWindowBytes);
      std::size_t filled = 0;
      content::Layout::Cursor cursor = layout.segments_between(at, until);
      while (const std::optional<content::Segment> segment = cursor.next()) {
        const MutableByteSpan into(buffer + segment->chunk_offset, segment->length);
        if (std::optional<PathError> fault = read(*segment, files, into)) return fault;
        filled += segment->length;
      }
      const ByteSpan bytes(buffer, filled);
      fast.update(bytes);
      content::add_tree_leaves(layout, at, until, bytes, folder);
    }
    const Hash128 xxh3 = fast.finish();
    const Hash256 sha256 = folder.finish(height_);
    std::memcpy(xxh3_.data() + std::size_t{chunk.value()} * 16, xxh3.data(), 16);
    std::memcpy(sha256_.data() + std::size_t{chunk.value()} * 32, sha256.data(), 32);
    return std::nullopt;
  }

  std::optional<PathError> read(const content::Segment& segment, TreeFiles& files, MutableByteSpan into) const {
    const TreeListing::Item& item = tree_.listing[segment.file];
    const bool keep = item.size > kWindowBytes;
    const int fd = keep ? files.kept(segment.file, O_RDONLY, 0) : files.open(segment.file, O_RDONLY, 0);
    const auto fault = [&](Error error) { return PathError{error, tree_.listing.relative_path(segment.file)}; };
    if (fd == -ENOENT || fd == -ELOOP || fd == -ENOTDIR) return fault({ErrorCode::kIntegrity, 0, kChanged});
    if (fd < 0) return fault(from_errno(-fd, "open the file"));
    const Fd own(keep ? -1 : fd);
    const std::int64_t n = pread_full(fd, into, segment.file_offset);
    if (n < 0) return fault(from_errno(static_cast<int>(-n), "read the file"));
    struct stat info{};
    if (::fstat(fd, &info) != 0) return fault(from_errno(errno, "look at the file"));
    if (static_cast<std::size_t>(n) != into.size() || !is_same(info, item, tree_.inodes[segment.file]))
      return fault({ErrorCode::kIntegrity, 0, kChanged});
    return std::nullopt;
  }

  void fail(PathError fault) {
    const std::lock_guard lock(mutex_);
    if (!fault_) fault_ = std::move(fault);
    stop_.store(true, std::memory_order_relaxed);
  }

  void report(bool last) {
    if (!options_.on_progress) return;
    const auto now = std::chrono::steady_clock::now();
    if (!last && now - reported_ < kProgressEvery) return;
    reported_ = now;
    options_.on_progress(done_.load(std::memory_order_relaxed), tree_.core.payload_bytes);
  }

  const SharedTree& tree_;
  const HashOptions& options_;
  unsigned height_;
  std::vector<std::byte> xxh3_, sha256_;  // each chunk's place is written by one thread only
  std::atomic<std::uint32_t> next_{0};
  std::atomic<std::uint64_t> done_{0};
  std::atomic<bool> stop_{false};
  std::mutex mutex_;  // guards fault_
  std::optional<PathError> fault_;
  std::chrono::steady_clock::time_point reported_ = std::chrono::steady_clock::now();
};

/// The folder's own name, also of "." or "photos/..".
Result<std::string> name_of(int root, const std::string& path) {
  std::string_view text = path;
  while (text.size() > 1 && text.ends_with('/')) text.remove_suffix(1);
  std::string name(text.substr(text.rfind('/') + 1));
  if (name.empty() || name == "." || name == "..") {
    char real[content::kMaxPathBytes + 1];
    const ssize_t n = ::readlink(("/proc/self/fd/" + std::to_string(root)).c_str(), real, sizeof real);
    if (n < 0) return std::unexpected(from_errno(errno, "find the folder's name"));
    const std::string_view full(real, static_cast<std::size_t>(n));
    name = full.substr(full.rfind('/') + 1);
  }
  if (const content::NameFault fault = content::check_name(name); fault != content::NameFault::kNone)
    return std::unexpected(Error{ErrorCode::kUsage, 0, content::describe(fault)});
  return name;
}

/// Sizes, chunk size and entry table into the core; the listing is what a receiver will make of them.
PathResult<void> describe_entries(SharedTree& out, std::vector<Found> found, const HashOptions& options) {
  content::ManifestCore& core = out.core;
  core.kind = content::ContentKind::kTree;
  std::vector<Entry> entries;
  entries.reserve(found.size());
  out.inodes.reserve(found.size());
  std::uint64_t previous = 0;
  for (Found& item : found) {
    const std::uint64_t size = item.entry.size;
    if (size != 0) {
      core.total_bytes = content::Layout::place(core.total_bytes, previous, size) + size;
      core.payload_bytes += size;
      previous = size;
    }
    if (item.entry.kind == EntryKind::kFile) ++out.files;
    if (!content::fits_chunk_count(core.total_bytes, content::kMaxChunkBytes))
      return refuse("share so much in one content", "");
    out.inodes.push_back(item.inode);
    entries.push_back(std::move(item.entry));
  }
  core.chunk_bytes = options.chunk_bytes != 0 ? options.chunk_bytes : content::choose_chunk_bytes(core.total_bytes);
  if (!content::fits_chunk_count(core.total_bytes, core.chunk_bytes))
    return refuse("share so much in chunks of this size", "");
  core.chunk_count = content::chunk_count_for(core.total_bytes, core.chunk_bytes);
  core.entry_count = static_cast<std::uint32_t>(entries.size());
  const Result<std::vector<std::byte>> bytes = content::encode_entries(entries);
  if (!bytes) return content::path_error(bytes.error(), "");
  core.entry_table_bytes = static_cast<std::uint32_t>(bytes->size());
  out.entries = content::PageTable::build(content::table_shape(core, TableId::kEntries), *bytes);
  core.entry_root = out.entries.root();
  PathResult<TreeListing> listing = content::decode_tree(core, out.entries);
  if (!listing) {
    PathError fault = std::move(listing.error());
    fault.error.code = ErrorCode::kUsage;  // what a receiver would refuse, such as names that differ only in case
    if (fault.path.starts_with(out.name + "/")) fault.path.erase(0, out.name.size() + 1);
    return std::unexpected(std::move(fault));
  }
  out.listing = std::move(*listing);
  return {};
}

/// Directories that were written to while files were hashed may hold files that nobody has seen.
PathResult<void> check_directories(const SharedTree& tree) {
  for (std::uint32_t i = 0; i < tree.listing.count(); ++i) {
    if (tree.listing[i].kind == EntryKind::kFile) continue;
    struct stat info{};
    const std::string path = tree.listing.relative_path(i);
    const int fault =
        i == 0 ? ::fstat(tree.root.get(), &info) : ::fstatat(tree.root.get(), path.c_str(), &info, AT_SYMLINK_NOFOLLOW);
    if (fault != 0 || !is_same(info, tree.listing[i], tree.inodes[i]))
      return content::path_error({ErrorCode::kIntegrity, 0, kChanged}, path);
  }
  return {};
}

PathResult<void> fill(SharedTree& out, const std::string& path, const HashOptions& options) {
  out.root = Fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!out.root.valid()) {
    if (errno == ENOTDIR) return refuse("share a folder: it is none", "");
    return content::path_error(from_errno(errno, "open the folder"), "");
  }
  struct stat info{};
  if (::fstat(out.root.get(), &info) != 0) return content::path_error(from_errno(errno, "look at the folder"), "");
  out.device = info.st_dev;
  Result<std::string> name = name_of(out.root.get(), path);
  if (!name) return content::path_error(name.error(), "");
  out.name = std::move(*name);
  PathResult<std::vector<Found>> found = Collector(out.root.get(), out.name, options.cancel).run();
  if (!found) return std::unexpected(found.error());
  if (PathResult<void> ok = describe_entries(out, std::move(*found), options); !ok) return ok;
  ChunkWorkers workers(out, options);
  if (PathResult<void> ok = workers.run(); !ok) return ok;
  if (PathResult<void> ok = check_directories(out); !ok) return ok;
  workers.tables(out);
  out.core_bytes = content::encode_manifest(out.core);
  out.id = content::content_id_of(ByteSpan(out.core_bytes));
  return {};
}

}  // namespace

PathResult<SharedTree> hash_tree(const std::string& path, const HashOptions& options) {
  SharedTree out;
  PathResult<void> ok = fill(out, path, options);
  if (ok) return out;
  const std::string& below = ok.error().path;
  return content::path_error(ok.error().error, below.empty()         ? path
                                               : path.ends_with('/') ? path + below
                                                                     : path + "/" + below);
}

}  // namespace peernet::storage
