// The SO_REUSEPORT group and its steering, with real packets.
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <thread>
#include <vector>

#include "base/bytes.hpp"
#include "driver_fixture.hpp"
#include "io/sockaddr.hpp"
#include "wire/spec.hpp"

namespace peernet::io {
namespace {

struct Where {
  std::uint32_t shard = 0;
  bool handshake = false;
  friend bool operator==(const Where&, const Where&) = default;
};
std::ostream& operator<<(std::ostream& out, const Where& w) {
  return out << "shard " << w.shard << (w.handshake ? " handshake" : " data");
}

class Sender {
 public:
  explicit Sender(const Address& to) : fd_(::socket(to.is_v4() ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    SockAddr name;
    const socklen_t length = to_sockaddr(to, to.is_v4() ? AF_INET : AF_INET6, name);
    EXPECT_EQ(::connect(fd_, &name.any, length), 0);
  }
  ~Sender() { ::close(fd_); }
  Sender(const Sender&) = delete;
  Sender& operator=(const Sender&) = delete;
  void send(const std::vector<std::byte>& bytes) const {
    ASSERT_EQ(::send(fd_, bytes.data(), bytes.size(), 0), static_cast<ssize_t>(bytes.size()));
  }

 private:
  int fd_;
};

// Loopback delivers within the send: exactly one socket has it.
std::vector<Where> arrived(const SocketGroup& group) {
  std::vector<Where> out;
  const auto drain = [&](int fd, const Where& where) {
    std::array<std::byte, 2000> bytes;
    while (::recv(fd, bytes.data(), bytes.size(), MSG_DONTWAIT) >= 0) out.push_back(where);
  };
  for (std::uint32_t i = 0; i < group.shards(); ++i) {
    drain(group.shard(i).data, {i, false});
    drain(group.shard(i).handshake, {i, true});
  }
  return out;
}

SocketGroup open_group(std::uint32_t shards, const Address& listen = kLoopback4) {
  SocketGroupOptions options;
  options.listen = listen;
  options.shards = shards;
  auto group = SocketGroup::open(options, kernel());
  EXPECT_TRUE(group) << describe(group.error());
  return std::move(*group);
}

std::vector<std::byte> packet(std::uint8_t type, std::uint32_t session, std::size_t size = 40) {
  std::vector<std::byte> out(std::max<std::size_t>(size, 8));
  ByteWriter writer(out);
  writer.u8(type);
  writer.u8(0);
  writer.u16(0);
  writer.u32(session);
  out.resize(size);
  return out;
}

class SteeringTest : public testing::TestWithParam<std::uint32_t> {
 protected:
  void SetUp() override {
    if (!kernel().reuseport_cbpf) GTEST_SKIP() << "this kernel has no cBPF steering";
  }
};

TEST_P(SteeringTest, TypeChoosesTheSocketAndIdTheShard) {
  const SocketGroup group = open_group(GetParam());
  ASSERT_EQ(group.shards(), GetParam());
  const Sender sender(group.local());
  for (const std::uint32_t id : {0U, 1U, 2U, 3U, 4U, 5U, 7U, 0x1234'5678U, 0xffff'ffffU, 0x8000'0000U}) {
    const std::uint32_t shard = wire::shard_of(SessionId(id), static_cast<std::uint8_t>(GetParam()));
    for (const std::uint8_t type : {std::uint8_t{0x51}, std::uint8_t{0x52}, std::uint8_t{0x53}, std::uint8_t{0x54}}) {
      const bool handshake = type <= 0x52;
      for (const std::size_t size : {std::size_t{8}, std::size_t{16}, std::size_t{1400}}) {
        sender.send(packet(type, id, size));
        EXPECT_EQ(arrived(group), (std::vector<Where>{{shard, handshake}})) << "type " << int{type} << " id " << id;
      }
    }
  }
}

TEST_P(SteeringTest, StrangersAndShortPacketsGoToTheFirstHandshakeSocket) {
  const SocketGroup group = open_group(GetParam());
  const Sender sender(group.local());
  const std::vector<Where> strangers{{0, true}};
  for (int type = 0; type < 256; ++type) {
    if (type >= 0x51 && type <= 0x54) continue;
    sender.send(packet(static_cast<std::uint8_t>(type), 0xffff'ffff));
    EXPECT_EQ(arrived(group), strangers) << type;
  }
  for (std::size_t size = 0; size < 8; ++size) {
    for (const std::uint8_t type : {std::uint8_t{0x51}, std::uint8_t{0x53}, std::uint8_t{0x54}}) {
      sender.send(packet(type, 0xffff'ffff, size));
      EXPECT_EQ(arrived(group), strangers) << size;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Shards, SteeringTest, testing::Values(1U, 2U, 3U, 4U, 8U));

TEST(SocketGroupTest, AnotherGroupCannotShareThePort) {
  const SocketGroup group = open_group(2);
  SocketGroupOptions options;
  options.listen = group.local();
  const auto second = SocketGroup::open(options, kernel());
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().os_error, EADDRINUSE);
  EXPECT_EQ(second.error().code, ErrorCode::kLocalIo);
}

TEST(SocketGroupTest, NotEvenASocketThatAsksToShare) {
  const SocketGroup group = open_group(1);
  const int thief = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  SockAddr name;
  const socklen_t length = to_sockaddr(group.local(), AF_INET, name);
  EXPECT_NE(::bind(thief, &name.any, length), 0);
  ::close(thief);
}

TEST(SocketGroupTest, ThePortIsFreeAgainAfterwards) {
  Address where;
  {
    const SocketGroup group = open_group(3);
    where = group.local();
  }
  EXPECT_EQ(open_group(1, where).local(), where);
}

// As when a program is stopped and started again at once: the kernel gives its port back a little later.
TEST(SocketGroupTest, APortThatIsAboutToBecomeFreeIsWaitedFor) {
  std::optional<SocketGroup> group = open_group(2);
  const Address where = group->local();
  const std::jthread leaving([&group] {
    std::this_thread::sleep_for(std::chrono::milliseconds(40));
    group.reset();
  });
  EXPECT_EQ(open_group(2, where).local(), where);
}

TEST(SocketGroupTest, ManyGroupsOnPortZeroNeverMeet) {
  std::vector<SocketGroup> groups;
  std::vector<std::uint16_t> ports;
  for (int i = 0; i < 100; ++i) {
    groups.push_back(open_group(1));
    ports.push_back(groups.back().local().port);
  }
  std::sort(ports.begin(), ports.end());
  EXPECT_EQ(std::adjacent_find(ports.begin(), ports.end()), ports.end());
}

TEST(SocketGroupTest, DualStackTakesBothFamilies) {
  if (!kernel().ipv6) GTEST_SKIP() << "this host has no IPv6";
  const SocketGroup group = open_group(2, Address{});
  EXPECT_TRUE(group.ipv6());
  EXPECT_TRUE(group.ipv4());
  Address to = loopback6();
  to.port = group.local().port;
  Sender(to).send(packet(0x53, 1));
  EXPECT_EQ(arrived(group), (std::vector<Where>{{1, false}}));
  Sender(Address::v4(127, 0, 0, 1, to.port)).send(packet(0x51, 1));
  EXPECT_EQ(arrived(group), (std::vector<Where>{{1, true}}));
}

TEST(SocketGroupTest, WithoutIpv6TheAnyAddressIsIpv4) {
  Capabilities masked = kernel();
  masked.ipv6 = false;
  const auto group = SocketGroup::open({}, masked);
  ASSERT_TRUE(group);
  EXPECT_FALSE(group->ipv6());
  EXPECT_TRUE(group->ipv4());
  EXPECT_TRUE(group->local().is_v4());
}

TEST(SocketGroupTest, WithoutSteeringThereIsOneShardWithOneSocket) {
  Capabilities masked = kernel();
  masked.reuseport_cbpf = false;
  SocketGroupOptions options;
  options.listen = kLoopback4;
  options.shards = 4;
  const auto group = SocketGroup::open(options, masked);
  ASSERT_TRUE(group);
  EXPECT_EQ(group->shards(), 1U);
  EXPECT_EQ(group->shard(0).handshake, -1);
}

TEST(SocketGroupTest, WrongOptionsAreErrors) {
  SocketGroupOptions options;
  options.shards = 0;
  EXPECT_EQ(SocketGroup::open(options, kernel()).error().code, ErrorCode::kUsage);
  options.shards = kShardsMax + 1;
  EXPECT_EQ(SocketGroup::open(options, kernel()).error().code, ErrorCode::kUsage);
  options.shards = 1;
  options.listen = Address::v4(192, 0, 2, 77, 0);  // TEST-NET-1: not ours
  EXPECT_EQ(SocketGroup::open(options, kernel()).error().code, ErrorCode::kUsage);
}

TEST(SocketGroupTest, TheHandshakeSocketsBufferIsSmall) {
  const SocketGroup group = open_group(1);
  int bytes = 0;
  socklen_t size = sizeof bytes;
  ASSERT_EQ(::getsockopt(group.shard(0).handshake, SOL_SOCKET, SO_RCVBUF, &bytes, &size), 0);
  EXPECT_EQ(bytes, 2 * (128 << 10));
}

}  // namespace
}  // namespace peernet::io
