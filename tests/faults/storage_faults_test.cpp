// What only a real kernel shows: a full file system, and a process killed at any time.
#include <errno.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>

#include "crypto/hash.hpp"
#include "unit/storage/receive_harness.hpp"
#include "unit/storage/temp_directory.hpp"

namespace peernet::storage {
namespace {

namespace fs = std::filesystem;

constexpr int kCannot = 77;

/// Runs in a child process; its exit code.
int in_child(const std::function<int()>& body) {
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(body());
  int status = 0;
  EXPECT_EQ(::waitpid(pid, &status, 0), pid);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

/// A mount namespace with a tmpfs of this size at `where`.
bool mount_small_disk(const std::string& where, const char* size_option) {
  if (::unshare(CLONE_NEWNS) != 0 && ::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) return false;
  static_cast<void>(::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr));
  return ::mount("tmpfs", where.c_str(), "tmpfs", 0, size_option) == 0;
}

struct Source {
  explicit Source(std::size_t size) : data(seeded_bytes(size, size)) {
    write_file(directory / "file", data);
    shared.emplace(hash_file(directory / "file", {.threads = 1, .chunk_bytes = 16384}).value());
  }
  TempDirectory directory;
  std::vector<std::byte> data;
  std::optional<SharedFile> shared;
};

PartFileOptions options_for(const std::string& directory, std::uint64_t size) {
  PartFileOptions options;
  options.target = {.directory = directory, .name = "file"};
  options.size = size;
  return options;
}

TEST(StorageFaults, AFullDiskIsSeenBeforeTheFirstByte) {
  const Source source(4 << 20);
  const TempDirectory dir;
  const int code = in_child([&] {
    if (!mount_small_disk(dir.path(), "size=2m")) return kCannot;
    PartFile part = PartFile::open(options_for(dir.path(), source.data.size())).value();
    const Extent all = whole(source.shared->core);
    const Result<void> reserved = part.reserve({&all, 1});
    if (reserved) return 1;
    return reserved.error().code == ErrorCode::kNoSpace ? 0 : 2;
  });
  if (code == kCannot) GTEST_SKIP() << "mount namespaces are not permitted here";
  EXPECT_EQ(code, 0);
}

TEST(StorageFaults, ADiskThatFillsUpLaterPausesAndThenGoesOn) {
  const Source source(1 << 20);
  const TempDirectory dir;
  const int code = in_child([&] {
    if (!mount_small_disk(dir.path(), "size=2m")) return kCannot;
    PartFile part = PartFile::open(options_for(dir.path(), source.data.size())).value();
    const Extent all = whole(source.shared->core);
    if (!part.reserve({&all, 1})) return 1;
    write_file(dir / "hog", seeded_bytes((2 << 20) - 300'000, 1));  // after the room was looked at
    int paused = 0;
    bool early = false;
    ReceiveOptions options;
    options.on_paused = [&] {
      early = early || fs::exists(dir / "file");
      if (++paused == 1) fs::remove(dir / "hog");
    };
    Receiver receiver(part, source.data, source.shared->core, options);
    if (!receiver.run()) return 2;
    if (paused == 0) return 3;
    if (early) return 4;
    return read_file(dir / "file") == source.data ? 0 : 5;
  });
  if (code == kCannot) GTEST_SKIP() << "mount namespaces are not permitted here";
  EXPECT_EQ(code, 0);
}

TEST(StorageFaults, KilledAtAnyTimeTheFinalNameIsAbsentOrWholeAndNothingVerifiedIsLost) {
  const Source source(100 * 16384 + 5);
  const content::ManifestCore& core = source.shared->core;
  const Extent all = whole(core);
  int absent = 0;
  for (std::uint64_t seed = 0; seed < 25; ++seed) {
    const TempDirectory dir;
    int progress[2];
    ASSERT_EQ(::pipe(progress), 0);
    const pid_t pid = ::fork();
    if (pid == 0) {
      PartFile part = PartFile::open(options_for(dir.path(), source.data.size())).value();
      if (!part.reserve({&all, 1})) ::_exit(1);
      for (std::uint32_t stop = 1; stop <= 101; ++stop) {
        // Each run goes one chunk further than the one before, the last one to the end.
        Receiver receiver(part, source.data, core, {.seed = seed, .stop_after = stop == 101 ? UINT32_MAX : stop});
        const bool published = receiver.run();
        const char byte = 1;
        if (::write(progress[1], &byte, 1) != 1) ::_exit(2);
        if (published) ::_exit(0);
      }
      ::_exit(3);
    }
    char byte = 0;
    for (std::uint64_t n = 0; n < seed * 4; ++n)
      if (::read(progress[0], &byte, 1) != 1) break;
    ::kill(pid, SIGKILL);
    ASSERT_EQ(::waitpid(pid, nullptr, 0), pid);
    ::close(progress[0]);
    ::close(progress[1]);

    if (fs::exists(dir / "file")) {
      EXPECT_EQ(read_file(dir / "file"), source.data) << seed;
      continue;
    }
    ++absent;
    PartFile part = PartFile::open(options_for(dir.path(), source.data.size())).value();
    ResumePlan plan(core, nullptr, part.data_extents().value());
    Receiver receiver(part, source.data, core, {.seed = seed + 1});
    while (const std::optional<ChunkIndex> chunk = plan.next()) {
      std::vector<std::byte> bytes(core.chunk_span(*chunk));
      pread_full(part.fd(), bytes, core.chunk_start(*chunk));
      plan.on_checked(*chunk, crypto::xxh3_128(bytes) == source.shared->xxh3.xxh3_of(*chunk));
      if (plan.verified().test(*chunk)) receiver.planner().on_present(*chunk, false);
    }
    EXPECT_GE(plan.verified().count(), std::min<std::uint64_t>(seed * 4, 100)) << "what was written is found again";
    ASSERT_TRUE(part.reserve({&all, 1}));
    ASSERT_TRUE(receiver.run());
    EXPECT_EQ(read_file(dir / "file"), source.data) << seed;
  }
  EXPECT_GT(absent, 10);
}

}  // namespace
}  // namespace peernet::storage
