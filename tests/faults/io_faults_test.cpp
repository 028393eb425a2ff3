// What an unfriendly host does to the io drivers: no io_uring, no locked memory, full socket buffers, short writes.
// Each case runs in a child process, so that its limits end with it.
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstring>
#include <functional>

#include "io/mapping.hpp"
#include "unit/io/driver_fixture.hpp"

namespace peernet::io {
namespace {

enum ChildEnd : int { kPassed = 0, kFailed = 1, kCannot = 2 };

/// Runs `body` in a child; its expectations fail this test. kCannot: this host does not let the case be set up.
ChildEnd in_child(const std::function<ChildEnd()>& body) {
  std::fflush(nullptr);
  const pid_t child = ::fork();
  if (child == 0) {
    const ChildEnd end = body();
    std::fflush(nullptr);
    ::_exit(testing::Test::HasFailure() ? kFailed : end);
  }
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status)) << "killed by signal " << WTERMSIG(status);
  return WIFEXITED(status) ? static_cast<ChildEnd>(WEXITSTATUS(status)) : kFailed;
}

/// Lets these system calls fail with an errno, as a container's filter does.
bool forbid(std::initializer_list<long> calls, int error) {
  std::vector<sock_filter> code{{BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(seccomp_data, nr)}};
  for (const long call : calls) {
    code.push_back({BPF_JMP | BPF_JEQ | BPF_K, 0, 1, static_cast<std::uint32_t>(call)});
    code.push_back({BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(error)});
  }
  code.push_back({BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW});
  const sock_fprog program{static_cast<unsigned short>(code.size()), code.data()};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

bool transfers_a_train(End& from, End& to) {
  const auto bytes = train(20, 1400, 0);
  Send send;
  send.token = OpToken(1);
  send.to = to.address();
  send.bytes = bytes;
  send.segment_size = 1400;
  return from.driver->submit_send(send) && turn_until({&from, &to}, [&] { return to.seen.bytes() == bytes.size(); });
}

class ForbiddenUringTest : public testing::TestWithParam<int> {};

TEST_P(ForbiddenUringTest, FallsBackToEpollOrSaysWhyNot) {
  const ChildEnd end = in_child([] {
    if (!forbid({__NR_io_uring_setup, __NR_io_uring_enter, __NR_io_uring_register}, GetParam())) return kCannot;
    const Capabilities found = probe_capabilities();
    EXPECT_FALSE(found.io_uring);
    EXPECT_EQ(found.io_uring_errno, GetParam());
    EXPECT_EQ(found.gso, kernel().gso);
    DriverOptions options;
    const auto a = make_end(options, found);
    const auto b = make_end(options, found);
    EXPECT_EQ(a->driver->info().engine, Engine::kEpoll);
    EXPECT_STRNE(a->driver->info().reason, "");
    EXPECT_TRUE(transfers_a_train(*a, *b));

    options.engine = Engine::kUring;
    SocketGroupOptions group_options;
    group_options.listen = kLoopback4;
    auto group = SocketGroup::open(group_options, found);
    const auto refused = make_driver(options, found, group->shard(0));
    EXPECT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::kKernel);
    EXPECT_EQ(refused.error().os_error, GetParam());
    return kPassed;
  });
  ASSERT_EQ(end, kPassed);
}

INSTANTIATE_TEST_SUITE_P(Errors, ForbiddenUringTest, testing::Values(EPERM, ENOSYS));

TEST(UringLimitsTest, ARingThatFailsAfterTheProbeFallsBackToo) {
  if (const char* why = why_not_uring(kernel())) GTEST_SKIP() << why;
  const ChildEnd end = in_child([] {
    if (!forbid({__NR_io_uring_setup}, ENOMEM)) return kCannot;
    const auto a = make_end(DriverOptions{}, kernel());
    EXPECT_EQ(a->driver->info().engine, Engine::kEpoll);
    EXPECT_STRNE(a->driver->info().reason, "");
    return kPassed;
  });
  ASSERT_EQ(end, kPassed);
}

