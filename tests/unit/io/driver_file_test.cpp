// File operations, the wake-up and the wait, through both engines and a real kernel.
#include <fcntl.h>
#include <sys/time.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <numeric>
#include <thread>

#include "driver_fixture.hpp"
#include "io/mapping.hpp"

namespace peernet::io {
namespace {

/// A file in the working directory (a disk, where /tmp may be memory), removed at the end.
class ScratchFile {
 public:
  ScratchFile() {
    std::string name = "io_test_XXXXXX";
    const int fd = ::mkstemp(name.data());
    EXPECT_GE(fd, 0);
    ::close(fd);
    path_ = name;
  }
  ~ScratchFile() {
    for (const int fd : fds_) ::close(fd);
    std::filesystem::remove(path_);
  }
  ScratchFile(const ScratchFile&) = delete;
  ScratchFile& operator=(const ScratchFile&) = delete;

  int open(int flags) {
    fds_.push_back(::open(path_.c_str(), flags | O_CLOEXEC));
    return fds_.back();
  }
  void fill(const std::vector<std::byte>& bytes) {
    const int fd = open(O_WRONLY);
    ASSERT_EQ(::pwrite(fd, bytes.data(), bytes.size(), 0), static_cast<ssize_t>(bytes.size()));
  }
  std::vector<std::byte> content() {
    std::vector<std::byte> out(std::filesystem::file_size(path_));
    EXPECT_EQ(::pread(open(O_RDONLY), out.data(), out.size(), 0), static_cast<ssize_t>(out.size()));
    return out;
  }

 private:
  std::filesystem::path path_;
  std::vector<int> fds_;
};

std::vector<std::byte> pattern(std::size_t size, std::uint32_t seed) {
  std::vector<std::byte> out(size);
  std::uint32_t x = seed * 2654435761U + 1;
  for (std::byte& b : out) {
    x = x * 1664525U + 1013904223U;
    b = std::byte(static_cast<std::uint8_t>(x >> 24));
  }
  return out;
}

class FileTest : public DriverTest {
 protected:
  std::unique_ptr<End> end() { return make_end(options); }

