#include "storage/posix_part_file.hpp"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "content/entries.hpp"
#include "storage/name_rules.hpp"
#include "storage/posix_direct.hpp"
#include "storage/posix_part_tools.hpp"
#include "storage/write_planner.hpp"

namespace peernet::storage {
namespace {

constexpr std::size_t kMaxExtents = 65536;  // beyond it the rest of the file counts as one
constexpr int kLockTries = 8;

std::unexpected<Error> taken(int os_error, const char* what) {
  return std::unexpected(Error{ErrorCode::kTargetExists, os_error, what});
}

/// Ours alone: a link in a shared directory must not make us write into another file.
bool is_plain(const struct stat& info) {
  return S_ISREG(info.st_mode) && info.st_nlink == 1 && info.st_uid == ::geteuid();
}

/// Opens or creates the part file and locks it. The name is looked up again once the lock is held: whoever held it
/// before may have published or removed the file in between.
Result<Fd> open_locked(int directory, const std::string& name, struct stat& info) {
  for (int i = 0; i < kLockTries; ++i) {
    Fd fd(::openat(directory, name.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0600));
    if (!fd.valid()) {
      if (errno == ELOOP || errno == EISDIR || errno == ENXIO) return taken(errno, "open the part file");
      return std::unexpected(from_errno(errno, "create the part file"));
    }
    if (::fstat(fd.get(), &info) != 0) return std::unexpected(from_errno(errno, "look at the part file"));
    if (!S_ISREG(info.st_mode)) return taken(0, "open the part file: it is no regular file");
    if (!lock_part(fd.get())) {
      if (errno == EWOULDBLOCK) return taken(0, "write the part file: another process is writing it");
      if (errno != ENOLCK && errno != EOPNOTSUPP && errno != ENOSYS)
        return std::unexpected(from_errno(errno, "lock the part file"));
    }
    struct stat now{};
    if (::fstat(fd.get(), &info) != 0) return std::unexpected(from_errno(errno, "look at the part file"));
    if (::fstatat(directory, name.c_str(), &now, AT_SYMLINK_NOFOLLOW) != 0 || !same_file(info, now)) continue;
    if (!is_plain(info)) return taken(0, "write the part file: it belongs to someone else or has a second name");
    return fd;
  }
  return taken(0, "write the part file: another process keeps replacing it");
}

int rename_no_replace(int directory, const char* from, const char* to) {
  if (::renameat2(directory, from, directory, to, RENAME_NOREPLACE) == 0) return 0;
  if (errno != EINVAL && errno != ENOSYS) return errno;
  // No such flag on this file system (NFS, some FUSE): link(2) also refuses an existing name.
  if (::linkat(directory, from, directory, to, 0) == 0) return ::unlinkat(directory, from, 0) == 0 ? 0 : errno;
  return errno;
}

int rename_replacing(int directory, const char* from, const char* to) {
  const int plain = rename_no_replace(directory, from, to);
  if (plain != EEXIST) return plain;
  struct stat old{};
  if (::fstatat(directory, to, &old, AT_SYMLINK_NOFOLLOW) != 0) return errno;
  if (!S_ISREG(old.st_mode)) return EEXIST;
  if (::renameat2(directory, from, directory, to, RENAME_EXCHANGE) == 0)
    return ::unlinkat(directory, from, 0) == 0 ? 0 : errno;
  if (errno != EINVAL && errno != ENOSYS) return errno;
  return ::renameat(directory, from, directory, to) == 0 ? 0 : errno;
}

}  // namespace

Result<Target> resolve_target(const std::string& option, const std::string& own_name) {
  TargetWish wish = split_target(option);
  struct stat info{};
  if (!wish.name.empty() && ::stat(option.c_str(), &info) == 0 && S_ISDIR(info.st_mode)) {
    wish.directory = option;
    wish.name.clear();
  }
  if (wish.name.empty()) {
    const content::NameFault fault = content::check_name(own_name);
    if (fault != content::NameFault::kNone)
      return std::unexpected(Error{ErrorCode::kUsage, 0, content::describe(fault)});
    wish.name = own_name;
  } else if (const content::NameFault fault = content::check_name(wish.name); fault != content::NameFault::kNone) {
    return std::unexpected(Error{ErrorCode::kUsage, 0, content::describe(fault)});
  }
  Target target{.directory = wish.directory.empty() ? "." : wish.directory, .name = wish.name};
  if (::stat(target.directory.c_str(), &info) != 0)
    return std::unexpected(from_errno(errno, "open the target directory"));
  if (!S_ISDIR(info.st_mode)) return std::unexpected(from_errno(ENOTDIR, "open the target directory"));
  return target;
}

Result<TargetInfo> look_at_target(const Target& target) {
  struct stat info{};
  if (::lstat(target.path().c_str(), &info) != 0) {
    if (errno == ENOENT) return TargetInfo{};
    return std::unexpected(from_errno(errno, "look at the target"));
  }
  return TargetInfo{.state = S_ISREG(info.st_mode) ? TargetState::kRegular : TargetState::kOther,
                    .size = static_cast<std::uint64_t>(info.st_size)};
}

Result<PartFile> PartFile::open(const PartFileOptions& options) {
  PartFile out;
  out.target_ = options.target;
  out.size_ = options.size;
  out.overwrite_ = options.overwrite;
  out.part_name_ = part_name(options.target.name, options.content_id);
  out.part_path_ = Target{options.target.directory, out.part_name_}.path();
  out.directory_fd_ = Fd(::open(options.target.directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!out.directory_fd_.valid()) return std::unexpected(from_errno(errno, "open the target directory"));
  struct stat info{};
  Result<Fd> fd = open_locked(out.directory_fd_.get(), out.part_name_, info);
  if (!fd) return std::unexpected(fd.error());
  out.fd_ = std::move(*fd);
  out.device_ = info.st_dev;
  out.inode_ = info.st_ino;
  out.resumed_ = info.st_size > 0 && info.st_blocks > 0;
  if (static_cast<std::uint64_t>(info.st_size) > out.size_ &&
      ::ftruncate(out.fd_.get(), static_cast<off_t>(out.size_)) != 0)
    return std::unexpected(from_errno(errno, "cut the part file"));
  // An earlier run may have died between its chmod and its rename.
  if ((info.st_mode & 0777U) != 0600 && ::fchmod(out.fd_.get(), 0600) != 0)
    return std::unexpected(from_errno(errno, "set the part file's mode"));
  if (!options.want_direct) return out;

  const DirectAlignment direct = direct_alignment(out.fd_.get());
  if (direct.offset == 0 || kDirectBlockBytes % direct.offset != 0) return out;
  Fd second(::openat(out.directory_fd_.get(), out.part_name_.c_str(), O_RDWR | O_DIRECT | O_NOFOLLOW | O_CLOEXEC));
  struct stat again{};
  if (second.valid() && ::fstat(second.get(), &again) == 0 && same_file(info, again)) {
    out.direct_fd_ = std::move(second);
    out.memory_alignment_ = std::max<std::uint32_t>(direct.memory, 1);
  }
  return out;
}

Result<void> PartFile::reserve(std::span<const Extent> ranges) {
  struct stat info{};
  if (::fstat(fd_.get(), &info) != 0) return std::unexpected(from_errno(errno, "look at the part file"));
  std::uint64_t wanted = 0;
  for (const Extent& range : ranges) wanted += range.end - range.begin;
  const std::uint64_t had = static_cast<std::uint64_t>(info.st_blocks) * 512;
  const std::optional<std::uint64_t> free = free_bytes(fd_.get());
  if (free && wanted > had && wanted - had > *free)
    return std::unexpected(Error{ErrorCode::kNoSpace, ENOSPC, "make room for the content"});
  if (static_cast<std::uint64_t>(info.st_size) != size_ && ::ftruncate(fd_.get(), static_cast<off_t>(size_)) != 0)
    return std::unexpected(from_errno(errno, "extend the part file"));
  // tmpfs would allocate and clear every page now and again be written over later: a second pass over the memory.
  if (on_tmpfs(fd_.get())) return {};
  for (const Extent& range : ranges) {
    if (range.end <= range.begin) continue;
    while (::fallocate(fd_.get(), FALLOC_FL_KEEP_SIZE, static_cast<off_t>(range.begin),
                       static_cast<off_t>(range.end - range.begin)) != 0) {
      const int fault = errno;
      if (fault == EINTR) continue;
      if (fault == EOPNOTSUPP || fault == ENOSYS || fault == EINVAL) return {};  // the free space was looked at above
      if (!resumed_) static_cast<void>(::ftruncate(fd_.get(), 0));               // gives back what was got so far
      return std::unexpected(from_errno(fault, "make room for the content"));
    }
  }
  return {};
}

Result<std::vector<Extent>> PartFile::data_extents() const {
  struct stat info{};
  if (::fstat(fd_.get(), &info) != 0) return std::unexpected(from_errno(errno, "look at the part file"));
  const auto size = static_cast<std::uint64_t>(info.st_size);
  std::vector<Extent> out;
  std::uint64_t at = 0;
  while (at < size) {
    const off_t data = ::lseek(fd_.get(), static_cast<off_t>(at), SEEK_DATA);
    if (data < 0 && errno == ENXIO) break;
    const off_t hole = data < 0 ? -1 : ::lseek(fd_.get(), data, SEEK_HOLE);
    if (hole < 0 || out.size() == kMaxExtents) {
      out.push_back({at, size});
      break;
    }
    out.push_back({static_cast<std::uint64_t>(data), static_cast<std::uint64_t>(hole)});
    at = static_cast<std::uint64_t>(hole);
  }
  return out;
}

Result<void> PartFile::finish(const FinishOptions& options) {
  if (::ftruncate(fd_.get(), static_cast<off_t>(size_)) != 0)
    return std::unexpected(from_errno(errno, "cut the part file to its size"));
  if (::fchmod(fd_.get(), static_cast<mode_t>(options.mode & 0777U) & ~current_umask()) != 0)
    return std::unexpected(from_errno(errno, "set the part file's mode"));
  const timespec mtime{.tv_sec = options.mtime_s, .tv_nsec = options.mtime_ns};
  const timespec times[2] = {{.tv_sec = 0, .tv_nsec = UTIME_OMIT}, mtime};
  // A file system that cannot hold this time (year 2038 on an old ext4) is no reason to withhold the file.
  if (::futimens(fd_.get(), times) != 0 && errno != EINVAL && errno != ERANGE && errno != EOVERFLOW)
    return std::unexpected(from_errno(errno, "set the part file's time"));
  return {};
}

Result<void> PartFile::publish(bool sync) {
  struct stat own{}, named{};
  if (::fstat(fd_.get(), &own) != 0 ||
      ::fstatat(directory_fd_.get(), part_name_.c_str(), &named, AT_SYMLINK_NOFOLLOW) != 0)
    return std::unexpected(from_errno(errno, "find the part file again"));
  if (!same_file(own, named)) return taken(0, "publish the part file: another file has taken its name");
  const int fault = overwrite_ ? rename_replacing(directory_fd_.get(), part_name_.c_str(), target_.name.c_str())
                               : rename_no_replace(directory_fd_.get(), part_name_.c_str(), target_.name.c_str());
  if (fault == EEXIST || fault == EISDIR) return taken(fault, "give the content its final name");
  if (fault != 0) return std::unexpected(from_errno(fault, "give the content its final name"));
  if (sync && ::fsync(directory_fd_.get()) != 0 && errno != EINVAL && errno != EROFS)
    return std::unexpected(from_errno(errno, "flush the target directory"));
  return {};
}

void PartFile::remove() {
  static_cast<void>(::unlinkat(directory_fd_.get(), part_name_.c_str(), 0));
}

std::int64_t completion_of(const Result<void>& outcome) {
  if (outcome) return 0;
  if (outcome.error().code == ErrorCode::kTargetExists) return -EEXIST;
  return outcome.error().os_error > 0 ? -outcome.error().os_error : -EIO;
}

}  // namespace peernet::storage
