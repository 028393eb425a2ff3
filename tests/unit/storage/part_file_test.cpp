#include <errno.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/hash.hpp"
#include "receive_harness.hpp"
#include "storage/posix_part_file.hpp"
#include "temp_directory.hpp"

namespace peernet::storage {
namespace {

namespace fs = std::filesystem;

PartFileOptions options_for(const TempDirectory& dir, std::uint64_t size, const std::string& name = "file") {
  PartFileOptions options;
  options.target = {.directory = dir.path(), .name = name};
  options.size = size;
  return options;
}

struct stat stat_of(const std::string& path) {
  struct stat info{};
  EXPECT_EQ(::lstat(path.c_str(), &info), 0) << path;
  return info;
}

/// ext4 (or whatever /tmp is) and tmpfs, each with and without O_DIRECT and fsync.
class PartFileOnDisks : public testing::TestWithParam<std::tuple<const char*, bool, bool>> {};

TEST_P(PartFileOnDisks, EverySizeAroundABorderArrivesWhole) {
  const auto [under, direct, sync] = GetParam();
  const TempDirectory sources, targets(under);
  for (const std::uint32_t chunk : {16384U, 65536U})
    for (const std::size_t size :
         {0U, 1U, 1199U, 4095U, 4096U, 4097U, 16383U, 16384U, 16385U, 65535U, 65536U, 65537U, 1'000'000U}) {
      const std::string name = "f" + std::to_string(size) + "-" + std::to_string(chunk);
      const std::vector<std::byte> data = seeded_bytes(size, size);
      write_file(sources / name, data);
      const SharedFile shared = hash_file(sources / name, {.chunk_bytes = chunk}).value();
      PartFileOptions options = options_for(targets, size, name);
      options.want_direct = direct;
      PartFile part = PartFile::open(options).value();
      EXPECT_FALSE(part.resumed());
      const Extent all = whole(shared.core);
      ASSERT_TRUE(part.reserve({&all, 1}));
      Receiver receiver(part, data, shared.core,
                        {.sync = sync,
                         .direct = direct,
                         .seed = size,
                         .finish = {.mode = 0755, .mtime_s = 1'234'567'890, .mtime_ns = 5}});
      EXPECT_FALSE(fs::exists(targets / name));
      ASSERT_TRUE(receiver.run());
      EXPECT_EQ(read_file(targets / name), data) << name;
      EXPECT_FALSE(fs::exists(targets / (name + ".part")));
      EXPECT_EQ(stat_of(targets / name).st_mtim.tv_sec, 1'234'567'890);
      EXPECT_TRUE(file_matches(part.fd(), shared.core, {}).value());
    }
}

INSTANTIATE_TEST_SUITE_P(Disks, PartFileOnDisks,
                         testing::Combine(testing::Values("/tmp", "/dev/shm"), testing::Bool(), testing::Bool()),
                         [](const auto& disk) {
                           return std::string(std::get<0>(disk.param) == std::string("/tmp") ? "tmp" : "shm") +
                                  (std::get<1>(disk.param) ? "Direct" : "Buffered") +
                                  (std::get<2>(disk.param) ? "Sync" : "NoSync");
                         });

TEST(PartFile, IsPrivateUntilPublishedAndThenHasTheManifestsModeUnderTheUmask) {
  const TempDirectory dir;
  PartFile part = PartFile::open(options_for(dir, 10)).value();
  EXPECT_EQ(stat_of(dir / "file.part").st_mode & 0777U, 0600U);
  const mode_t before = ::umask(027);
  const Result<void> finished = part.finish({.mode = 0777, .mtime_s = 1, .mtime_ns = 0});
  ::umask(before);
  ASSERT_TRUE(finished);
  ASSERT_TRUE(part.publish(true));
  const struct stat info = stat_of(dir / "file");
  EXPECT_EQ(info.st_mode & 07777U, 0750U);
  EXPECT_EQ(info.st_size, 10);
}

TEST(PartFile, TwoWritersOfOneNameAreToldApart) {
  const TempDirectory dir;
  const PartFile first = PartFile::open(options_for(dir, 10)).value();
  const Result<PartFile> second = PartFile::open(options_for(dir, 10));
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::kTargetExists);
  EXPECT_TRUE(PartFile::open(options_for(dir, 10, "other")));
}

TEST(PartFile, NeverFollowsOrWritesThroughALink) {
  const TempDirectory dir;
  write_file(dir / "victim", seeded_bytes(100, 1));
  const auto refused = [&](const std::string& name) {
    const Result<PartFile> part = PartFile::open(options_for(dir, 10, name));
    return !part && part.error().code == ErrorCode::kTargetExists;
  };
  fs::create_symlink("victim", dir / "a.part");
  EXPECT_TRUE(refused("a")) << "symbolic link";
  fs::create_symlink("nowhere", dir / "b.part");
  EXPECT_TRUE(refused("b")) << "dangling link";
  fs::create_hard_link(dir / "victim", dir / "c.part");
  EXPECT_TRUE(refused("c")) << "hard link";
  fs::create_directory(dir / "d.part");
  EXPECT_TRUE(refused("d")) << "directory";
  ASSERT_EQ(::mkfifo((dir / "e.part").c_str(), 0600), 0);
  EXPECT_TRUE(refused("e")) << "FIFO";
  EXPECT_EQ(read_file(dir / "victim"), seeded_bytes(100, 1));
  EXPECT_FALSE(fs::exists(dir / "nowhere"));
}

TEST(PartFile, AnExistingTargetIsOnlyReplacedWhenAskedTo) {
  const TempDirectory dir;
  write_file(dir / "file", seeded_bytes(7, 1));
  {
    PartFile part = PartFile::open(options_for(dir, 3)).value();
    ASSERT_TRUE(part.finish({}));
    const Result<void> published = part.publish(true);
    ASSERT_FALSE(published);
    EXPECT_EQ(published.error().code, ErrorCode::kTargetExists);
    EXPECT_EQ(completion_of(published), -EEXIST);
    EXPECT_EQ(read_file(dir / "file").size(), 7U);
    EXPECT_TRUE(fs::exists(dir / "file.part")) << "what was received is kept";
  }
  PartFileOptions options = options_for(dir, 3);
  options.overwrite = true;
  PartFile part = PartFile::open(options).value();
  ASSERT_TRUE(part.finish({}));
  ASSERT_TRUE(part.publish(true));
  EXPECT_EQ(read_file(dir / "file").size(), 3U);
  EXPECT_FALSE(fs::exists(dir / "file.part")) << "the old file is gone";
}

TEST(PartFile, OverwriteReplacesRegularFilesOnly) {
  const TempDirectory dir;
  write_file(dir / "victim", seeded_bytes(7, 1));
  fs::create_symlink("victim", dir / "link");
  fs::create_directory(dir / "folder");
  for (const char* name : {"link", "folder"}) {
    PartFileOptions options = options_for(dir, 3, name);
    options.overwrite = true;
    PartFile part = PartFile::open(options).value();
    ASSERT_TRUE(part.finish({}));
    const Result<void> published = part.publish(false);
    ASSERT_FALSE(published);
    EXPECT_EQ(published.error().code, ErrorCode::kTargetExists);
  }
  EXPECT_EQ(read_file(dir / "victim").size(), 7U);
}

TEST(PartFile, APartFileThatWasSwappedAwayIsNotPublished) {
  const TempDirectory dir;
  PartFile part = PartFile::open(options_for(dir, 3)).value();
  fs::rename(dir / "file.part", dir / "stolen");
  write_file(dir / "file.part", seeded_bytes(9, 9));
  const Result<void> published = part.publish(false);
  ASSERT_FALSE(published);
  EXPECT_EQ(published.error().code, ErrorCode::kTargetExists);
  EXPECT_FALSE(fs::exists(dir / "file"));
}

TEST(PartFile, RoomIsMadeBeforeTheFirstByteOrRefused) {
  const TempDirectory dir;
  const std::uint64_t size = 8ULL << 40;
  PartFile huge = PartFile::open(options_for(dir, size, "huge")).value();
  const Extent all{0, size};
  const Result<void> reserved = huge.reserve({&all, 1});
  ASSERT_FALSE(reserved);
  EXPECT_EQ(reserved.error().code, ErrorCode::kNoSpace);
  EXPECT_EQ(stat_of(dir / "huge.part").st_blocks, 0) << "nothing is left allocated";

  PartFile fits = PartFile::open(options_for(dir, 1 << 20, "fits")).value();
  const Extent small{0, 1 << 20};
  ASSERT_TRUE(fits.reserve({&small, 1}));
  EXPECT_GE(stat_of(dir / "fits.part").st_blocks * 512, 1 << 20);
  EXPECT_TRUE(fits.data_extents().value().empty()) << "reserved is not written";

  PartFile sparse = PartFile::open(options_for(dir, size, "sparse")).value();
  const Extent ends[] = {{0, 4096}, {size - 4096, size}};
  ASSERT_TRUE(sparse.reserve(ends)) << "known zeros take no room";
  EXPECT_EQ(static_cast<std::uint64_t>(stat_of(dir / "sparse.part").st_size), size);
}

TEST(PartFile, AnInterruptedRunIsFoundAgain) {
  const TempDirectory sources, dir;
  const std::vector<std::byte> data = seeded_bytes(40 * 16384 + 77, 5);
  write_file(sources / "file", data);
  const SharedFile shared = hash_file(sources / "file", {.chunk_bytes = 16384}).value();
  const Extent all = whole(shared.core);
  {
    PartFile part = PartFile::open(options_for(dir, data.size())).value();
    ASSERT_TRUE(part.reserve({&all, 1}));
    Receiver receiver(part, data, shared.core, {.stop_after = 17});
    EXPECT_FALSE(receiver.run());
    EXPECT_GE(receiver.written_chunks(), 17U);
  }
  EXPECT_FALSE(fs::exists(dir / "file"));
  PartFile part = PartFile::open(options_for(dir, data.size())).value();
  EXPECT_TRUE(part.resumed());
  ResumePlan plan(shared.core, nullptr, part.data_extents().value());
  EXPECT_GE(plan.hoped().count(), 17U);
  EXPECT_LT(plan.hoped().count(), 41U);
  ASSERT_TRUE(part.reserve({&all, 1}));
  Receiver receiver(part, data, shared.core, {.seed = 2});
  while (const std::optional<ChunkIndex> chunk = plan.next()) {
    std::vector<std::byte> bytes(shared.core.chunk_span(*chunk));
    ASSERT_EQ(pread_full(part.fd(), bytes, shared.core.chunk_start(*chunk)), static_cast<std::int64_t>(bytes.size()));
    plan.on_checked(*chunk, crypto::xxh3_128(bytes) == shared.xxh3.xxh3_of(*chunk));
    if (plan.verified().test(*chunk)) receiver.planner().on_present(*chunk, false);
  }
  EXPECT_GE(plan.verified().count(), 17U);
  const std::uint32_t kept = plan.verified().count();
  ASSERT_TRUE(receiver.run());
  EXPECT_EQ(receiver.written_chunks(), 41U - kept) << "only what was missing is written";
  EXPECT_EQ(read_file(dir / "file"), data);
}

TEST(PartFile, AFlippedByteInThePartFileIsNoticedAndRepaired) {
  const TempDirectory sources, dir;
  const std::vector<std::byte> data = seeded_bytes(10 * 16384, 6);
  write_file(sources / "file", data);
  const SharedFile shared = hash_file(sources / "file", {.chunk_bytes = 16384}).value();
  std::vector<std::byte> damaged = data;
  damaged[3 * 16384 + 5] ^= std::byte{1};
  damaged.resize(data.size() + 999);  // and longer than it should be
  write_file(dir / "file.part", damaged);
  PartFile part = PartFile::open(options_for(dir, data.size())).value();
  ResumePlan plan(shared.core, nullptr, part.data_extents().value());
  Receiver receiver(part, data, shared.core, {});
  while (const std::optional<ChunkIndex> chunk = plan.next()) {
    std::vector<std::byte> bytes(shared.core.chunk_span(*chunk));
    pread_full(part.fd(), bytes, shared.core.chunk_start(*chunk));
    plan.on_checked(*chunk, crypto::xxh3_128(bytes) == shared.xxh3.xxh3_of(*chunk));
    if (plan.verified().test(*chunk)) receiver.planner().on_present(*chunk, false);
  }
  EXPECT_EQ(plan.verified().count(), 9U);
  ASSERT_TRUE(receiver.run());
  EXPECT_EQ(receiver.written_chunks(), 1U);
  EXPECT_EQ(read_file(dir / "file"), data);
}

TEST(Targets, AreResolvedAgainstTheDisk) {
  const TempDirectory dir;
  fs::create_directory(dir / "folder");
  const auto path_of = [](const std::string& option, const std::string& own) {
    const Result<Target> target = resolve_target(option, own);
    return target ? target->path() : std::string(name_of(target.error().code));
  };
  EXPECT_EQ(path_of("", "own"), "own");
  EXPECT_EQ(path_of("other", "own"), "other");
  EXPECT_EQ(path_of(dir / "x", "own"), dir / "x");
  EXPECT_EQ(path_of(dir / "folder", "own"), dir / "folder/own");
  EXPECT_EQ(path_of(dir / "folder/", "own"), dir / "folder/own");
  EXPECT_EQ(path_of(dir / "missing/", "own"), "local_io");
  EXPECT_EQ(path_of(dir / "missing/x", "own"), "local_io");
  EXPECT_EQ(path_of("", "../evil"), "usage");
  EXPECT_EQ(path_of(dir.path(), ".."), "usage");
  EXPECT_EQ(path_of("x", "../evil"), "x") << "an own name that is not used may be anything";
}

TEST(Targets, AreLookedAtWithoutFollowingLinks) {
  const TempDirectory dir;
  write_file(dir / "file", seeded_bytes(9, 1));
  fs::create_symlink("file", dir / "link");
  const auto look = [&](const char* name) { return look_at_target({.directory = dir.path(), .name = name}).value(); };
  EXPECT_EQ(look("file").state, TargetState::kRegular);
  EXPECT_EQ(look("file").size, 9U);
  EXPECT_EQ(look("link").state, TargetState::kOther);
  EXPECT_EQ(look("none").state, TargetState::kAbsent);
}

TEST(PartFile, ErrorsOfTheDirectoryAreLocalErrors) {
  const TempDirectory dir;
  PartFileOptions options = options_for(dir, 1);
  options.target.directory = dir / "missing";
  EXPECT_EQ(PartFile::open(options).error().code, ErrorCode::kLocalIo);
  EXPECT_EQ(completion_of(std::unexpected(Error{ErrorCode::kNoSpace, ENOSPC, ""})), -ENOSPC);
  EXPECT_EQ(completion_of(std::unexpected(Error{})), -EIO);
  EXPECT_EQ(completion_of({}), 0);
}

}  // namespace
}  // namespace peernet::storage
