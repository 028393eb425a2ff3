#include "tracker/server/state_folder.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <ctime>
#include <utility>

#include "cli/printable.hpp"
#include "io/clock.hpp"
#include "tracker/snapshot.hpp"

namespace peernet::tracker::server {
namespace {

constexpr std::size_t kWriteBytes = std::size_t{1} << 20;

std::uint64_t wall_second() {
  return static_cast<std::uint64_t>(std::max<std::time_t>(0, ::time(nullptr)));
}

std::unexpected<Failure> folder_failure(const std::string& path, const char* what, int error) {
  return failure(ErrorCode::kLocalIo, fmt::format("the state folder {} {}: {}. Choose another --state DIR.",
                                                  cli::printable(path), what, reason_of(error)));
}

// mkdir -p, private.
bool make_folders(const std::string& path) {
  for (std::size_t at = path.find('/', 1); at != std::string::npos; at = path.find('/', at + 1))
    if (::mkdir(path.substr(0, at).c_str(), 0700) != 0 && errno != EEXIST && errno != EROFS && errno != EACCES)
      return false;
  return ::mkdir(path.c_str(), 0700) == 0 || errno == EEXIST;
}

bool write_all(int fd, ByteSpan bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
  return true;
}

std::uint32_t aged(std::uint32_t age_ms, std::uint64_t seconds) {
  const std::uint64_t age = age_ms + std::min<std::uint64_t>(seconds, UINT32_MAX) * 1000;
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(age, UINT32_MAX));
}

RestoredSnapshot restore_bytes(TrackerCore& core, ByteSpan file, const std::string& path) {
  RestoredSnapshot out;
  const std::uint64_t second = wall_second();
  const Instant now = io::monotonic_now();
  std::uint64_t made = 0;
  if (file.size() >= 24) {  // the time stands in front; a file that lies is not visited
    for (const std::byte b : file.subspan(16, 8)) made = made << 8 | std::to_integer<std::uint64_t>(b);
  }
  const std::uint64_t down = second > made ? second - made : 0;
  std::uint32_t completed = 0;  // of the swarm at hand; told once it is there
  const SnapshotVisitor visitor{[&](const SwarmId&, std::uint32_t n) { completed = n; },
                                [&](const SwarmId& swarm, const PeerSummary& peer) {
                                  PeerSummary older = peer;
                                  older.node.age_ms = aged(peer.node.age_ms, down);
                                  const bool lives = core.restore(now, swarm, older);
                                  lives ? ++out.peers : ++out.dead;
                                  if (lives && completed != 0)
                                    core.restore_completed(swarm, std::exchange(completed, 0));
                                }};
  const auto contents = read_snapshot(file, visitor);
  if (contents) {
    out.second = contents->second;
    return out;
  }
  const std::string aside = path + ".damaged";
  const bool moved = ::rename(path.c_str(), aside.c_str()) == 0;
  out.trouble = fmt::format("The snapshot {} is not used: {}. {}", cli::printable(path), text_of(contents.error()),
                            moved ? "It is kept as " + cli::printable(aside) + "."
                                  : "It could not be moved aside: " + reason_of(errno) + ".");
  return out;
}

}  // namespace

Outcome<StateFolder> StateFolder::open(const std::string& path) {
  StateFolder out;
  out.path_ = path;
  while (out.path_.size() > 1 && out.path_.ends_with('/')) out.path_.pop_back();
  if (!make_folders(out.path_)) return folder_failure(out.path_, "cannot be made", errno);
  const std::string lock = out.path_ + "/lock";
  out.lock_ = Descriptor(::open(lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!out.lock_) return folder_failure(out.path_, "is not writable", errno);
  if (::flock(out.lock_.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return folder_failure(out.path_, "cannot be locked", errno);
    return failure(ErrorCode::kTargetExists,
                   fmt::format("another running tracker holds the state folder {}: stop it, or choose another --state "
                               "DIR.",
                               cli::printable(out.path_)));
  }
  return out;
}

RestoredSnapshot StateFolder::restore(TrackerCore& core) const {
  const std::string path = snapshot_path();
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file && errno == ENOENT) return {};
  struct stat info{};
  if (!file || ::fstat(file.get(), &info) != 0 || !S_ISREG(info.st_mode)) {
    RestoredSnapshot out;
    out.trouble = fmt::format("The snapshot {} cannot be read: {}.", cli::printable(path),
                              !file ? reason_of(errno) : "it is no file");
    return out;
  }
  const auto size = static_cast<std::size_t>(info.st_size);
  if (size == 0) return restore_bytes(core, {}, path);
  // Private, and nobody but us writes into the folder: the file does not change under the mapping.
  void* memory = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, file.get(), 0);
  if (memory == MAP_FAILED) {
    RestoredSnapshot out;
    out.trouble = fmt::format("The snapshot {} cannot be read: {}.", cli::printable(path), reason_of(errno));
    return out;
  }
  RestoredSnapshot out = restore_bytes(core, {static_cast<const std::byte*>(memory), size}, path);
  ::munmap(memory, size);
  return out;
}

Outcome<void> StateFolder::write(const TrackerCore& core, const Pace& pace) const {
  const std::string path = snapshot_path();
  const std::string unfinished = path + ".tmp";
  const auto failed = [&](int error) {
    ::unlink(unfinished.c_str());
    return failure(error == ENOSPC || error == EDQUOT ? ErrorCode::kNoSpace : ErrorCode::kLocalIo,
                   fmt::format("The snapshot {} cannot be written: {}.", cli::printable(path), reason_of(error)));
  };
  const Descriptor file(::open(unfinished.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file) return failed(errno);
  SnapshotEncoder encoder(wall_second());
  VisitCursor cursor;
  while (!cursor.done) {
    const Instant began = io::monotonic_now();
    core.visit_peers(began, cursor,
                     [&](const SwarmSummary& swarm, const PeerSummary& peer) { encoder.add(swarm, peer); });
    if (!pace(io::monotonic_now() - began)) return failed(ECANCELED);
    if (encoder.gathered().size() < kWriteBytes) continue;
    if (!write_all(file.get(), encoder.gathered())) return failed(errno);
    encoder.clear();
  }
  encoder.finish();
  if (!write_all(file.get(), encoder.gathered()) || ::fsync(file.get()) != 0) return failed(errno);
  if (::rename(unfinished.c_str(), path.c_str()) != 0) return failed(errno);
  // The name is on the disk when its folder is.
  const Descriptor folder(::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder) ::fsync(folder.get());
  return {};
}

}  // namespace peernet::tracker::server
