// TreePart's files: a chunk's bytes into them, flushing, and what is left for the end.
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "base/check.hpp"
#include "storage/tree_part_state.hpp"

namespace peernet::storage {
namespace {

using content::EntryKind;
using content::PathResult;

constexpr std::uint64_t kReserveFrom = 1 << 20;  // below it fallocate costs more than a few extents

struct Times {
  timespec both[2];
};

Times times_of(const content::TreeListing::Item& item) {
  return {{{.tv_sec = 0, .tv_nsec = UTIME_OMIT},
           {.tv_sec = static_cast<time_t>(item.mtime_s), .tv_nsec = static_cast<long>(item.mtime_ns)}}};
}

/// A file system that cannot hold this time (year 2038 on an old ext4) is no reason to withhold the file.
bool is_time_fault(int result) {
  return result != 0 && errno != EINVAL && errno != ERANGE && errno != EOVERFLOW;
}

bool has_time(const struct stat& info, const content::TreeListing::Item& item) {
  return info.st_mtim.tv_sec == item.mtime_s && static_cast<std::uint32_t>(info.st_mtim.tv_nsec) == item.mtime_ns;
}

}  // namespace

PathResult<void> TreePart::write(ChunkIndex chunk, ByteSpan bytes) {
  State& s = *state_;
  PN_CHECK(bytes.size() == s.listing.layout().chunk_payload(chunk));
  content::Layout::Cursor cursor = s.listing.layout().segments(chunk);
  while (const std::optional<content::Segment> segment = cursor.next()) {
    if (!s.wanted(segment->file)) continue;
    const ByteSpan part = bytes.subspan(segment->chunk_offset, segment->length);
    PathResult<void> ok = segment->length == s.item(segment->file).size ? s.write_whole(segment->file, part)
                                                                        : s.write_piece(*segment, part);
    if (!ok) return ok;
  }
  return {};
}

/// The whole file in one go: four system calls in all. Whatever had the name is replaced, never written through.
PathResult<void> TreePart::State::write_whole(std::uint32_t entry, ByteSpan bytes) {
  const content::TreeListing::Item& wish = item(entry);
  int opened = files.open(entry, O_WRONLY | O_CREAT | O_EXCL, wish.mode);
  if (opened == -EEXIST) {
    const int above = files.parent_of(entry);
    if (above >= 0) static_cast<void>(::unlinkat(above, files.name_of(entry), 0));
    opened = files.open(entry, O_WRONLY | O_CREAT | O_EXCL, wish.mode);
  }
  if (opened < 0) return fault(-opened, "create the file", entry);
  const Fd fd(opened);
  if (const std::int64_t n = pwrite_full(fd.get(), bytes, 0); n < 0) {
    const int above = files.parent_of(entry);  // nothing half done under its name
    if (above >= 0) static_cast<void>(::unlinkat(above, files.name_of(entry), 0));
    return fault(static_cast<int>(-n), "write the file", entry);
  }
  if (is_time_fault(::futimens(fd.get(), times_of(wish).both))) return fault(errno, "set the file's time", entry);
  settled[entry] = true;
  touch(entry);
  return {};
}

int TreePart::State::open_piece(std::uint32_t entry) {
  int fd = files.kept(entry, O_RDWR | O_CREAT, 0600);
  if (fd != -EACCES) return fd;
  // Of an earlier run that had given it its final mode already.
  const int above = files.parent_of(entry);
  struct stat info{};
  if (above < 0 || ::fstatat(above, files.name_of(entry), &info, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(info.st_mode) ||
      ::fchmodat(above, files.name_of(entry), 0600, 0) != 0)
    return -EACCES;
  return files.kept(entry, O_RDWR | O_CREAT, 0600);
}

PathResult<void> TreePart::State::write_piece(const content::Segment& segment, ByteSpan bytes) {
  const std::uint32_t entry = segment.file;
  const int fd = open_piece(entry);
  if (fd < 0) return fault(-fd, "create the file", entry);
  settled[entry] = false;
  const std::uint64_t size = item(entry).size;
  // tmpfs would clear every page now and have it written over later.
  if (!reserved[entry] && !tmpfs && size >= kReserveFrom) {
    if (::fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, static_cast<off_t>(size)) != 0 && (errno == ENOSPC || errno == EDQUOT))
      return fault(errno, "make room for the file", entry);
    reserved[entry] = true;
  }
  if (const std::int64_t n = pwrite_full(fd, bytes, segment.file_offset); n < 0)
    return fault(static_cast<int>(-n), "write the file", entry);
  touch(entry);
  return {};
}

void TreePart::State::touch(std::uint32_t entry) {
  if (touched_many || std::ranges::find(touched, entry) != touched.end()) return;
  if (touched.size() == kMaxSyncedAlone) {
    touched_many = true;
  } else {
    touched.push_back(entry);
  }
}

PathResult<void> TreePart::sync() {
  State& s = *state_;
  if (s.touched.empty() && !s.touched_many) return {};
  bool all = false;
  if (!s.touched_many) {
    const PathResult<bool> each = s.sync_each();
    if (!each) return std::unexpected(each.error());
    all = *each;
  }
  if (!all && ::syncfs(s.root.get()) != 0) return s.fault(errno, "flush the content", 0);
  s.touched.clear();
  s.touched_many = false;
  return {};
}

/// Files first, then their folders with all above them. False: one of them cannot be opened, or they are too many. A
/// failed fsync is final: the kernel may report a lost page once and forget it.
PathResult<bool> TreePart::State::sync_each() {
  std::vector<std::uint32_t> folders{0};
  for (const std::uint32_t entry : touched) {
    for (std::uint32_t above = item(entry).parent; above != 0; above = item(above).parent) folders.push_back(above);
    if (item(entry).kind != EntryKind::kFile) continue;
    const Fd fd(files.open(entry, O_RDONLY, 0));
    if (!fd.valid()) return false;
    if (::fsync(fd.get()) != 0) return fault(errno, "flush the file", entry);
  }
  for (const std::uint32_t entry : touched)
    if (item(entry).kind == EntryKind::kDirectory) folders.push_back(entry);
  std::ranges::sort(folders);
  folders.erase(std::ranges::unique(folders).begin(), folders.end());
  if (folders.size() > kMaxSyncedAlone) return false;
  for (const std::uint32_t folder : folders) {
    const Fd fd(files.open(folder, O_RDONLY | O_DIRECTORY, 0));
    if (!fd.valid()) return false;
    if (::fsync(fd.get()) != 0 && errno != EINVAL) return fault(errno, "flush the folder", folder);
  }
  return true;
}

PathResult<void> TreePart::finish() {
  State& s = *state_;
  if (s.directories_settled) {  // once more: folders may have lost the rights that are needed below
    static_cast<void>(::fchmod(s.root.get(), 0700));
    for (std::uint32_t i = 1; i < s.listing.count(); ++i) {
      if (s.item(i).kind != EntryKind::kDirectory || !s.wanted(i)) continue;
      const int above = s.files.parent_of(i);
      if (above >= 0) static_cast<void>(::fchmodat(above, s.files.name_of(i), 0700, 0));
    }
  }
  if (s.resumed) s.remove_unwanted();
  for (std::uint32_t i = 1; i < s.listing.count(); ++i) {
    if (!s.wanted(i) || s.settled[i]) continue;
    PathResult<void> ok = s.item(i).kind == EntryKind::kSymlink                       ? s.make_link(i)
                          : s.item(i).kind == EntryKind::kFile && s.item(i).size == 0 ? s.write_whole(i, {})
                          : s.item(i).kind == EntryKind::kFile                        ? s.settle_file(i)
                                                                                      : PathResult<void>{};
    if (!ok) return ok;
  }
  s.files.close_all();
  s.directories_settled = true;
  // Children stand behind their parents: from the back, no folder is touched after it got its time.
  for (std::uint32_t i = s.listing.count(); i-- > 0;) {
    if (s.item(i).kind != EntryKind::kDirectory || !s.wanted(i)) continue;
    if (PathResult<void> ok = s.settle_directory(i); !ok) return ok;
  }
  return {};
}

/// Best effort, from the back: a folder is empty by the time it is removed.
void TreePart::State::remove_unwanted() {
  for (std::uint32_t i = listing.count(); i-- > 1;) {
    if (wanted(i)) continue;
    const int above = files.parent_of(i);
    if (above >= 0)
      static_cast<void>(::unlinkat(above, files.name_of(i), item(i).kind == EntryKind::kDirectory ? AT_REMOVEDIR : 0));
  }
}

PathResult<void> TreePart::State::make_link(std::uint32_t entry) {
  const int above = files.parent_of(entry);
  if (above < 0) return fault(-above, "open the folder", item(entry).parent);
  const std::string target(listing.target(entry));
  const char* name = files.name_of(entry);
  int result = ::symlinkat(target.c_str(), above, name);
  if (result != 0 && errno == EEXIST && ::unlinkat(above, name, 0) == 0)
    result = ::symlinkat(target.c_str(), above, name);
  if (result != 0) return fault(errno, "create the symbolic link", entry);
  // Some file systems give links no times of their own.
  static_cast<void>(::utimensat(above, name, times_of(item(entry)).both, AT_SYMLINK_NOFOLLOW));
  settled[entry] = true;
  touch(entry);
  return {};
}

PathResult<void> TreePart::State::settle_file(std::uint32_t entry) {
  const content::TreeListing::Item& wish = item(entry);
  files.close_kept(entry);
  int opened = files.open(entry, O_RDWR, 0);
  if (opened == -EACCES) opened = files.open(entry, O_RDONLY, 0);  // settled by an earlier run already
  if (opened < 0) return fault(-opened, "open the file", entry);
  const Fd fd(opened);
  struct stat info{};
  if (::fstat(fd.get(), &info) != 0) return fault(errno, "look at the file", entry);
  const auto size = static_cast<std::uint64_t>(info.st_size);
  if (!S_ISREG(info.st_mode) || size < wish.size) return fault(EIO, "finish the file: it was cut meanwhile", entry);
  // Cutting also gives back what fallocate reserved beyond the end.
  if (size > wish.size && ::ftruncate(fd.get(), static_cast<off_t>(wish.size)) != 0)
    return fault(errno, "cut the file to its size", entry);
  const mode_t mode = wish.mode & ~umask;
  if ((info.st_mode & 07777U) != mode && ::fchmod(fd.get(), mode) != 0)
    return fault(errno, "set the file's mode", entry);
  if ((size > wish.size || !has_time(info, wish)) && is_time_fault(::futimens(fd.get(), times_of(wish).both)))
    return fault(errno, "set the file's time", entry);
  settled[entry] = true;
  touch(entry);
  return {};
}

PathResult<void> TreePart::State::settle_directory(std::uint32_t entry) {
  const int opened = files.open(entry, O_RDONLY | O_DIRECTORY, 0);
  if (opened < 0) return fault(-opened, "open the folder", entry);
  const Fd fd(opened);
  if (::fchmod(fd.get(), item(entry).mode & ~umask) != 0) return fault(errno, "set the folder's mode", entry);
  if (is_time_fault(::futimens(fd.get(), times_of(item(entry)).both)))
    return fault(errno, "set the folder's time", entry);
  touch(entry);
  return {};
}

}  // namespace peernet::storage
