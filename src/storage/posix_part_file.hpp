// NAME.part on a real disk: created or opened, locked, sized, and published under its final name. System calls; every
// call may block, so finish() and publish() belong on the writer thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/types.hpp"
#include "peernet/error.hpp"
#include "storage/posix_fd.hpp"
#include "storage/resume.hpp"

namespace peernet::storage {

/// Where content goes on this host.
struct Target {
  std::string directory;  ///< as given; "." for the current one
  std::string name;       ///< the final name, one component
  std::string path() const {
    return directory == "." ? name : directory.ends_with('/') ? directory + name : directory + "/" + name;
  }
};

/// `-o` resolved against the disk: empty option: own_name here; "DIR/" or an existing directory: own_name in it; else
/// that very file. kUsage when the content's own name is needed and no safe file name; kLocalIo when the directory is
/// not there.
Result<Target> resolve_target(const std::string& option, const std::string& own_name);

/// The final name before a download: absent, a regular file, or something else (a directory, a device, a symbolic
/// link).
enum class TargetState : std::uint8_t { kAbsent, kRegular, kOther };
struct TargetInfo {
  TargetState state = TargetState::kAbsent;
  std::uint64_t size = 0;
};
Result<TargetInfo> look_at_target(const Target& target);

struct PartFileOptions {
  Target target;
  ContentId content_id{};
  std::uint64_t size = 0;
  bool overwrite = false;  ///< the final name may be replaced (a regular file only)
  bool want_direct = false;
};

struct FinishOptions {
  std::uint16_t mode = 0644;  ///< the manifest's; the umask applies, as with cp
  std::int64_t mtime_s = 0;
  std::uint32_t mtime_ns = 0;
};

class PartFile {
 public:
  /// Opens or creates NAME.part (O_NOFOLLOW, 0600) and locks it. kTargetExists: another process holds it, or it is no
  /// regular file of ours. A part file larger than the content is cut.
  static Result<PartFile> open(const PartFileOptions& options);

  PartFile(PartFile&&) = default;
  PartFile& operator=(PartFile&&) = default;

  /// Existed before with bytes in it: there may be something to resume.
  bool resumed() const { return resumed_; }
  /// Extends to the content's size and reserves room for `ranges` (normally the one range [0, size)): kNoSpace before a
  /// byte is fetched. Leave out ranges that are known zeros of a sparse file. File systems without fallocate (and
  /// tmpfs, where it would touch every page) are asked for their free space instead.
  Result<void> reserve(std::span<const Extent> ranges);

  /// Parts of the file that have data, in order (SEEK_DATA); the whole file where that is not supported.
  Result<std::vector<Extent>> data_extents() const;

  int fd() const { return fd_.get(); }                ///< read, buffered write, fsync
  int direct_fd() const { return direct_fd_.get(); }  ///< O_DIRECT for 4 KiB blocks; -1: not wanted or not offered here
  std::uint32_t memory_alignment() const { return memory_alignment_; }  ///< of O_DIRECT buffers
  std::uint64_t device() const { return device_; }
  std::uint64_t inode() const { return inode_; }
  const Target& target() const { return target_; }
  const std::string& part_path() const { return part_path_; }

  /// Cuts to size, sets mode and times. Before the last fsync.
  Result<void> finish(const FinishOptions& options);
  /// Renames to the final name: RENAME_NOREPLACE, or with overwrite an exchange and removal of the old file. Then, if
  /// sync, fsync of the directory. kTargetExists: someone else created the target; the part file stays.
  Result<void> publish(bool sync);
  /// Gives up: removes the part file (only when it holds nothing worth keeping).
  void remove();

 private:
  PartFile() = default;
  Fd directory_fd_, fd_, direct_fd_;
  Target target_;
  std::string part_name_, part_path_;
  std::uint64_t size_ = 0, device_ = 0, inode_ = 0;
  std::uint32_t memory_alignment_ = 4096;
  bool resumed_ = false, overwrite_ = false;
};

/// A blocking step's outcome as WritePlanner::on_completed takes it: 0 or -errno (EEXIST for kTargetExists).
std::int64_t completion_of(const Result<void>& outcome);

}  // namespace peernet::storage