TEST(EpollTest, ATrainThatItsRouteRefusesToCutIsCutHere) {
  // EIO is what a route without checksum offload or with IPsec answers to UDP_SEGMENT; sendmmsg is our own way around.
  const ChildEnd end = in_child([] {
    if (!forbid({__NR_sendmsg}, EIO)) return kCannot;
    DriverOptions options;
    options.engine = Engine::kEpoll;
    const auto a = make_end(options);
    const auto b = make_end(options);
    EXPECT_TRUE(transfers_a_train(*a, *b));
    EXPECT_EQ(a->driver->stats().sends_cut, a->driver->info().gso ? 1U : 0U);
    return kPassed;
  });
  ASSERT_EQ(end, kPassed);
}

TEST(EpollTest, WithoutThePreciseWaitItStillKeepsDeadlines) {
  const ChildEnd end = in_child([] {
    if (!forbid({__NR_epoll_pwait2}, EPERM)) return kCannot;
    DriverOptions options;
    options.engine = Engine::kEpoll;
    const auto a = make_end(options);
    const auto b = make_end(options);
    EXPECT_TRUE(transfers_a_train(*a, *b));
    turn_some({a.get()}, 2);
    const Instant deadline = a->driver->now() + 1500us;
    a->driver->turn(deadline, a->seen);
    EXPECT_GE(a->driver->now(), deadline);
    return kPassed;
  });
  ASSERT_EQ(end, kPassed);
}

TEST(EpollTest, WithoutNowaitReadsFilesAreReadByAThread) {
  const ChildEnd end = in_child([] {
    if (!forbid({__NR_preadv2}, EOPNOTSUPP)) return kCannot;
    DriverOptions options;
    options.engine = Engine::kEpoll;
    const auto e = make_end(options);
    std::string name = "io_faults_XXXXXX";
    const int fd = ::mkstemp(name.data());
    ::unlink(name.c_str());
    EXPECT_EQ(::pwrite(fd, "hello", 5, 0), 5);
    const auto file = e->driver->add_file(fd);
    std::array<std::byte, 10> into{};
    for (std::uint64_t i = 0; i < 3; ++i) {
      EXPECT_TRUE(e->driver->submit_read(OpToken(i), *file, into, 1));
      EXPECT_TRUE(turn_until({e.get()}, [&] { return e->seen.files.contains(i); }));
      EXPECT_EQ(e->seen.files[i].result, 4);
    }
    EXPECT_EQ(std::memcmp(into.data(), "ello", 4), 0);
    EXPECT_EQ(e->driver->stats().files_offloaded, 3U);
    return kPassed;
  });
  ASSERT_EQ(end, kPassed);
}

TEST(UringLimitsTest, AnOlderRingIsNotUsed) {
  if (const char* why = why_not_uring(kernel())) GTEST_SKIP() << why;
  for (int field = 0; field < 2; ++field) {
    Capabilities old = kernel();
    (field == 0 ? old.multishot_recvmsg : old.provided_buffer_ring) = false;
    const auto a = make_end(DriverOptions{}, old);
    EXPECT_EQ(a->driver->info().engine, Engine::kEpoll);
    EXPECT_STRNE(a->driver->info().reason, "");
  }
}

TEST(UringLimitsTest, WithoutTheNewerSetupFlagsItStillWorks) {
  if (const char* why = why_not_uring(kernel())) GTEST_SKIP() << why;
  Capabilities old = kernel();
  old.single_issuer = false;
  old.defer_taskrun = false;
  old.registered_buffers = false;
  const auto a = make_end(DriverOptions{}, old);
  const auto b = make_end(DriverOptions{}, old);
  EXPECT_EQ(a->driver->info().engine, Engine::kUring);
  EXPECT_STREQ(a->driver->info().reason, "");
  EXPECT_TRUE(transfers_a_train(*a, *b));
}

bool drop_ipc_lock() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, 2> data{};
  if (::syscall(SYS_capget, &header, data.data()) != 0) return false;
  data[0].effective &= ~(1U << CAP_IPC_LOCK);
  data[0].permitted &= ~(1U << CAP_IPC_LOCK);
  return ::syscall(SYS_capset, &header, data.data()) == 0;
}

