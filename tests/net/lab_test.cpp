// The network that peernet-bench builds does what it says: rates, delays, loss, and nothing left behind.
#include "bench/lab.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <thread>

namespace peernet::bench {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kSize = 1000;
constexpr std::uint16_t kPort = 9000;
constexpr auto kPatience = std::chrono::seconds(60);

// A socket belongs for ever to the network in which it was opened.
class Socket {
 public:
  explicit Socket(const Lab::Host& host) {
    std::thread([&] {
      if (::setns(host.network, CLONE_NEWNET) != 0) return;
      fd_ = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
      const int room = 1 << 26;
      ::setsockopt(fd_, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof room);  // a full queue drops, it does not block
      ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room);
      const sockaddr_in own = address(host.address);
      bound_ = ::bind(fd_, reinterpret_cast<const sockaddr*>(&own), sizeof own) == 0;
    }).join();
    EXPECT_TRUE(bound_) << host.address;
  }
  ~Socket() { ::close(fd_); }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  void send(const Lab::Host& to) const {
    const std::array<char, kSize> data{};
    const sockaddr_in there = address(to.address);
    ::sendto(fd_, data.data(), data.size(), 0, reinterpret_cast<const sockaddr*>(&there), sizeof there);
  }
  /// False: none came for so long.
  bool receive(std::chrono::milliseconds patience) const {
    const timeval limit{patience.count() / 1000, patience.count() % 1000 * 1000};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    std::array<char, kSize> data{};
    return ::recv(fd_, data.data(), data.size(), 0) == static_cast<ssize_t>(kSize);
  }

 private:
  static sockaddr_in address(const std::string& text) {
    sockaddr_in out{};
    out.sin_family = AF_INET;
    out.sin_port = htons(kPort);
    ::inet_pton(AF_INET, text.c_str(), &out.sin_addr);
    return out;
  }
  int fd_ = -1;
  bool bound_ = false;
};

class LabTest : public testing::Test {
 protected:
  // How many of so many datagrams come from the first host to the second.
  static unsigned sent(const Lab& lab, unsigned count) {
    const Socket from(lab.hosts()[0]), to(lab.hosts()[1]);
    do from.send(lab.hosts()[1]);  // until the neighbours know each other: before that the kernel keeps but a few
    while (!to.receive(std::chrono::milliseconds(200)));
    for (unsigned i = 0; i < count; ++i) from.send(lab.hosts()[1]);
    unsigned came = 0;
    while (to.receive(std::chrono::seconds(1))) ++came;
    return came;
  }

  static Lab made(const Link& first, const Link& second = {}) {
    auto lab = Lab::make(std::array{first, second});
    if (!lab) throw std::runtime_error(lab.error());
    return std::move(*lab);
  }

  static std::size_t descriptors() {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator("/proc/self/fd"), fs::directory_iterator()));
  }
};

class LabOfDevices : public LabTest {
  void SetUp() override {
    if (const auto reason = why_no_lab(false)) GTEST_SKIP() << *reason;
  }
};

class LabOfSlowLinks : public LabTest {
  void SetUp() override {
    if (const auto reason = why_no_lab(true)) GTEST_SKIP() << *reason;
  }
};

TEST_F(LabOfDevices, HostsReachEachOtherAndTheirLinksCount) {
  const Lab lab = made({});
  EXPECT_EQ(lab.hosts()[0].address, "10.77.1.2");
  EXPECT_EQ(sent(lab, 100), 100U);
  const auto from = lab.counters(0), to = lab.counters(1);
  ASSERT_TRUE(from && to);
  for (const std::uint64_t bytes : {from->bytes_up, to->bytes_down}) EXPECT_GE(bytes, 100 * kSize);
  for (const std::uint64_t packets : {from->packets_up, to->packets_down}) EXPECT_GE(packets, 100U);
}

