// The small parts: transfers, control messages, the queue, addresses as text.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/udp.h>

#include <array>
#include <cstring>

#include "io/address_text.hpp"
#include "io/control_message.hpp"
#include "io/fifo.hpp"
#include "io/sockaddr.hpp"
#include "io/transfer.hpp"
#include "io/uring/names.hpp"

namespace peernet::io {
namespace {

using Next = Transfer::Next;

TEST(TransferTest, ShortTransfersAreContinuedWhereTheyStopped) {
  std::array<std::byte, 100> bytes{};
  Transfer t(FileOp::kRead, bytes.data(), bytes.size(), 1000, false);
  EXPECT_EQ(t.advance(30), Next::kAgain);
  EXPECT_EQ(t.bytes(), bytes.data() + 30);
  EXPECT_EQ(t.left(), 70U);
  EXPECT_EQ(t.offset(), 1030U);
  EXPECT_EQ(t.advance(-EINTR), Next::kAgain);
  EXPECT_EQ(t.advance(-EAGAIN), Next::kAgain);
  EXPECT_EQ(t.left(), 70U);
  EXPECT_EQ(t.advance(70), Next::kDone);
  EXPECT_EQ(t.result(), 100);
}

TEST(TransferTest, AReadEndsAtTheEndOfTheFileWithWhatThereWas) {
  std::array<std::byte, 100> bytes{};
  Transfer t(FileOp::kRead, bytes.data(), bytes.size(), 0, false);
  EXPECT_EQ(t.advance(30), Next::kAgain);
  EXPECT_EQ(t.advance(0), Next::kDone);
  EXPECT_EQ(t.result(), 30);
}

TEST(TransferTest, ADirectReadEndsInsideASector) {
  std::array<std::byte, 4096> bytes{};
  Transfer t(FileOp::kRead, bytes.data(), bytes.size(), 0, true);
  EXPECT_EQ(t.advance(512), Next::kAgain);
  EXPECT_EQ(t.advance(700), Next::kDone);
  EXPECT_EQ(t.result(), 1212);
}

TEST(TransferTest, AnErrorAfterAPartIsTheResult) {
  std::array<std::byte, 100> bytes{};
  Transfer t(FileOp::kWrite, bytes.data(), bytes.size(), 0, false);
  EXPECT_EQ(t.advance(30), Next::kAgain);
  EXPECT_EQ(t.advance(-ENOSPC), Next::kDone);
  EXPECT_EQ(t.result(), -ENOSPC);
}

TEST(TransferTest, AWriteThatMovesNothingIsAnErrorAndNotForever) {
  std::array<std::byte, 100> bytes{};
  Transfer t(FileOp::kWrite, bytes.data(), bytes.size(), 0, false);
  EXPECT_EQ(t.advance(0), Next::kDone);
  EXPECT_EQ(t.result(), -EIO);
}

TEST(TransferTest, AnFsyncIsNeverTriedAgain) {
  for (const int error : {EIO, EINTR, EAGAIN, ENOSPC}) {
    Transfer t(FileOp::kFsync, nullptr, 0, 0, false);
    EXPECT_EQ(t.advance(-error), Next::kDone);
    EXPECT_EQ(t.result(), -error);
  }
}

TEST(ControlMessageTest, WhatIsWrittenIsReadAsTheKernelWould) {
  alignas(cmsghdr) std::array<std::byte, kSendControlBytes> control{};
  const std::size_t n = write_control({std::uint16_t{1472}, std::uint8_t{3}, true}, control.data());
  EXPECT_LE(n, control.size());
  msghdr message{};
  message.msg_control = control.data();
  message.msg_controllen = n;
  const cmsghdr* first = CMSG_FIRSTHDR(&message);
  ASSERT_NE(first, nullptr);
  EXPECT_EQ(first->cmsg_level, SOL_UDP);
  EXPECT_EQ(first->cmsg_type, UDP_SEGMENT);
  EXPECT_EQ(first->cmsg_len, CMSG_LEN(2));
  const cmsghdr* second = CMSG_NXTHDR(&message, const_cast<cmsghdr*>(first));
  ASSERT_NE(second, nullptr);
  EXPECT_EQ(second->cmsg_level, IPPROTO_IP);
  EXPECT_EQ(second->cmsg_type, IP_TOS);
  EXPECT_EQ(write_control({}, control.data()), 0U);
}

// Builds what a receive carries, at an odd address.
std::vector<std::byte> received(int level, int type, const void* data, std::size_t size, std::size_t shift) {
  alignas(cmsghdr) std::array<std::byte, 64> one{};
  cmsghdr header{};
  header.cmsg_level = level;
  header.cmsg_type = type;
  header.cmsg_len = CMSG_LEN(size);
  std::memcpy(one.data(), &header, sizeof header);
  std::memcpy(one.data() + CMSG_LEN(0), data, size);
  std::vector<std::byte> out(shift + CMSG_SPACE(size));
  std::memcpy(out.data() + shift, one.data(), CMSG_SPACE(size));
  return out;
}

TEST(ControlMessageTest, SegmentSizeAndEcnAreRead) {
  const int gro = 1472;
  const std::uint8_t tos = 0xfe;
  const int tclass = 3;
  const auto first = received(SOL_UDP, UDP_GRO, &gro, sizeof gro, 0);
  const auto second = received(IPPROTO_IP, IP_TOS, &tos, sizeof tos, 0);
  std::vector<std::byte> bytes(first.size() + second.size());
  std::memcpy(bytes.data(), first.data(), first.size());
  std::memcpy(bytes.data() + first.size(), second.data(), second.size());
  ReceiveControl got = read_control(bytes.data(), bytes.size());
  EXPECT_EQ(got.segment_size, 1472U);
  EXPECT_EQ(int{got.ecn}, 2);
  const auto odd = received(IPPROTO_IPV6, IPV6_TCLASS, &tclass, sizeof tclass, 3);
  got = read_control(odd.data() + 3, odd.size() - 3);
  EXPECT_EQ(got.segment_size, 0U);
  EXPECT_EQ(int{got.ecn}, 3);
}

TEST(ControlMessageTest, BrokenLengthsEndTheWalk) {
  const int gro = 9;
  auto bytes = received(SOL_UDP, UDP_GRO, &gro, sizeof gro, 0);
  for (const std::size_t length : {std::size_t{0}, std::size_t{1}, CMSG_LEN(0) - 1, bytes.size() + 1, SIZE_MAX}) {
    std::memcpy(bytes.data(), &length, sizeof length);
    EXPECT_EQ(read_control(bytes.data(), bytes.size()).segment_size, 0U) << length;
  }
  EXPECT_EQ(read_control(bytes.data(), 3).segment_size, 0U);
}

TEST(FifoTest, KeepsOrderAndItsBound) {
  Fifo<int> fifo(3);
  for (int round = 0; round < 10; ++round) {
    for (int i = 0; i < 3; ++i) fifo.push(round * 3 + i);
    for (int i = 0; i < 3; ++i) EXPECT_EQ(fifo.pop(), round * 3 + i);
    EXPECT_TRUE(fifo.empty());
  }
  EXPECT_DEATH(fifo.pop(), "check failed");
  for (int i = 0; i < 4; ++i) fifo.push(i);
  EXPECT_DEATH(fifo.push(4), "check failed");
}

TEST(RingNameTest, SurvivesTheRing) {
  const RingName in{RingOp::kFile, 0xff'ffff, 0xffff'ffff};
  const RingName out = RingName::unpack(in.pack());
  EXPECT_EQ(out.op, in.op);
  EXPECT_EQ(out.generation, in.generation);
  EXPECT_EQ(out.slot, in.slot);
}

TEST(SockaddrTest, GoesThereAndBack) {
  SockAddr name;
  Address four = Address::v4(10, 1, 2, 3, 4567);
  EXPECT_EQ(from_sockaddr(&name, to_sockaddr(four, AF_INET, name)), four);
  EXPECT_EQ(from_sockaddr(&name, to_sockaddr(four, AF_INET6, name)), four) << "as a dual-stack socket sees it";
  Address six = *parse_address("[2001:db8::1]:9");
  six.scope_id = 3;
  EXPECT_EQ(from_sockaddr(&name, to_sockaddr(six, AF_INET6, name)), six);
  EXPECT_EQ(to_sockaddr(six, AF_INET, name), 0U);
  EXPECT_EQ(from_sockaddr(&name, 1), Address{});
}

TEST(AddressTextTest, ParsesAndFormats) {
  for (const char* text : {"1.2.3.4:5", "0.0.0.0:0", "255.255.255.255:65535", "[::]:0", "[::1]:80", "[2001:db8::1]:443",
                           "[fe80::1%lo]:7"}) {
    const auto address = parse_address(text);
    ASSERT_TRUE(address) << text;
    EXPECT_EQ(format_address(*address), text);
  }
  EXPECT_TRUE(parse_address("1.2.3.4:5")->is_v4());
  EXPECT_EQ(parse_address("[::ffff:1.2.3.4]:5"), parse_address("1.2.3.4:5"));
  for (const char* text :
       {"", ":", "1.2.3.4", "1.2.3.4:", ":5", "1.2.3.4:65536", "1.2.3.4:-1", "1.2.3.4:5x", "1.2.3:5", "::1:5", "[::1:5",
        "[::1]", "[::1]5", "[1.2.3.4]:5", "name:5", "[fe80::1%]:5", "[fe80::1%no]:5", " 1.2.3.4:5"})
    EXPECT_FALSE(parse_address(text)) << text;
}

TEST(AddressTextTest, SplitsHostsFromPorts) {
  const auto is = [](const char* text, const char* host, std::optional<std::uint16_t> port) {
    const auto got = split_host_port(text);
    return got && got->host == host && got->port == port;
  };
  EXPECT_TRUE(is("name", "name", std::nullopt));
  EXPECT_TRUE(is("name:80", "name", 80));
  EXPECT_TRUE(is("1.2.3.4:80", "1.2.3.4", 80));
  EXPECT_TRUE(is("::1", "::1", std::nullopt));
  EXPECT_TRUE(is("[::1]", "::1", std::nullopt));
  EXPECT_TRUE(is("[::1]:80", "::1", 80));
  for (const char* text : {"", ":80", "name:", "name:x", "name:70000", "[::1", "[::1]x", "[]:80"})
    EXPECT_FALSE(split_host_port(text)) << text;
}

TEST(AddressTextTest, ResolvesNumbersAndLocalhost) {
  const auto four = resolve("127.0.0.1", 9);
  ASSERT_TRUE(four);
  EXPECT_EQ(*four, std::vector{Address::v4(127, 0, 0, 1, 9)});
  const auto six = resolve("::1", 9);
  ASSERT_TRUE(six);
  EXPECT_TRUE(six->front().is_loopback() && !six->front().is_v4());
  const auto none = resolve("no.such.host.invalid", 9);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, ErrorCode::kUnreachable);
}

TEST(AddressTextTest, KnowsLoopbacksMtuAndNoLoopbackAmongLocalAddresses) {
  EXPECT_GE(mtu_towards(Address::v4(127, 0, 0, 1, 0)), 65535U);
  for (const Address& a : local_addresses(7)) {
    EXPECT_FALSE(a.is_loopback());
    EXPECT_EQ(a.port, 7);
  }
}

}  // namespace
}  // namespace peernet::io