int open_direct() {
  std::string name = "io_faults_XXXXXX";
  const int fd = ::mkostemp(name.data(), O_DIRECT | O_CLOEXEC);
  ::unlink(name.c_str());
  return fd;
}

TEST(UringLimitsTest, TooLittleLockedMemoryGoesOnUnregistered) {
  if (const char* why = why_not_uring(kernel())) GTEST_SKIP() << why;
  const ChildEnd end = in_child([] {
    constexpr std::size_t kMiB = 1 << 20;
    const rlimit limit{2 * kMiB + kMiB / 2, 2 * kMiB + kMiB / 2};
    if (!drop_ipc_lock() || ::setrlimit(RLIMIT_MEMLOCK, &limit) != 0) return kCannot;
    DriverOptions options;
    options.engine = Engine::kUring;
    const auto e = make_end(options, probe_capabilities());
    const int fd = open_direct();
    if (!e || fd < 0) return kCannot;
    const Mapping region(6 * kMiB);
    const MutableByteSpan memory(region.data(), region.size());
    for (std::size_t i = 0; i < memory.size(); ++i) memory[i] = std::byte(static_cast<std::uint8_t>(i * 31 + i / 251));
    e->driver->use_memory(memory);
    EXPECT_TRUE(e->driver->info().registered_buffers);
    const auto file = e->driver->add_file(fd);
    for (std::size_t i = 0; i < 6; ++i)
      EXPECT_TRUE(e->driver->submit_write(OpToken(i), *file, memory.subspan(i * kMiB, kMiB), i * kMiB));
    EXPECT_TRUE(turn_until({e.get()}, [&] { return e->seen.files.size() == 6; }));
    for (const auto& [token, file_end] : e->seen.files) EXPECT_EQ(file_end.result, std::int64_t{kMiB}) << token;
    EXPECT_FALSE(e->driver->info().registered_buffers) << "the limit was met";
    const Mapping aligned(memory.size());
    EXPECT_EQ(::pread(fd, aligned.data(), aligned.size(), 0), static_cast<ssize_t>(aligned.size()));
    EXPECT_EQ(std::memcmp(aligned.data(), memory.data(), memory.size()), 0);
    return kPassed;
  });
  ASSERT_EQ(end, kPassed);
}

TEST(UringLimitsTest, WithoutRegisteredFilesItStillWorks) {
  if (const char* why = why_not_uring(kernel())) GTEST_SKIP() << why;
  const ChildEnd end = in_child([] {
    // A table of registered files may not be larger than the limit on open files.
    const rlimit limit{40, 40};
    if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) return kCannot;
    DriverOptions options;
    options.engine = Engine::kUring;
    options.max_files = 1000;
    const auto a = make_end(options);
    const auto b = make_end(options);
    if (!a || !b) return kFailed;
    EXPECT_TRUE(transfers_a_train(*a, *b));
    b->driver->wake();
    EXPECT_TRUE(turn_until({b.get()}, [&] { return b->seen.wakes == 1; }));
    const int fd = open_direct();
    const auto file = a->driver->add_file(fd);
    EXPECT_TRUE(file);
    EXPECT_TRUE(a->driver->submit_fsync(OpToken(1), *file));
    EXPECT_TRUE(turn_until({a.get()}, [&] { return a->seen.files.size() == 1; }));
    EXPECT_EQ(a->seen.files[1].result, 0);
    return kPassed;
  });
  ASSERT_EQ(end, kPassed);
}

using DriverFaultTest = DriverTest;