  static std::int64_t await(End& end, std::uint64_t token) {
    EXPECT_TRUE(turn_until({&end}, [&] { return end.seen.files.contains(token); }));
    return end.seen.files.at(token).result;
  }
};

TEST_P(FileTest, ReadsAreWholeAndShortOnlyAtTheEnd) {
  const auto e = end();
  ScratchFile file;
  const auto content = pattern(300'001, 1);
  file.fill(content);
  const auto handle = e->driver->add_file(file.open(O_RDONLY));
  ASSERT_TRUE(handle);
  struct Case {
    std::size_t offset;
    std::size_t length;
    std::int64_t result;
  };
  const std::vector<Case> cases{{0, 300'001, 300'001}, {0, 4096, 4096},        {4097, 100'003, 100'003},
                                {300'000, 1, 1},       {299'000, 5000, 1001},  {300'001, 10, 0},
                                {1'000'000, 10, 0},    {0, 1'000'000, 300'001}};
  std::vector<std::vector<std::byte>> into;
  for (std::size_t i = 0; i < cases.size(); ++i) into.emplace_back(cases[i].length);
  for (std::size_t i = 0; i < cases.size(); ++i)
    ASSERT_TRUE(e->driver->submit_read(OpToken(i), *handle, into[i], cases[i].offset));
  for (std::size_t i = 0; i < cases.size(); ++i) {
    ASSERT_EQ(await(*e, i), cases[i].result) << i;
    EXPECT_EQ(e->seen.files.at(i).op, FileOp::kRead);
    const auto n = static_cast<std::ptrdiff_t>(cases[i].result);
    EXPECT_TRUE(std::equal(into[i].begin(), into[i].begin() + n,
                           content.begin() + static_cast<std::ptrdiff_t>(std::min(cases[i].offset, content.size()))))
        << i;
  }
  e->driver->release_file(*handle);
}

TEST_P(FileTest, AColdFileIsReadToo) {
  const auto e = end();
  ScratchFile file;
  const auto content = pattern(2 << 20, 2);
  file.fill(content);
  const int fd = file.open(O_RDONLY);
  ASSERT_EQ(::fsync(fd), 0);
  ASSERT_EQ(::posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
  ASSERT_EQ(::posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM), 0);  // no read-ahead: later pages stay cold
  std::vector<std::byte> byte(1);
  ASSERT_EQ(::pread(fd, byte.data(), 1, 0), 1);  // the first page is warm, the rest is not
  const auto handle = e->driver->add_file(fd);
  std::vector<std::byte> into(content.size());
  ASSERT_TRUE(e->driver->submit_read(OpToken(7), *handle, into, 0));
  ASSERT_EQ(await(*e, 7), static_cast<std::int64_t>(content.size()));
  EXPECT_EQ(into, content);
}

TEST_P(FileTest, WritesLandWhereTheyShallAndAreSynced) {
  const auto e = end();
  ScratchFile file;
  const auto handle = e->driver->add_file(file.open(O_RDWR));
  const auto content = pattern(500'000, 3);
  const ByteSpan all(content);
  constexpr std::size_t kPiece = 33'333;
  std::uint64_t token = 0;
  for (std::size_t at = 0; at < content.size(); at += kPiece) {
    const std::size_t n = std::min(kPiece, content.size() - at);
    ASSERT_TRUE(e->driver->submit_write(OpToken(token++), *handle, all.subspan(at, n), at));
  }
  for (std::uint64_t i = 0; i < token; ++i)
    ASSERT_EQ(await(*e, i), static_cast<std::int64_t>(std::min(kPiece, content.size() - i * kPiece)));
  ASSERT_TRUE(e->driver->submit_fsync(OpToken(100), *handle));
  EXPECT_EQ(await(*e, 100), 0);
  EXPECT_EQ(e->seen.files.at(100).op, FileOp::kFsync);
  EXPECT_EQ(file.content(), content);
}

TEST_P(FileTest, DirectWritesAndReadsUseTheRegion) {
  const auto e = end();
  ScratchFile file;
  const int fd = file.open(O_RDWR | O_DIRECT);
  ASSERT_GE(fd, 0) << "the build directory's file system has no O_DIRECT";
  constexpr std::size_t kMiB = 1 << 20;
  const Mapping region(4 * kMiB);
  const MutableByteSpan memory(region.data(), region.size());
  e->driver->use_memory(memory);
  const auto handle = e->driver->add_file(fd);
  const auto content = pattern(3 * kMiB, 4);
  std::copy(content.begin(), content.end(), memory.begin());
  // Whole pieces, a part of one, and one that spans two.
  ASSERT_TRUE(e->driver->submit_write(OpToken(0), *handle, memory.first(kMiB), 0));
  ASSERT_TRUE(e->driver->submit_write(OpToken(1), *handle, memory.subspan(kMiB, kMiB / 2), kMiB));
  ASSERT_TRUE(
      e->driver->submit_write(OpToken(2), *handle, memory.subspan(kMiB + kMiB / 2, kMiB + kMiB / 2), kMiB * 3 / 2));
  EXPECT_EQ(await(*e, 0), static_cast<std::int64_t>(kMiB));
  EXPECT_EQ(await(*e, 1), static_cast<std::int64_t>(kMiB / 2));
  EXPECT_EQ(await(*e, 2), static_cast<std::int64_t>(kMiB + kMiB / 2));
  EXPECT_EQ(file.content(), content);
  if (GetParam() == Engine::kUring) {
    EXPECT_EQ(e->driver->info().registered_buffers, kernel().registered_buffers);
  }

  // A direct read that meets the end of the file inside a sector.
  ASSERT_EQ(::ftruncate(fd, kMiB + 700), 0);
  std::fill(memory.begin(), memory.end(), std::byte{0});
  ASSERT_TRUE(e->driver->submit_read(OpToken(3), *handle, memory.first(2 * kMiB), 0));
  ASSERT_TRUE(e->driver->submit_read(OpToken(4), *handle, memory.subspan(2 * kMiB, 4096), kMiB));
  EXPECT_EQ(await(*e, 3), static_cast<std::int64_t>(kMiB + 700));
  EXPECT_EQ(await(*e, 4), 700);
  EXPECT_TRUE(std::equal(memory.begin(), memory.begin() + kMiB + 700, content.begin()));
}

TEST_P(FileTest, ErrorsAreResults) {
  const auto e = end();
  ScratchFile file;
  const auto read_only = e->driver->add_file(file.open(O_RDONLY));
  const auto write_only = e->driver->add_file(file.open(O_WRONLY));
  std::vector<std::byte> bytes(100);
  ASSERT_TRUE(e->driver->submit_write(OpToken(1), *read_only, bytes, 0));
  ASSERT_TRUE(e->driver->submit_read(OpToken(2), *write_only, bytes, 0));
  EXPECT_EQ(await(*e, 1), -EBADF);
  EXPECT_EQ(await(*e, 2), -EBADF);
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
  const auto pipe = e->driver->add_file(ends[0]);
  ASSERT_TRUE(e->driver->submit_fsync(OpToken(3), *pipe));
  EXPECT_EQ(await(*e, 3), -EINVAL);
  e->driver->release_file(*pipe);
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST_P(FileTest, OperationsAndFilesAreBoundedAndSlotsComeBack) {
  options.max_file_ops = 3;
  options.max_files = 2;
  const auto e = end();
  ScratchFile file;
  file.fill(pattern(1000, 5));
  std::vector<std::byte> into(1000);
  for (int round = 0; round < 4; ++round) {
    const auto first = e->driver->add_file(file.open(O_RDWR));
    const auto second = e->driver->add_file(file.open(O_RDWR));
    ASSERT_TRUE(first && second);
    const auto third = e->driver->add_file(file.open(O_RDWR));
    ASSERT_FALSE(third);
    EXPECT_EQ(third.error().code, ErrorCode::kKernel);
    e->seen.files.clear();
    ASSERT_TRUE(e->driver->submit_read(OpToken(1), *first, into, 0));
    ASSERT_TRUE(e->driver->submit_write(OpToken(2), *second, ByteSpan(into).first(10), 2000));
    ASSERT_TRUE(e->driver->submit_fsync(OpToken(3), *first));
    EXPECT_FALSE(e->driver->submit_fsync(OpToken(4), *first));
    e->driver->flush();
    EXPECT_FALSE(e->driver->submit_read(OpToken(4), *first, into, 0)) << "their ends are not told yet";
    ASSERT_TRUE(turn_until({e.get()}, [&] { return e->seen.files.size() == 3; }));
    e->driver->release_file(*first);
    e->driver->release_file(*second);
  }
}

TEST_P(FileTest, AStaleHandleIsOurOwnBug) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto e = end();
  ScratchFile file;
  const auto old = e->driver->add_file(file.open(O_RDWR));
  e->driver->release_file(*old);
  const auto fresh = e->driver->add_file(file.open(O_RDWR));
  ASSERT_NE(old->value(), fresh->value());
  EXPECT_DEATH(e->driver->submit_fsync(OpToken(1), *old), "check failed");
}

TEST_P(FileTest, DestroyingADriverAwaitsItsFileOperations) {
  ScratchFile file;
  const auto content = pattern(4 << 20, 6);
  {
    const auto e = end();
    const auto handle = e->driver->add_file(file.open(O_RDWR));
    for (std::uint64_t i = 0; i < 16; ++i) {
      const std::size_t at = i * (content.size() / 16);
      ASSERT_TRUE(e->driver->submit_write(OpToken(i), *handle, ByteSpan(content).subspan(at, content.size() / 16), at));
    }
    e->driver->flush();
  }
  // Cancelled or carried out, each write either happened whole or not at all, and no longer touches the memory.
  const auto now = file.content();
  for (std::size_t i = 0; i < now.size(); ++i) ASSERT_TRUE(now[i] == content[i] || now[i] == std::byte{0}) << i;
}

TEST_P(FileTest, WakeEndsAWaitFromAnotherThread) {
  const auto e = end();
  turn_some({e.get()}, 2);
  std::thread other([&] { e->driver->wake(); });
  while (e->seen.wakes == 0) e->driver->turn(Instant::never(), e->seen);  // hangs if the wake is lost
  other.join();
  EXPECT_EQ(e->seen.wakes, 1);
}

TEST_P(FileTest, AWakeBeforeTheTurnIsNotLostAndManyAreOne) {
  const auto e = end();
  for (int round = 1; round <= 20; ++round) {
    for (int i = 0; i < 5; ++i) e->driver->wake();
    while (e->seen.wakes < round) e->driver->turn(Instant::never(), e->seen);
    turn_some({e.get()}, 2);
    EXPECT_EQ(e->seen.wakes, round);
  }
}

TEST_P(FileTest, ManyThreadsMayWake) {
  const auto e = end();
  std::atomic<int> produced{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 500; ++i) {
        produced.fetch_add(1, std::memory_order_relaxed);
        e->driver->wake();
      }
    });
  }
  // After its last wake each thread's work is visible: nobody may be left waiting with work undone.
  class Consumer final : public Sink {
   public:
    explicit Consumer(const std::atomic<int>& produced) : produced_(produced) {}
    void on_datagrams(Instant, std::span<Received>) override {}
    void on_sent(OpToken, std::int32_t) override {}
    void on_file(OpToken, FileOp, std::int64_t) override {}
    void on_wake() override { seen = produced_.load(std::memory_order_relaxed); }
    int seen = 0;

   private:
    const std::atomic<int>& produced_;
  } consumer(produced);
  while (consumer.seen < 2000) e->driver->turn(Instant::never(), consumer);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(consumer.seen, 2000);
}

TEST_P(FileTest, AWaitNeverEndsBeforeItsDeadlineWithoutACause) {
  const auto e = end();
  turn_some({e.get()}, 2);
  const DriverStats before = e->driver->stats();
  for (const Duration span : {Duration(0ns), Duration(300us), Duration(1ms), Duration(7ms)}) {
    const Instant deadline = e->driver->now() + span;
    e->driver->turn(deadline, e->seen);
    EXPECT_GE(e->driver->now(), deadline);
  }
  e->driver->turn(e->driver->now() - 1s, e->seen);  // long past: returns
  EXPECT_EQ(e->driver->stats().turns, before.turns + 5);
  EXPECT_TRUE(e->seen.items.empty());
}

TEST_P(FileTest, SignalsDoNotEndAWaitEarly) {
  const auto e = end();
  turn_some({e.get()}, 2);
  static std::atomic<int> signals{0};
  struct sigaction action{};
  action.sa_handler = [](int) { signals.fetch_add(1); };  // no SA_RESTART
  struct sigaction old{};
  ASSERT_EQ(::sigaction(SIGALRM, &action, &old), 0);
  const itimerval often{{0, 2000}, {0, 2000}};
  ASSERT_EQ(::setitimer(ITIMER_REAL, &often, nullptr), 0);
  const Instant deadline = e->driver->now() + 40ms;
  e->driver->turn(deadline, e->seen);
  const Instant after = e->driver->now();
  const itimerval never{};
  ::setitimer(ITIMER_REAL, &never, nullptr);
  ::sigaction(SIGALRM, &old, nullptr);
  EXPECT_GE(after, deadline);
  EXPECT_GT(signals.load(), 0);
}

TEST_P(FileTest, ADriverMayBeMadeOnOneThreadAndTurnedOnAnother) {
  const auto e = end();
  ScratchFile file;
  file.fill(pattern(5000, 8));
  const auto handle = e->driver->add_file(file.open(O_RDONLY));
  ASSERT_TRUE(handle);
  std::vector<std::byte> into(5000);
  std::thread runner([&] {
    ASSERT_TRUE(e->driver->submit_read(OpToken(1), *handle, into, 0));
    EXPECT_EQ(await(*e, 1), 5000);
  });
  runner.join();
  EXPECT_EQ(into, pattern(5000, 8));
  // Destroyed here, after the thread that turned it has ended, with a receive still armed.
}

INSTANTIATE_TEST_SUITE_P(Engines, FileTest, testing::Values(Engine::kUring, Engine::kEpoll), engine_name);

}  // namespace
}  // namespace peernet::io
