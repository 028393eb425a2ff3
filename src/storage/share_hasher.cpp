#include "storage/share_hasher.hpp"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <thread>

#include "base/check.hpp"
#include "content/chunk_hasher.hpp"
#include "content/zero_chunk.hpp"

namespace peernet::storage {
namespace {

using content::ManifestCore;
using content::TableId;

constexpr std::size_t kPieceBytes = 256 << 10;  // read, then hashed twice while it is in the L2 cache
constexpr unsigned kMaxThreads = 16;
constexpr auto kProgressEvery = std::chrono::milliseconds(100);
constexpr std::int32_t kShrank = -1;   // the file ended early: it changed
constexpr std::int32_t kStopped = -2;  // cancelled

std::unexpected<Error> changed() {
  return std::unexpected(Error{ErrorCode::kIntegrity, 0, "hash the file: it changed meanwhile"});
}

/// Both hashes of every chunk of an open file, by as many threads as asked for; chunks are handed out one by one.
class FileHasher {
 public:
  FileHasher(int fd, const ManifestCore& core, bool sparse, const HashOptions& options)
      : fd_(fd),
        core_(core),
        options_(options),
        height_(content::chunk_tree_height(core)),
        sparse_(sparse),
        zeros_(core),
        xxh3_(std::size_t{core.chunk_count} * 16),
        sha256_(std::size_t{core.chunk_count} * 32) {}

  Result<void> run() {
    const unsigned cores = std::max(1U, std::thread::hardware_concurrency());
    const unsigned wanted = std::min(options_.threads != 0 ? options_.threads : cores, kMaxThreads);
    std::vector<std::jthread> helpers;
    for (unsigned i = 1; i < std::min(wanted, core_.chunk_count); ++i) helpers.emplace_back([this] { work(false); });
    work(true);
    helpers.clear();  // joins
    switch (const std::int32_t fault = fault_.load()) {
      case 0:
        break;
      case kShrank:
        return changed();
      case kStopped:
        return std::unexpected(Error{ErrorCode::kInterrupted, 0, "hash the file"});
      default:
        return std::unexpected(from_errno(fault, "read the file"));
    }
    report(true);
    return {};
  }

  /// Builds the tables and puts their roots into core.
  void tables(ManifestCore& core, content::PageTable& xxh3, content::PageTable& sha256) const {
    xxh3 = content::PageTable::build(content::table_shape(core, TableId::kXxh3), xxh3_);
    sha256 = content::PageTable::build(content::table_shape(core, TableId::kSha256), sha256_);
    core.xxh3_root = xxh3.root();
    core.sha256_root = sha256.root();
  }

 private:
  void work(bool reports) {
    const auto buffer =
        std::make_unique_for_overwrite<std::byte[]>(std::min<std::uint64_t>(kPieceBytes, core_.total_bytes));
    while (fault_.load(std::memory_order_relaxed) == 0) {
      // Relaxed: the counter only hands out numbers; results are read after the threads were joined.
      const std::uint32_t next = next_.fetch_add(1, std::memory_order_relaxed);
      if (next >= core_.chunk_count) return;
      const ChunkIndex chunk{next};
      const std::int32_t fault = cancelled()      ? kStopped
                                 : in_hole(chunk) ? take_zeros(chunk)
                                                  : hash(chunk, buffer.get());
      if (fault != 0) return fault_.store(fault, std::memory_order_relaxed);
      done_.fetch_add(core_.chunk_span(chunk), std::memory_order_relaxed);
      if (reports) report(false);
    }
  }

  bool cancelled() const { return options_.cancel != nullptr && options_.cancel->load(std::memory_order_relaxed); }

  bool in_hole(ChunkIndex chunk) const {
    if (!sparse_) return false;
    const auto start = static_cast<off_t>(core_.chunk_start(chunk));
    const off_t data = ::lseek(fd_, start, SEEK_DATA);
    return data < 0 ? errno == ENXIO : data >= start + static_cast<off_t>(core_.chunk_span(chunk));
  }

  std::int32_t take_zeros(ChunkIndex chunk) {
    store(chunk, zeros_.xxh3_of(chunk), zeros_.sha256_of(chunk));
    return 0;
  }

  std::int32_t hash(ChunkIndex chunk, std::byte* buffer) {
    const std::uint64_t start = core_.chunk_start(chunk);
    const std::uint32_t length = core_.chunk_span(chunk);
    content::ChunkHasher hasher;
    for (std::uint32_t at = 0; at < length; at += kPieceBytes) {
      const MutableByteSpan piece(buffer, std::min<std::size_t>(kPieceBytes, length - at));
      const std::int64_t n = pread_full(fd_, piece, start + at);
      if (n < 0) return static_cast<std::int32_t>(-n);
      if (static_cast<std::size_t>(n) != piece.size()) return kShrank;
      hasher.update(piece);
    }
    const content::ChunkHashes hashes = hasher.finish(height_);
    store(chunk, hashes.xxh3, hashes.sha256);
    return 0;
  }

  void store(ChunkIndex chunk, const Hash128& xxh3, const Hash256& sha256) {
    std::memcpy(xxh3_.data() + std::size_t{chunk.value()} * 16, xxh3.data(), 16);
    std::memcpy(sha256_.data() + std::size_t{chunk.value()} * 32, sha256.data(), 32);
  }