TEST_P(DriverFaultTest, AShortWriteIsContinuedUntilItsError) {
  const ChildEnd end = in_child([this] {
    // The first write ends at the limit; only the continued one meets it.
    const rlimit limit{100'000, 100'000};
    std::signal(SIGXFSZ, SIG_IGN);
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) return kCannot;
    const auto e = make_end(options);
    std::string name = "io_faults_XXXXXX";
    const int fd = ::mkstemp(name.data());
    ::unlink(name.c_str());
    const auto file = e->driver->add_file(fd);
    const std::vector<std::byte> bytes(250'000, std::byte{7});
    EXPECT_TRUE(e->driver->submit_write(OpToken(1), *file, bytes, 0));
    EXPECT_TRUE(turn_until({e.get()}, [&] { return e->seen.files.size() == 1; }));
    EXPECT_EQ(e->seen.files[1].result, -EFBIG);
    EXPECT_EQ(::lseek(fd, 0, SEEK_END), 100'000) << "the short part was written";
    return kPassed;
  });
  ASSERT_EQ(end, kPassed);
}

bool loopback_up() {
  const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  ifreq request{};
  std::strcpy(request.ifr_name, "lo");
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  const bool ok = ::ioctl(fd, SIOCSIFFLAGS, &request) == 0;
  ::close(fd);
  return ok;
}

TEST_P(DriverFaultTest, AFullSendBufferDelaysAndLosesNothing) {
  for (const bool offload : {true, false}) {
    const ChildEnd end = in_child([this, offload] {
      // Loopback alone never fills a send buffer; a queue in front of it does.
      if (::unshare(CLONE_NEWNET) != 0 && ::unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) return kCannot;
      if (!loopback_up()) return kCannot;
      if (std::system("tc qdisc add dev lo root tbf rate 8kbit burst 128k limit 4m") != 0) return kCannot;
      options.offload = offload;
      options.socket_buffer_bytes = 64 << 10;
      const auto a = make_end(options);
      options.socket_buffer_bytes = 4 << 20;
      const auto b = make_end(options);
      // Two shapes: those that wait must leave as they were queued, whatever the later ones make the commonest size.
      const auto large = train(40, 1400, 0);
      const auto small = train(40, 1200, 0);
      constexpr std::size_t kTrains = 30;
      for (std::uint64_t i = 0; i < kTrains; ++i) {
        const bool first = i < kTrains / 2;
        Send send;
        send.token = OpToken(i);
        send.to = b->address();
        send.bytes = first ? large : small;
        send.segment_size = first ? 1400 : 1200;
        EXPECT_TRUE(a->driver->submit_send(send));
        if (i == kTrains / 2) a->driver->flush();
      }
      a->driver->flush();
      // 128 KiB have passed, 128 KiB wait in the queue, the rest has no room.
      turn_some({a.get(), b.get()});
      EXPECT_LT(a->seen.sent.size(), kTrains);
      if (GetParam() == Engine::kEpoll || !offload) {
        EXPECT_GT(a->driver->stats().sends_blocked, 0U);
      }
      if (std::system("tc qdisc change dev lo root tbf rate 1gbit burst 128k limit 4m") != 0) return kCannot;
      const auto kick = data_datagram(8, 0);  // the queue looks at its new rate when something comes
      EXPECT_TRUE(b->driver->submit_send({OpToken(0), b->address(), kick, 8, 0, kDataSocket}));
      EXPECT_TRUE(turn_until({a.get(), b.get()}, [&] { return a->seen.sent.size() == kTrains; }));
      const std::size_t total = kTrains / 2 * (large.size() + small.size()) + kick.size();
      EXPECT_TRUE(turn_until({b.get()}, [&] { return b->seen.bytes() == total; }));
      for (const auto& [token, result] : a->seen.sent)
        EXPECT_EQ(result, static_cast<std::int32_t>(token < kTrains / 2 ? large.size() : small.size())) << token;
      std::map<std::size_t, std::size_t> sizes;
      for (const auto& datagram : b->seen.datagrams()) ++sizes[datagram.size()];
      EXPECT_EQ(sizes,
                (std::map<std::size_t, std::size_t>{{8, 1}, {1200, kTrains / 2 * 40}, {1400, kTrains / 2 * 40}}));
      return kPassed;
    });
    ASSERT_EQ(end, kPassed) << "needs a network namespace and tc (package iproute2)";
  }
}

INSTANTIATE_TEST_SUITE_P(Engines, DriverFaultTest, testing::Values(Engine::kUring, Engine::kEpoll), engine_name);

}  // namespace
}  // namespace peernet::io