TEST_F(LabOfDevices, WhatExceedsRateAndQueueIsDroppedUpAndDown) {
  const Shape slow{.rate_bits = 1e6, .queue_bytes = 100'000};
  for (const auto& [first, second] : {std::pair(Link{.up = slow}, Link{}), std::pair(Link{}, Link{.down = slow})}) {
    const unsigned came = sent(made(first, second), 2000);
    EXPECT_GT(came, 100U);  // burst and queue at least
    EXPECT_LT(came, 1500U);
  }
}

TEST_F(LabOfDevices, ALabThatIsGoneOrCannotBeBuiltLeavesNoDescriptor) {
  const auto network = fs::read_symlink("/proc/self/ns/net");
  const std::size_t before = descriptors();
  {
    const Lab lab = made({.up = {.rate_bits = 1e6}});
  }
  const auto failed = Lab::make(std::array{Link{.mtu = 1}});
  ASSERT_FALSE(failed);
  EXPECT_NE(failed.error().find("ip cannot build the network"), std::string::npos) << failed.error();
  EXPECT_FALSE(Lab::make({}));
  EXPECT_EQ(descriptors(), before);
  EXPECT_EQ(fs::read_symlink("/proc/self/ns/net"), network);
}

TEST_F(LabOfSlowLinks, ADelayIsWaitedBothWays) {
  const Lab lab = made({.up = {.delay_seconds = 0.03}, .down = {.delay_seconds = 0.02}});
  const Socket one(lab.hosts()[0]), other(lab.hosts()[1]);
  const auto start = Clock::now();
  one.send(lab.hosts()[1]);
  ASSERT_TRUE(other.receive(kPatience));
  other.send(lab.hosts()[0]);
  ASSERT_TRUE(one.receive(kPatience));
  EXPECT_GE(Clock::now() - start, std::chrono::milliseconds(50));
}

TEST_F(LabOfSlowLinks, SomeAreLostWithLossAndAllAreCounted) {
  Lab lab = made({.up = {.loss = 0.1}});
  const unsigned came = sent(lab, 2000);
  EXPECT_GT(came, 1600U);  // 15 standard deviations around 1,800
  EXPECT_LT(came, 1990U);
  const auto carried = lab.stop();
  ASSERT_EQ(carried.size(), 2U);
  EXPECT_TRUE(carried[0].up);
  EXPECT_EQ(carried[0].host, 0U);
  EXPECT_GE(carried[0].packets, came);
  EXPECT_NEAR(static_cast<double>(carried[0].lost), 2000 - came, 20);  // the kernel has packets of its own, but few
}

TEST_F(LabOfSlowLinks, WhatExceedsRateAndQueueIsDroppedAndCounted) {
  Lab lab = made({}, {.down = {.rate_bits = 1e6, .delay_seconds = 0.001, .queue_bytes = 100'000}});
  const unsigned came = sent(lab, 2000);
  EXPECT_GT(came, 90U);
  EXPECT_LT(came, 1500U);
  const auto carried = lab.stop();
  ASSERT_EQ(carried.size(), 2U);
  EXPECT_FALSE(carried[1].up);
  EXPECT_EQ(carried[1].host, 1U);
  EXPECT_NEAR(static_cast<double>(carried[1].dropped_by_queue), 2000 - came, 20);
}

TEST_F(LabOfSlowLinks, OneLabEndsWhileAnotherLives) {
  Lab one = made({.up = {.delay_seconds = 0.001}});
  Lab other = made({.up = {.delay_seconds = 0.001}});
  EXPECT_EQ(one.stop().size(), 2U);
  EXPECT_EQ(sent(other, 10), 10U);
}

TEST_F(LabOfSlowLinks, ASlowLinkThatCannotBeMadeIsNamed) {
  const auto failed = Lab::make(std::array{Link{.up = {.delay_seconds = 0.01}, .mtu = 1}});
  ASSERT_FALSE(failed);
  EXPECT_NE(failed.error().find("MTU of eth0"), std::string::npos) << failed.error();
}

bool alive(const std::string& pid) {
  std::ifstream file("/proc/" + pid + "/stat");
  std::string text;
  std::getline(file, text);
  const auto name = text.rfind(") ");
  return name != std::string::npos && text[name + 2] != 'Z';
}

TEST_F(LabOfSlowLinks, NothingIsLeftOfAProgramThatIsKilled) {
  const int child = ::fork();
  if (child == 0) {
    const auto lab = Lab::make(std::array{Link{.up = {.delay_seconds = 0.001}}, Link{}});
    ::raise(lab ? SIGSTOP : SIGABRT);  // the test goes on when the lab stands
    ::_exit(0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, WUNTRACED), child);
  ASSERT_TRUE(WIFSTOPPED(status));
  std::string emulator;
  std::ifstream(fmt::format("/proc/{0}/task/{0}/children", child)) >> emulator;
  ASSERT_TRUE(alive(emulator));
  const auto hub = fs::read_symlink("/proc/" + emulator + "/ns/net");
  ASSERT_NE(hub, fs::read_symlink("/proc/self/ns/net"));
  ::kill(child, SIGKILL);
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  const auto deadline = Clock::now() + kPatience;
  while (alive(emulator)) {
    ASSERT_LT(Clock::now(), deadline) << "the emulator lives on";
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  for (const auto& entry : fs::directory_iterator("/proc")) {
    std::error_code error;
    EXPECT_NE(fs::read_symlink(entry.path() / "ns/net", error), hub) << entry.path();
  }
}

}  // namespace
}  // namespace peernet::bench
