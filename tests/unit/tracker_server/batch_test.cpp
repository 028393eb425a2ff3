// Batches of datagrams against the kernel on loopback: families, the address a reply comes from, oversized requests.
#include <gtest/gtest.h>
#include <poll.h>

#include <array>

#include "base/bytes.hpp"
#include "io/address_text.hpp"
#include "io/clock.hpp"
#include "tracker/server/datagram_batch.hpp"
#include "tracker/server/listeners.hpp"

namespace peernet::tracker::server {
namespace {

Address address(const char* text) {
  return *io::parse_address(text);
}

bool wait_for(int fd) {
  pollfd waiting{fd, POLLIN, 0};
  return ::poll(&waiting, 1, 20'000) == 1;
}

struct Client {
  explicit Client(const Address& to)
      : family(to.is_v4() ? AF_INET : AF_INET6), socket(::socket(family, SOCK_DGRAM, 0)) {
    io::SockAddr name;
    const socklen_t length = io::to_sockaddr(to, family, name);
    EXPECT_EQ(::connect(socket.get(), &name.any, length), 0);  // takes replies from there only
  }
  void connect_request(std::uint32_t transaction) {
    std::array<std::byte, 16> request;
    ByteWriter out(request);
    out.u64(wire::kTrackerMagic);
    out.u32(0);
    out.u32(transaction);
    EXPECT_EQ(::send(socket.get(), request.data(), request.size(), 0), 16);
  }
  std::vector<std::byte> receive() {
    std::vector<std::byte> out(2000);
    if (!wait_for(socket.get())) return {};
    const ssize_t n = ::recv(socket.get(), out.data(), out.size(), 0);
    out.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
    return out;
  }
  int family;
  Descriptor socket;
};

struct Served {
  explicit Served(const char* listen) {
    auto opened = open_listener(address(listen), {});
    EXPECT_TRUE(opened) << opened.error().sentence;
    if (opened) listener = std::move(*opened);
  }
  void turn() {
    ASSERT_TRUE(wait_for(listener.socket_of(0)));
    while (batch.receive(listener.socket_of(0), listener.any) != 0) {
      batch.answer(core, io::monotonic_now(), counters);
      EXPECT_EQ(batch.send(listener.socket_of(0)), 0u);
    }
  }
  std::uint64_t refusals(wire::TrackerRefusal refusal) const {
    return counters.refusals[static_cast<std::size_t>(refusal)].load();
  }
  TrackerCore core{CoreOptions{}};
  Counters counters;
  DatagramBatch batch;
  Listener listener;
};

void answers(Served& served, const char* host) {
  Client client(address((std::string(host) + ":" + std::to_string(served.listener.local.port)).c_str()));
  client.connect_request(7);
  served.turn();
  EXPECT_EQ(client.receive().size(), wire::kConnectReplySize) << host;
}

TEST(DatagramBatch, RepliesComeFromTheAddressThatWasAsked) {
  Served both("[::]:0");
  for (const char* host : {"127.0.0.1", "127.0.0.2", "127.9.8.7", "[::1]"}) answers(both, host);
  Served v4("0.0.0.0:0");
  for (const char* host : {"127.0.0.1", "127.0.0.2"}) answers(v4, host);
  Served one("127.0.0.3:0");
  answers(one, "127.0.0.3");
}

TEST(DatagramBatch, MoreThanOneBatchIsAnsweredToTheLast) {
  Served served("127.0.0.1:0");
  Client client(served.listener.local);
  constexpr std::uint32_t kCount = 3 * DatagramBatch::kSize + 5;
  for (std::uint32_t i = 0; i < kCount; ++i) client.connect_request(i);
  served.turn();
  for (std::uint32_t i = 0; i < kCount; ++i) {
    const auto reply = client.receive();
    ASSERT_EQ(reply.size(), wire::kConnectReplySize);
    ByteReader in(reply);
    in.u32();
    EXPECT_EQ(in.u32(), i);
  }
}

TEST(DatagramBatch, ADatagramLongerThanAnyRequestIsKnownToBe) {
  Served served("127.0.0.1:0");
  Client client(served.listener.local);
  std::vector<std::byte> request(wire::kMaxTrackerRequest + 1);
  for (const std::size_t size : {request.size(), std::size_t{9000}}) {
    request.resize(size);
    ASSERT_EQ(::send(client.socket.get(), request.data(), size, 0), static_cast<ssize_t>(size));
  }
  ASSERT_EQ(::send(client.socket.get(), request.data(), 0, 0), 0);
  served.turn();
  EXPECT_EQ(served.refusals(wire::TrackerRefusal::kTooLong), 2u);
  EXPECT_EQ(served.refusals(wire::TrackerRefusal::kTooShort), 1u);
}

TEST(DatagramBatch, AReplyThatCannotBeSentIsCountedAndTheRestGoOut) {
  Served served("127.0.0.1:0");
  Client good(served.listener.local);
  good.connect_request(1);
  good.connect_request(2);
  ASSERT_TRUE(wait_for(served.listener.socket_of(0)));
  ASSERT_EQ(served.batch.receive(served.listener.socket_of(0), false), 2u);
  served.batch.answer(served.core, io::monotonic_now(), served.counters);
  const Descriptor wrong(::socket(AF_UNIX, SOCK_DGRAM, 0));  // refuses each of these names
  EXPECT_EQ(served.batch.send(wrong.get()), 2u);
  EXPECT_EQ(served.batch.send(served.listener.socket_of(0)), 0u);
  EXPECT_EQ(good.receive().size(), wire::kConnectReplySize);
}

TEST(Listeners, APortThatSomebodyHasIsRefusedEvenForManyWorkers) {
  const auto first = open_listener(address("127.0.0.1:0"), {.workers = 4});
  ASSERT_TRUE(first);
  EXPECT_EQ(first->sockets.size(), 4u);
  for (const unsigned workers : {1u, 4u}) {
    const auto second = open_listener(first->local, {.workers = workers});
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, ErrorCode::kLocalIo);
    EXPECT_NE(second.error().sentence.find("in use"), std::string::npos) << second.error().sentence;
  }
}

TEST(Listeners, AnAddressOfAnotherHostIsAUsageError) {
  const auto listener = open_listener(address("203.0.113.1:0"), {});
  ASSERT_FALSE(listener);
  EXPECT_EQ(listener.error().code, ErrorCode::kUsage);
}

TEST(Listeners, OnlyBoundUdpSocketsAreAdopted) {
  EXPECT_FALSE(adopt_listener(::socket(AF_INET, SOCK_STREAM, 0)));
  EXPECT_FALSE(adopt_listener(::socket(AF_INET, SOCK_DGRAM, 0)));
  EXPECT_FALSE(adopt_listener(::socket(AF_UNIX, SOCK_DGRAM, 0)));
  auto opened = open_listener(address("[::]:0"), {});
  ASSERT_TRUE(opened);
  const auto adopted = adopt_listener(::dup(opened->socket_of(0)));
  ASSERT_TRUE(adopted);
  EXPECT_EQ(adopted->local, opened->local);
  EXPECT_TRUE(adopted->dual);
  EXPECT_TRUE(adopted->any);
}

}  // namespace
}  // namespace peernet::tracker::server