  void report(bool last) {
    if (!options_.on_progress) return;
    const auto now = std::chrono::steady_clock::now();
    if (!last && now - reported_ < kProgressEvery) return;
    reported_ = now;
    options_.on_progress(done_.load(std::memory_order_relaxed), core_.total_bytes);
  }

  int fd_;
  const ManifestCore& core_;
  const HashOptions& options_;
  unsigned height_;
  bool sparse_;
  content::ZeroChunks zeros_;
  std::vector<std::byte> xxh3_, sha256_;  // each chunk's place is written by one thread only
  std::atomic<std::uint32_t> next_{0};
  std::atomic<std::uint64_t> done_{0};
  std::atomic<std::int32_t> fault_{0};
  std::chrono::steady_clock::time_point reported_ = std::chrono::steady_clock::now();
};

/// Fewer blocks than bytes: there are holes (or compression; then SEEK_DATA just finds none).
bool is_sparse(const struct stat& info) {
  return static_cast<std::uint64_t>(info.st_blocks) * 512 < static_cast<std::uint64_t>(info.st_size);
}

Result<content::Entry> entry_of(const std::string& path, const struct stat& info) {
  const std::size_t slash = path.rfind('/');
  content::Entry entry;
  entry.path = slash == std::string::npos ? path : path.substr(slash + 1);
  const content::NameFault fault = content::check_name(entry.path);
  if (fault != content::NameFault::kNone) return std::unexpected(Error{ErrorCode::kUsage, 0, content::describe(fault)});
  entry.mode = static_cast<std::uint16_t>(info.st_mode & 0777U);
  entry.mtime_s = info.st_mtim.tv_sec;
  entry.mtime_ns = static_cast<std::uint32_t>(info.st_mtim.tv_nsec);
  entry.size = static_cast<std::uint64_t>(info.st_size);
  return entry;
}

Result<Fd> open_regular(const std::string& path, struct stat& info) {
  // O_NONBLOCK: opening a FIFO must not wait for a writer.
  Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd.valid()) return std::unexpected(from_errno(errno, "open the source file"));
  if (::fstat(fd.get(), &info) != 0) return std::unexpected(from_errno(errno, "look at the source file"));
  if (S_ISDIR(info.st_mode))
    return std::unexpected(Error{ErrorCode::kUsage, EISDIR, "share one file at a time, not a directory"});
  if (!S_ISREG(info.st_mode))
    return std::unexpected(Error{ErrorCode::kUsage, 0, "share a regular file, not a device, pipe or socket"});
  return fd;
}

Result<ManifestCore> core_for(std::uint64_t size, std::uint32_t chunk_bytes) {
  ManifestCore core;
  core.chunk_bytes = chunk_bytes != 0 ? chunk_bytes : content::choose_chunk_bytes(size);
  if (!content::fits_chunk_count(size, core.chunk_bytes))
    return std::unexpected(Error{ErrorCode::kUsage, EFBIG, "share a file of this size"});
  core.total_bytes = core.payload_bytes = size;
  core.chunk_count = content::chunk_count_for(size, core.chunk_bytes);
  core.entry_count = 1;
  return core;
}

}  // namespace

Result<SharedFile> hash_file(const std::string& path, const HashOptions& options) {
  struct stat info{};
  SharedFile out;
  Result<Fd> fd = open_regular(path, info);
  if (!fd) return std::unexpected(fd.error());
  out.fd = std::move(*fd);
  const Result<SourceStamp> before = stamp_of(out.fd.get());
  if (!before) return std::unexpected(before.error());
  Result<content::Entry> entry = entry_of(path, info);
  if (!entry) return std::unexpected(entry.error());
  out.entry = std::move(*entry);
  Result<ManifestCore> core = core_for(out.entry.size, options.chunk_bytes);
  if (!core) return std::unexpected(core.error());
  out.core = *core;

  FileHasher hasher(out.fd.get(), out.core, is_sparse(info), options);
  if (const Result<void> ok = hasher.run(); !ok) return std::unexpected(ok.error());
  const Result<SourceStamp> after = stamp_of(out.fd.get());
  if (!after) return std::unexpected(after.error());
  if (before->size != out.entry.size || compare(*before, *after) != SourceState::kSame) return changed();
  out.stamp = *after;

  const Result<std::vector<std::byte>> entry_bytes = content::encode_entries({out.entry});
  if (!entry_bytes) return std::unexpected(entry_bytes.error());
  out.core.entry_table_bytes = static_cast<std::uint32_t>(entry_bytes->size());
  out.entries = content::PageTable::build(content::table_shape(out.core, TableId::kEntries), *entry_bytes);
  out.core.entry_root = out.entries.root();
  hasher.tables(out.core, out.xxh3, out.sha256);
  out.core_bytes = content::encode_manifest(out.core);
  out.id = content::content_id_of(ByteSpan(out.core_bytes));
  return out;
}

Result<bool> file_matches(int fd, const ManifestCore& core, const HashOptions& options) {
  struct stat info{};
  if (::fstat(fd, &info) != 0) return std::unexpected(from_errno(errno, "look at the file"));
  if (core.kind != content::ContentKind::kFile || !S_ISREG(info.st_mode) ||
      static_cast<std::uint64_t>(info.st_size) != core.total_bytes)
    return false;
  FileHasher hasher(fd, core, is_sparse(info), options);
  if (const Result<void> ok = hasher.run(); !ok) return std::unexpected(ok.error());
  ManifestCore own = core;
  content::PageTable xxh3, sha256;
  hasher.tables(own, xxh3, sha256);
  return own == core;
}

}  // namespace peernet::storage
