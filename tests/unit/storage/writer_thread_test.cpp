#include "storage/writer_thread.hpp"

#include <errno.h>
#include <fcntl.h>
#include <gtest/gtest.h>

#include <atomic>
#include <semaphore>

#include "storage/posix_fd.hpp"
#include "temp_directory.hpp"

namespace peernet::storage {
namespace {

/// Counts wakes and lets the test wait for one.
struct Bell {
  std::counting_semaphore<> rings{0};
  static void ring(void* self) { static_cast<Bell*>(self)->rings.release(); }
};

std::vector<WriterCompletion> take_all(WriterClient& client, Bell& bell, std::size_t n) {
  std::vector<WriterCompletion> out;
  while (out.size() < n) {
    WriterCompletion batch[3];
    const std::size_t got = client.take(batch);
    out.insert(out.end(), batch, batch + got);
    if (got == 0) bell.rings.acquire();
  }
  return out;
}

TEST(WriterThread, RunsOperationsInOrderAndReportsEachOnce) {
  const TempDirectory dir;
  const Fd fd(::open((dir / "f").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  const std::vector<std::byte> data = seeded_bytes(100'000, 1);
  Bell bell;
  WriterThread thread;
  WriterClient client(thread, 64, Bell::ring, &bell);
  for (std::uint64_t i = 0; i < 50; ++i)
    ASSERT_TRUE(client.submit(
        {.token = i, .fd = fd.get(), .bytes = ByteSpan(data).subspan(i * 2000, 2000), .offset = i * 2000}));
  ASSERT_TRUE(client.submit({.kind = WriterOpKind::kFsync, .token = 50, .fd = fd.get()}));
  const std::vector<WriterCompletion> done = take_all(client, bell, 51);
  for (std::uint64_t i = 0; i < 51; ++i) {
    EXPECT_EQ(done[i].token, i);
    EXPECT_EQ(done[i].result, i < 50 ? 2000 : 0);
  }
  EXPECT_EQ(client.in_flight(), 0U);
  EXPECT_EQ(read_file(dir / "f"), data);
}

TEST(WriterThread, KernelErrorsComeBackAsNumbers) {
  Bell bell;
  WriterThread thread;
  WriterClient client(thread, 8, Bell::ring, &bell);
  const Fd full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
  const std::vector<std::byte> data(10);
  ASSERT_TRUE(client.submit({.token = 1, .fd = full.get(), .bytes = data}));
  ASSERT_TRUE(client.submit({.token = 2, .fd = -1, .bytes = data}));
  ASSERT_TRUE(client.submit({.kind = WriterOpKind::kFsync, .token = 3, .fd = -1}));
  int argument = 41;
  WriterOp call{.kind = WriterOpKind::kCall, .token = 4};
  call.call = [](void* p) -> std::int64_t { return ++*static_cast<int*>(p); };
  call.argument = &argument;
  ASSERT_TRUE(client.submit(call));
  const std::vector<WriterCompletion> done = take_all(client, bell, 4);
  EXPECT_EQ(done[0].result, -ENOSPC);
  EXPECT_EQ(done[1].result, -EBADF);
  EXPECT_EQ(done[2].result, -EBADF);
  EXPECT_EQ(done[3].result, 42);
}

TEST(WriterThread, TheQueuesAreBounded) {
  Bell bell;
  std::binary_semaphore gate{0};
  {
    WriterThread thread(4);
    WriterClient client(thread, 3, Bell::ring, &bell);
    WriterClient other(thread, 100, Bell::ring, &bell);
    WriterOp blocker{.kind = WriterOpKind::kCall};
    blocker.call = [](void* p) -> std::int64_t {
      static_cast<std::binary_semaphore*>(p)->acquire();
      return 0;
    };
    blocker.argument = &gate;
    ASSERT_TRUE(client.submit(blocker));
    WriterOp nothing{.kind = WriterOpKind::kCall};
    nothing.call = [](void*) -> std::int64_t { return 0; };
    EXPECT_TRUE(client.submit(nothing));
    EXPECT_TRUE(client.submit(nothing));
    EXPECT_FALSE(client.submit(nothing)) << "the client's bound";
    std::uint32_t accepted = 0;
    while (accepted < 100 && other.submit(nothing)) ++accepted;
    EXPECT_LE(accepted, 2U) << "the thread's bound";
    gate.release();
    take_all(client, bell, 3);
    take_all(other, bell, accepted);
  }
}

TEST(WriterThread, OneWakeServesManyCompletions) {
  Bell bell;
  WriterThread thread;
  std::binary_semaphore gate{0};
  WriterClient client(thread, 64, Bell::ring, &bell);
  WriterOp op{.kind = WriterOpKind::kCall};
  op.call = [](void*) -> std::int64_t { return 0; };
  WriterOp last = op;
  last.argument = &gate;
  last.call = [](void* p) -> std::int64_t {
    static_cast<std::binary_semaphore*>(p)->release();
    return 0;
  };
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(client.submit(op));
  ASSERT_TRUE(client.submit(last));
  gate.acquire();  // nothing was taken so far, so there was one transition from none to some
  EXPECT_TRUE(bell.rings.try_acquire());
  EXPECT_FALSE(bell.rings.try_acquire());
  std::size_t n = 0;
  WriterCompletion batch[64];
  while (n < 21) n += client.take(batch);
}

TEST(WriterThread, FinishesItsQueueBeforeItEnds) {
  const TempDirectory dir;
  const Fd fd(::open((dir / "f").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  const std::vector<std::byte> data = seeded_bytes(1'000'000, 1);
  Bell bell;
  auto thread = std::make_unique<WriterThread>();
  WriterClient client(*thread, 10, Bell::ring, &bell);
  for (std::uint64_t i = 0; i < 10; ++i)
    ASSERT_TRUE(client.submit(
        {.token = i, .fd = fd.get(), .bytes = ByteSpan(data).subspan(i * 100'000, 100'000), .offset = i * 100'000}));
  thread.reset();
  WriterCompletion batch[10];
  EXPECT_EQ(client.take(batch), 10U);
  EXPECT_EQ(read_file(dir / "f"), data);
}

}  // namespace
}  // namespace peernet::storage
