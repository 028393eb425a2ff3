// The data path does not allocate: in the middle of a transfer no thread of either node calls operator new.
#include <atomic>
#include <cstdlib>
#include <new>

#include "net_fixture.hpp"

namespace {
std::atomic<std::uint64_t> g_allocations{0};
thread_local bool t_asker = false;  // the test's own thread: what progress() hands out may allocate there

void* counted(std::size_t size) {
  if (!t_asker) g_allocations.fetch_add(1, std::memory_order_relaxed);
  if (void* p = std::malloc(size == 0 ? 1 : size)) return p;
  throw std::bad_alloc();
}
}  // namespace

void* operator new(std::size_t size) {
  return counted(size);
}
void* operator new[](std::size_t size) {
  return counted(size);
}
void operator delete(void* p) noexcept {
  std::free(p);
}
void operator delete[](void* p) noexcept {
  std::free(p);
}
void operator delete(void* p, std::size_t) noexcept {
  std::free(p);
}
void operator delete[](void* p, std::size_t) noexcept {
  std::free(p);
}

namespace peernet {
namespace {

using namespace testing_net;

class AllocationTest : public testing::TestWithParam<IoEngine> {};

TEST_P(AllocationTest, ASteadyTransferDoesNotAllocate) {
  const Folder folder;
  NodeConfig config;
  config.listen = "127.0.0.1:0";
  config.io = GetParam();
  config.shards = 1;
  config.max_datagram = 1500;
  config.state_dir = folder / "state";
  // Slow enough for the middle to be seen, and every chunk passes all stages.
  config.limit_down = 100'000'000;
  const auto source = start_node(config);
  const auto receiver = start_node(config);
  constexpr std::uint64_t kMiB = 1 << 20;
  write_file(folder / "d", random_bytes(96 * kMiB, 1));
  // Words with trackers, a few a second, are not the data path.
  auto share = source->share({.path = folder / "d", .embed_tracker = false});
  ASSERT_TRUE(share);
  const auto link = wait_for(*share, EventKind::kLink);
  ASSERT_TRUE(link);
  GetOptions options{.link = link->text, .output = folder / "o"};
  options.sync = SyncMode::kNone;
  auto get = receiver->get(options);
  ASSERT_TRUE(get);

  const auto reach = [&](std::uint64_t bytes) {
    while (get->progress().bytes_done < bytes) std::this_thread::yield();
  };
  const std::uint64_t start = g_allocations;
  EXPECT_GT(start, 0u);  // the counter counts
  t_asker = true;
  reach(32 * kMiB);      // pools have been touched, windows have opened
  const std::uint64_t before = g_allocations;
  reach(80 * kMiB);
  const std::uint64_t after = g_allocations;
  t_asker = false;
  EXPECT_EQ(after - before, 0u);
  EXPECT_TRUE(wait_for(*get, EventKind::kDone));
}

INSTANTIATE_TEST_SUITE_P(Engines, AllocationTest, testing::Values(IoEngine::kEpoll, IoEngine::kUring),
                         [](const auto& suite) { return suite.param == IoEngine::kEpoll ? "epoll" : "uring"; });

}  // namespace
}  // namespace peernet
