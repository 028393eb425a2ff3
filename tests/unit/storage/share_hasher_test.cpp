#include "storage/share_hasher.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../content/content_samples.hpp"
#include "temp_directory.hpp"

namespace peernet::storage {
namespace {

namespace fs = std::filesystem;

std::uint64_t bytes_read_so_far() {
  std::ifstream io("/proc/self/io");
  std::string key;
  std::uint64_t value = 0;
  while (io >> key >> value)
    if (key == "rchar:") return value;
  return 0;
}

TEST(ShareHasher, AgreesWithThePlainWayForEverySizeAndThreadCount) {
  const TempDirectory dir;
  for (const std::uint32_t chunk : {16384U, 262144U, 1U << 20})
    for (const std::size_t size : {0U, 1U, 4095U, 4096U, 4097U, 16383U, 16384U, 16385U, 262143U, 262145U,
                                   (1U << 20) - 1, 1U << 20, (1U << 20) + 1, 3'333'333U})
      for (const unsigned threads : {1U, 3U}) {
        const std::vector<std::byte> data = seeded_bytes(size, size + chunk);
        write_file(dir / "sample", data);
        const SharedFile shared = hash_file(dir / "sample", {.threads = threads, .chunk_bytes = chunk}).value();
        const content::Sample plain = content::describe_bytes(data, chunk);
        EXPECT_EQ(shared.core.xxh3_root, plain.core.xxh3_root) << size;
        EXPECT_EQ(shared.core.sha256_root, plain.core.sha256_root) << size;
        EXPECT_EQ(shared.core.chunk_count, plain.core.chunk_count);
        EXPECT_TRUE(content::check_manifest(shared.core));
        EXPECT_EQ(content::decode_manifest(shared.core_bytes).value(), shared.core);
        EXPECT_EQ(shared.id, content::content_id_of(shared.core));
        EXPECT_EQ(content::decode_single_entry(shared.core, shared.entries.page(0)).value(), shared.entry);
        EXPECT_TRUE(shared.xxh3.complete() && shared.sha256.complete());
        EXPECT_TRUE(file_matches(shared.fd.get(), shared.core, {.threads = threads}).value());
      }
}

TEST(ShareHasher, EqualFilesHaveEqualIdsAndAnyDifferenceShows) {
  const TempDirectory dir;
  fs::create_directory(dir / "other");
  const std::vector<std::byte> data = seeded_bytes(100'000, 1);
  for (const char* name : {"a", "other/a"}) {
    write_file(dir / name, data);
    const timespec times[2] = {{.tv_sec = 5, .tv_nsec = 0}, {.tv_sec = 5, .tv_nsec = 7}};
    ASSERT_EQ(::utimensat(AT_FDCWD, (dir / name).c_str(), times, 0), 0);
  }
  const ContentId id = hash_file(dir / "a", {}).value().id;
  EXPECT_EQ(hash_file(dir / "other/a", {}).value().id, id) << "no path, no publisher";
  EXPECT_NE(hash_file(dir / "a", {.chunk_bytes = 16384}).value().id, id);
  ASSERT_EQ(::chmod((dir / "a").c_str(), 0755), 0);
  EXPECT_NE(hash_file(dir / "a", {}).value().id, id);
}

TEST(ShareHasher, OneWrongByteNeverMatches) {
  const TempDirectory dir;
  std::vector<std::byte> data = seeded_bytes(100'000, 1);
  write_file(dir / "a", data);
  const content::ManifestCore core = hash_file(dir / "a", {.chunk_bytes = 16384}).value().core;
  for (const std::size_t at : {0U, 16383U, 16384U, 99'999U}) {
    std::vector<std::byte> bad = data;
    bad[at] ^= std::byte{0x80};
    write_file(dir / "a", bad);
    const Fd fd(::open((dir / "a").c_str(), O_RDONLY));
    EXPECT_FALSE(file_matches(fd.get(), core, {}).value());
  }
  data.push_back(std::byte{0});
  write_file(dir / "a", data);
  const Fd fd(::open((dir / "a").c_str(), O_RDONLY));
  EXPECT_FALSE(file_matches(fd.get(), core, {}).value()) << "longer";
}

TEST(ShareHasher, AFiveGigabyteSparseFileIsNotRead) {
  const TempDirectory dir;
  const std::uint64_t size = 5ULL << 30;
  const std::vector<std::byte> first = seeded_bytes(1 << 20, 1), last = seeded_bytes(1 << 20, 2);
  {
    const Fd fd(::open((dir / "sparse").c_str(), O_RDWR | O_CREAT, 0600));
    ASSERT_EQ(::ftruncate(fd.get(), static_cast<off_t>(size)), 0);
    ASSERT_GT(pwrite_full(fd.get(), first, 0), 0);
    ASSERT_GT(pwrite_full(fd.get(), last, size - last.size()), 0);
  }
  const std::uint64_t before = bytes_read_so_far();
  const SharedFile shared = hash_file(dir / "sparse", {}).value();
  EXPECT_LT(bytes_read_so_far() - before, 16U << 20) << "holes are not read";
  EXPECT_EQ(shared.core.chunk_count, 5120U);
  EXPECT_EQ(shared.xxh3.xxh3_of(ChunkIndex{0}), crypto::xxh3_128(first));
  EXPECT_EQ(shared.xxh3.xxh3_of(ChunkIndex{5119}), crypto::xxh3_128(last));
  const Hash128 zero = crypto::xxh3_128(std::vector<std::byte>(1 << 20));
  for (std::uint32_t i = 1; i < 5119; i += 400) EXPECT_EQ(shared.xxh3.xxh3_of(ChunkIndex{i}), zero);
}

TEST(ShareHasher, RefusesWhatIsNoRegularFile) {
  const TempDirectory dir;
  const auto code_of = [&](const std::string& path) { return hash_file(path, {}).error().code; };
  EXPECT_EQ(code_of(dir.path()), ErrorCode::kUsage);
  ASSERT_EQ(::mkfifo((dir / "fifo").c_str(), 0600), 0);
  EXPECT_EQ(code_of(dir / "fifo"), ErrorCode::kUsage);
  EXPECT_EQ(code_of("/dev/null"), ErrorCode::kUsage);
  EXPECT_EQ(code_of(dir / "missing"), ErrorCode::kLocalIo);
  write_file(dir / "bad\nname", seeded_bytes(1, 1));
  EXPECT_EQ(code_of(dir / "bad\nname"), ErrorCode::kUsage);
}

TEST(ShareHasher, NoticesAFileThatChangesWhileItIsHashed) {
  const TempDirectory dir;
  write_file(dir / "a", seeded_bytes(8 << 20, 1));
  for (const bool shrink : {false, true}) {
    HashOptions options{.threads = 1, .chunk_bytes = 16384};
    bool changed = false;
    options.on_progress = [&](std::uint64_t, std::uint64_t) {
      // Called at the latest when all bytes are hashed, before the file is looked at again.
      if (!changed && shrink) fs::resize_file(dir / "a", 1000);
      if (!changed && !shrink) {
        const Fd fd(::open((dir / "a").c_str(), O_WRONLY));
        const std::vector<std::byte> other(1, std::byte{7});
        pwrite_full(fd.get(), other, 5);
      }
      changed = true;
    };
    const Result<SharedFile> shared = hash_file(dir / "a", options);
    ASSERT_FALSE(shared) << shrink;
    EXPECT_EQ(shared.error().code, ErrorCode::kIntegrity);
    EXPECT_TRUE(changed);
  }
}

TEST(ShareHasher, CanBeCancelledAndReportsItsEnd) {
  const TempDirectory dir;
  write_file(dir / "a", seeded_bytes(1 << 20, 1));
  std::atomic<bool> cancel{true};
  const Result<SharedFile> stopped = hash_file(dir / "a", {.chunk_bytes = 16384, .cancel = &cancel});
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().code, ErrorCode::kInterrupted);
  std::uint64_t done = 0, all = 0;
  HashOptions options{.chunk_bytes = 16384};
  options.on_progress = [&](std::uint64_t d, std::uint64_t a) {
    EXPECT_GE(d, done);
    done = d;
    all = a;
  };
  ASSERT_TRUE(hash_file(dir / "a", options));
  EXPECT_EQ(done, 1U << 20);
  EXPECT_EQ(all, 1U << 20);
}

TEST(SourceGuard, TellsTouchedFromChanged) {
  const TempDirectory dir;
  write_file(dir / "a", seeded_bytes(1000, 1));
  const Fd fd(::open((dir / "a").c_str(), O_RDWR));
  const SourceStamp before = stamp_of(fd.get()).value();
  EXPECT_EQ(compare(before, stamp_of(fd.get()).value()), SourceState::kSame);
  // Moves of the clock within one tick are not promised, so times are set by hand.
  SourceStamp touched = before;
  touched.ctime_ns += 1;
  EXPECT_EQ(compare(before, touched), SourceState::kTouched);
  SourceStamp other = before;
  other.inode += 1;
  EXPECT_EQ(compare(before, other), SourceState::kChanged);
  other = before;
  other.mtime_ns -= 1;
  EXPECT_EQ(compare(before, other), SourceState::kChanged);
  fs::resize_file(dir / "a", 999);
  EXPECT_EQ(compare(before, stamp_of(fd.get()).value()), SourceState::kChanged);
  EXPECT_FALSE(stamp_of(-1).has_value());
}

}  // namespace
}  // namespace peernet::storage
