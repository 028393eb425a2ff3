#include "storage/tree_part.hpp"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>

#include "base/check.hpp"
#include "storage/name_rules.hpp"
#include "storage/posix_part_tools.hpp"
#include "storage/tree_cleanup.hpp"
#include "storage/tree_part_state.hpp"

namespace peernet::storage {
namespace {

using content::EntryKind;
using content::PathError;
using content::PathResult;

constexpr int kLockTries = 8;

Error taken(int os_error, const char* what) {
  return Error{ErrorCode::kTargetExists, os_error, what};
}

/// Opens or makes the part folder and locks it. The name is looked up again once the lock is held: whoever held it
/// before may have published or removed the folder in between.
Result<Fd> open_locked(int parent, const std::string& name, bool& made, struct stat& info) {
  for (int i = 0; i < kLockTries; ++i) {
    made = ::mkdirat(parent, name.c_str(), 0700) == 0;
    if (!made && errno != EEXIST) return std::unexpected(from_errno(errno, "make the part folder"));
    Fd fd(::openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!fd.valid()) {
      if (errno == ENOENT) continue;
      if (errno == ENOTDIR || errno == ELOOP)
        return std::unexpected(taken(0, "write the part folder: it is no folder"));
      return std::unexpected(from_errno(errno, "open the part folder"));
    }
    if (!lock_part(fd.get())) {
      if (errno == EWOULDBLOCK)
        return std::unexpected(taken(0, "write the part folder: another process is writing it"));
      // EBADF: NFS wants locked files open for writing, which a folder never is.
      if (errno != ENOLCK && errno != EOPNOTSUPP && errno != ENOSYS && errno != EBADF)
        return std::unexpected(from_errno(errno, "lock the part folder"));
    }
    struct stat now{};
    if (::fstat(fd.get(), &info) != 0) return std::unexpected(from_errno(errno, "look at the part folder"));
    if (::fstatat(parent, name.c_str(), &now, AT_SYMLINK_NOFOLLOW) != 0 || !same_file(info, now)) continue;
    if (info.st_uid != ::geteuid())
      return std::unexpected(taken(0, "write the part folder: it belongs to someone else"));
    // An earlier run may have died between giving it its final mode and its final name.
    if ((info.st_mode & 0777U) != 0700 && ::fchmod(fd.get(), 0700) != 0)
      return std::unexpected(from_errno(errno, "set the part folder's mode"));
    return fd;
  }
  return std::unexpected(taken(0, "write the part folder: another process keeps replacing it"));
}

int rename_folder(int parent, const char* from, const char* to) {
  if (::renameat2(parent, from, parent, to, RENAME_NOREPLACE) == 0) return 0;
  if (errno != EINVAL && errno != ENOSYS) return errno;
  // No such flag on this file system (NFS, some FUSE). A plain rename of a folder replaces at most an empty folder.
  struct stat info{};
  if (::fstatat(parent, to, &info, AT_SYMLINK_NOFOLLOW) == 0) return EEXIST;
  return ::renameat(parent, from, parent, to) == 0 ? 0 : errno;
}

}  // namespace

PathResult<TreePart> TreePart::open(const TreePartOptions& options) {
  PN_CHECK(options.listing != nullptr && options.selection != nullptr);
  const std::string name = part_name(options.target.name, options.content_id);
  const std::string path = Target{options.target.directory, name}.path();
  Fd parent(::open(options.target.directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!parent.valid())
    return content::path_error(from_errno(errno, "open the target directory"), options.target.directory);
  bool made = false;
  struct stat info{};
  Result<Fd> root = open_locked(parent.get(), name, made, info);
  if (!root) return content::path_error(root.error(), path);
  auto state = std::make_unique<State>(options, std::move(parent), std::move(*root));
  state->part_name = name;
  state->part_path = path;
  state->device = info.st_dev;
  state->inode = info.st_ino;
  state->umask = current_umask();
  state->resumed = !made;
  state->tmpfs = on_tmpfs(state->root.get());
  return TreePart(std::move(state));
}

TreePart::TreePart(std::unique_ptr<State> state) : state_(std::move(state)) {}
TreePart::TreePart(TreePart&&) noexcept = default;
TreePart& TreePart::operator=(TreePart&&) noexcept = default;
TreePart::~TreePart() = default;

bool TreePart::resumed() const {
  return state_->resumed;
}
int TreePart::fd() const {
  return state_->root.get();
}
std::uint64_t TreePart::device() const {
  return state_->device;
}
std::uint64_t TreePart::inode() const {
  return state_->inode;
}
const Target& TreePart::target() const {
  return state_->options.target;
}
const std::string& TreePart::part_path() const {
  return state_->part_path;
}

std::unexpected<PathError> TreePart::State::fault(int os_error, const char* what, std::uint32_t entry) const {
  const std::string below = listing.relative_path(entry);
  return content::path_error(from_errno(os_error, what), below.empty() ? part_path : part_path + "/" + below);
}

PathResult<void> TreePart::prepare() {
  State& s = *state_;
  std::uint64_t had = 0;
  if (s.resumed) {
    if (PathResult<void> ok = s.clean_up(); !ok) return ok;
    const content::Layout& layout = s.listing.layout();
    for (std::uint32_t i = 1; i < s.listing.count(); ++i) {
      struct stat info{};
      if (s.item(i).kind != EntryKind::kFile || s.item(i).size == 0 || !s.wanted(i)) continue;
      const int parent = s.files.parent_of(i);
      if (parent >= 0 && ::fstatat(parent, s.files.name_of(i), &info, AT_SYMLINK_NOFOLLOW) == 0)
        had += std::min(s.item(i).size, static_cast<std::uint64_t>(info.st_blocks) * 512);
    }
    PN_CHECK(had <= layout.payload_bytes());
  }
  struct statvfs disk{};
  if (::fstatvfs(s.root.get(), &disk) == 0) {
    const std::uint64_t free = std::uint64_t{disk.f_bavail} * disk.f_frsize;
    const bool full = disk.f_blocks != 0 && s.selection.payload_bytes - had > free;
    const bool crowded = !s.resumed && disk.f_files != 0 && s.selection.files > disk.f_favail;
    if (full || crowded) return s.fault(ENOSPC, "make room for the content", 0);
  }
  return s.make_directories();
}

PathResult<void> TreePart::State::make_directories() {
  for (std::uint32_t i = 1; i < listing.count(); ++i) {
    if (item(i).kind != EntryKind::kDirectory || !wanted(i)) continue;
    const int above = files.parent_of(i);
    if (above < 0) return fault(-above, "open the folder", item(i).parent);
    // What stood there and was no folder of ours is gone: the folder is new, or was looked through.
    if (::mkdirat(above, files.name_of(i), 0700) != 0 && errno != EEXIST) return fault(errno, "make the folder", i);
  }
  return {};
}

PathResult<void> TreePart::State::clean_up() {
  PathResult<void> walked = walk_beneath(root.get(), [this](const WalkItem& found) { return clean_up_one(found); });
  if (!walked) walked.error().path = part_path + "/" + walked.error().path;
  return walked;
}

/// Leaves what an earlier run of this content may have left: anything else would be published with it.
PathResult<bool> TreePart::State::clean_up_one(const WalkItem& found) {
  std::uint32_t directory = 0;
  std::string_view rest = *found.above;
  while (!rest.empty()) {
    const std::size_t slash = std::min(rest.find('/'), rest.size());
    const std::optional<std::uint32_t> next = listing.find(directory, rest.substr(0, slash));
    PN_CHECK(next.has_value());  // only folders of the listing are entered
    directory = *next;
    rest.remove_prefix(std::min(slash + 1, rest.size()));
  }
  const std::optional<std::uint32_t> entry = listing.find(directory, found.name);
  const mode_t type = found.info.st_mode & S_IFMT;
  const bool ours = found.info.st_uid == ::geteuid();
  if (entry && type == S_IFDIR && item(*entry).kind == EntryKind::kDirectory && ours && found.info.st_dev == device) {
    if ((found.info.st_mode & 0777U) != 0700 && ::fchmodat(found.directory, found.name, 0700, 0) != 0)
      return content::path_error(from_errno(errno, "set the folder's mode"), found.path());
    return true;
  }
  // A second name of a file elsewhere would make us write there.
  if (entry && type == S_IFREG && item(*entry).kind == EntryKind::kFile && ours && found.info.st_nlink == 1)
    return false;
  if (type == S_IFDIR) {
    if (std::optional<PathError> left = remove_tree(found.directory, found.name))
      return content::path_error(left->error, found.above->empty() ? left->path : *found.above + "/" + left->path);
  } else if (::unlinkat(found.directory, found.name, 0) != 0 && errno != ENOENT) {
    return content::path_error(from_errno(errno, "remove what is not of this content"), found.path());
  }
  return false;
}

bool TreePart::State::has_data(const content::Segment& segment) {
  const std::uint64_t size = item(segment.file).size;
  struct stat info{};
  if (segment.length == size) {
    const int above = files.parent_of(segment.file);
    return above >= 0 && ::fstatat(above, files.name_of(segment.file), &info, AT_SYMLINK_NOFOLLOW) == 0 &&
           S_ISREG(info.st_mode) && static_cast<std::uint64_t>(info.st_size) == size;
  }
  const Fd fd(files.open(segment.file, O_RDONLY, 0));
  if (!fd.valid() || ::fstat(fd.get(), &info) != 0) return false;
  const std::uint64_t end = segment.file_offset + segment.length;
  if (!S_ISREG(info.st_mode) || static_cast<std::uint64_t>(info.st_size) < end) return false;
  const off_t data = ::lseek(fd.get(), static_cast<off_t>(segment.file_offset), SEEK_DATA);
  return data < 0 ? errno != ENXIO : static_cast<std::uint64_t>(data) < end;
}

content::ChunkMap TreePart::hoped() {
  State& s = *state_;
  content::ChunkMap out(s.selection.whole.size());
  if (!s.resumed) return out;
  for (std::optional<ChunkIndex> chunk = s.selection.whole.next_set(ChunkIndex{0}); chunk;
       chunk = s.selection.whole.next_set(*chunk + 1)) {
    content::Layout::Cursor cursor = s.listing.layout().segments(*chunk);
    bool all = true;
    for (std::optional<content::Segment> segment = cursor.next(); all && segment; segment = cursor.next())
      all = s.has_data(*segment);
    if (all) out.set(*chunk);
  }
  return out;
}

std::int64_t TreePart::read(ChunkIndex chunk, MutableByteSpan into) {
  return state_->reader.read(chunk, 0, into);
}

PathResult<Published> TreePart::publish(bool sync) {
  State& s = *state_;
  const std::string& name = s.options.target.name;
  const auto refuse = [&](Error error) { return content::path_error(error, s.options.target.path()); };
  struct stat own{}, named{}, old{};
  if (::fstat(s.root.get(), &own) != 0 ||
      ::fstatat(s.parent.get(), s.part_name.c_str(), &named, AT_SYMLINK_NOFOLLOW) != 0)
    return content::path_error(from_errno(errno, "find the part folder again"), s.part_path);
  if (!same_file(own, named))
    return content::path_error(taken(0, "publish the part folder: something else has taken its name"), s.part_path);

  bool replaced = false;
  Fd old_lock;
  int fault = rename_folder(s.parent.get(), s.part_name.c_str(), name.c_str());
  if (fault == EEXIST && s.options.overwrite) {
    if (::fstatat(s.parent.get(), name.c_str(), &old, AT_SYMLINK_NOFOLLOW) != 0)
      return refuse(from_errno(errno, "look at the target"));
    if (!S_ISDIR(old.st_mode)) return refuse(taken(ENOTDIR, "replace the target: it is no folder"));
    // The old folder is about to be called NAME.part: nobody shall go on from it while it is removed.
    old_lock = Fd(::openat(s.parent.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (old_lock.valid()) static_cast<void>(::flock(old_lock.get(), LOCK_EX | LOCK_NB));
    replaced = true;
    fault = ::renameat2(s.parent.get(), s.part_name.c_str(), s.parent.get(), name.c_str(), RENAME_EXCHANGE) == 0
                ? 0
                : errno;
  }
  if (fault == EEXIST || fault == ENOTEMPTY || fault == ENOTDIR)
    return refuse(taken(fault, "give the content its final name"));
  if (fault != 0) return refuse(from_errno(fault, "give the content its final name"));
  // Before the old folder goes: the new one must be there after a power failure.
  if (sync && ::fsync(s.parent.get()) != 0 && errno != EINVAL && errno != EROFS)
    return refuse(from_errno(errno, "flush the target directory"));
  Published out;
  if (replaced) out.old_left = remove_tree(s.parent.get(), s.part_name);
  return out;
}

void TreePart::remove() {
  static_cast<void>(remove_tree(state_->parent.get(), state_->part_name));
}

}  // namespace peernet::storage
