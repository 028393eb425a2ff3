// Datagrams and trains through both engines and a real kernel.
#include <numeric>

#include "driver_fixture.hpp"

namespace peernet::io {
namespace {

Send single(std::uint64_t token, const Address& to, const std::vector<std::byte>& bytes) {
  Send send;
  send.token = OpToken(token);
  send.to = to;
  send.bytes = bytes;
  send.segment_size = static_cast<std::uint32_t>(bytes.size());
  return send;
}

Send cut(std::uint64_t token, const Address& to, const std::vector<std::byte>& bytes, std::uint32_t segment) {
  Send send = single(token, to, bytes);
  send.segment_size = segment;
  return send;
}

using DatagramTest = DriverTest;

TEST_P(DatagramTest, TrainsArriveWholeInOrderAndCoalesced) {
  const auto a = make_end(options);
  const auto b = make_end(options);
  constexpr std::uint32_t kTrains = 24;
  constexpr std::uint32_t kSegments = 44;
  constexpr std::uint32_t kSize = 1472;
  std::vector<std::vector<std::byte>> trains;
  for (std::uint32_t i = 0; i < kTrains; ++i) trains.push_back(train(kSegments, kSize, i * kSegments));
  for (std::uint32_t i = 0; i < kTrains; ++i)
    ASSERT_TRUE(a->driver->submit_send(cut(i, b->address(), trains[i], kSize)));
  ASSERT_TRUE(turn_until({a.get(), b.get()}, [&] {
    return a->seen.sent.size() == kTrains && b->seen.bytes() == kTrains * kSegments * kSize;
  }));
  for (const auto& [token, result] : a->seen.sent)
    EXPECT_EQ(result, static_cast<std::int32_t>(kSegments * kSize)) << token;
  const auto got = b->seen.datagrams();
  ASSERT_EQ(got.size(), kTrains * kSegments);
  for (std::uint32_t i = 0; i < got.size(); ++i) ASSERT_EQ(got[i], data_datagram(kSize, i)) << i;
  if (b->driver->info().gro) {
    EXPECT_EQ(b->seen.items.size(), kTrains) << "loopback hands whole trains over";
  }
  for (const auto& item : b->seen.items) {
    EXPECT_EQ(item.from, a->address());
    EXPECT_EQ(item.socket, kDataSocket);
  }
  EXPECT_EQ(b->driver->info().gro, kernel().gro);
  EXPECT_EQ(a->driver->info().gso, kernel().gso);
}

TEST_P(DatagramTest, TheLastSegmentMayBeShorter) {
  const auto a = make_end(options);
  const auto b = make_end(options);
  auto bytes = train(3, 1000, 0);
  bytes.resize(2500);
  ASSERT_TRUE(a->driver->submit_send(cut(1, b->address(), bytes, 1000)));
  ASSERT_TRUE(turn_until({a.get(), b.get()}, [&] { return b->seen.bytes() == 2500; }));
  const auto got = b->seen.datagrams();
  ASSERT_EQ(got.size(), 3U);
  EXPECT_EQ(got[0].size(), 1000U);
  EXPECT_EQ(got[2].size(), 500U);
}

TEST_P(DatagramTest, EverySizeOfSingleDatagramUpToTheLargest) {
  const auto a = make_end(options);
  const auto b = make_end(options);
  // 8 bytes and more are steered to the data socket; shorter ones are a stranger's.
  std::vector<std::vector<std::byte>> datagrams;
  for (const std::size_t size :
       {std::size_t{8}, std::size_t{9}, std::size_t{1472}, std::size_t{1473}, std::size_t{9000}, kTrainBytesMax})
    datagrams.push_back(data_datagram(size, static_cast<std::uint32_t>(size)));
  for (std::uint32_t i = 0; i < datagrams.size(); ++i)
    ASSERT_TRUE(a->driver->submit_send(single(i, b->address(), datagrams[i])));
  ASSERT_TRUE(turn_until({a.get(), b.get()}, [&] { return b->seen.datagrams().size() == datagrams.size(); }));
  EXPECT_EQ(b->seen.datagrams(), datagrams);
}

TEST_P(DatagramTest, ALargeSingleDatagramIsNotCutAfterATrain) {
  // The ring's SEND relies on the socket's segment size: a longer single datagram must go around it.
  const auto a = make_end(options);
  const auto b = make_end(options);
  const auto first = train(4, 1200, 0);
  const auto second = data_datagram(5000, 9);
  const auto third = train(4, 1400, 10);
  for (std::uint64_t round = 0; round < 20; ++round) {
    ASSERT_TRUE(a->driver->submit_send(cut(round * 3, b->address(), first, 1200)));
    ASSERT_TRUE(a->driver->submit_send(single(round * 3 + 1, b->address(), second)));
    ASSERT_TRUE(a->driver->submit_send(cut(round * 3 + 2, b->address(), third, 1400)));
    ASSERT_TRUE(turn_until({a.get(), b.get()}, [&] { return b->seen.datagrams().size() == 9; }));
    const auto got = b->seen.datagrams();
    for (std::uint32_t i = 0; i < 4; ++i) EXPECT_EQ(got[i], data_datagram(1200, i));
    EXPECT_EQ(got[4], second);
    for (std::uint32_t i = 0; i < 4; ++i) EXPECT_EQ(got[5 + i], data_datagram(1400, 10 + i));
    b->seen.items.clear();
  }
}

TEST_P(DatagramTest, TheCommonestSegmentSizeMayChange) {
  const auto a = make_end(options);
  const auto b = make_end(options);
  std::size_t expected = 0;
  std::uint64_t token = 0;
  for (const std::uint32_t size : {1200U, 1450U, 1300U}) {
    for (int i = 0; i < 12; ++i) {
      const auto bytes = train(5, size, 0);
      ASSERT_TRUE(a->driver->submit_send(cut(token++, b->address(), bytes, size)));
      expected += 5;
      ASSERT_TRUE(turn_until({a.get(), b.get()}, [&] { return b->seen.datagrams().size() == expected; }));
      ASSERT_EQ(b->seen.datagrams().back(), data_datagram(size, 4));
    }
  }
}

TEST_P(DatagramTest, EcnBitsArriveOnEveryFamily) {
  const auto a6 = make_end(options, kernel(), kernel().ipv6 ? Address{} : kLoopback4);
  const auto b6 = make_end(options, kernel(), kernel().ipv6 ? Address{} : kLoopback4);
  std::vector<Address> targets{kLoopback4};
  if (kernel().ipv6) targets.push_back(loopback6());
  std::uint64_t token = 0;
  const auto one = data_datagram(1000, 0);
  const auto many = train(4, 1000, 0);
  for (Address to : targets) {
    to.port = b6->address().port;
    for (const std::uint8_t ecn : {std::uint8_t{2}, std::uint8_t{0}, std::uint8_t{1}, std::uint8_t{3}}) {
      b6->seen.items.clear();
      Send send = single(token++, to, one);
      send.ecn = ecn;
      ASSERT_TRUE(a6->driver->submit_send(send));
      send = cut(token++, to, many, 1000);
      send.ecn = ecn;
      ASSERT_TRUE(a6->driver->submit_send(send));
      ASSERT_TRUE(turn_until({a6.get(), b6.get()}, [&] { return b6->seen.bytes() == 5000; }));
      for (const auto& item : b6->seen.items) {
        EXPECT_EQ(int{item.ecn}, int{ecn});
        EXPECT_EQ(item.from.is_v4(), to.is_v4());
      }
    }
  }
}

TEST_P(DatagramTest, ADualStackSocketSendsAndReceivesBothFamilies) {
  if (!kernel().ipv6) GTEST_SKIP() << "this host has no IPv6";
  const auto dual = make_end(options, kernel(), Address{});
  const auto four = make_end(options, kernel(), kLoopback4);
  const auto six = make_end(options, kernel(), loopback6());
  const auto bytes = train(3, 1200, 5);
  ASSERT_TRUE(dual->driver->submit_send(cut(1, four->address(), bytes, 1200)));
  ASSERT_TRUE(dual->driver->submit_send(cut(2, six->address(), bytes, 1200)));
  ASSERT_TRUE(turn_until({dual.get(), four.get(), six.get()},
                         [&] { return four->seen.bytes() == 3600 && six->seen.bytes() == 3600; }));
  EXPECT_EQ(four->seen.items[0].from, Address::v4(127, 0, 0, 1, dual->address().port));
  Address back = dual->address();
  back.ip = loopback6().ip;
  EXPECT_EQ(six->seen.items[0].from, back);
  ASSERT_TRUE(six->driver->submit_send(cut(1, six->seen.items[0].from, bytes, 1200)));
  ASSERT_TRUE(four->driver->submit_send(cut(1, four->seen.items[0].from, bytes, 1200)));
  ASSERT_TRUE(turn_until({dual.get(), four.get(), six.get()}, [&] { return dual->seen.bytes() == 7200; }));
}

TEST_P(DatagramTest, AnAddressThatTheSocketCannotSayIsAnError) {
  const auto a = make_end(options, kernel(), kLoopback4);
  Address six = loopback6();
  six.port = 9;
  const auto bytes = data_datagram(100, 0);
  ASSERT_TRUE(a->driver->submit_send(single(1, six, bytes)));
  ASSERT_TRUE(turn_until({a.get()}, [&] { return a->seen.sent.size() == 1; }));
  EXPECT_EQ(a->seen.sent[1], -EAFNOSUPPORT);
}

TEST_P(DatagramTest, ASegmentAboveTheMtuIsEmsgsize) {
  if (!kernel().ipv6) GTEST_SKIP() << "this host has no IPv6";
  // Loopback's MTU is 65536: 65507 bytes fit with IPv4's 28 bytes of headers and not with IPv6's 48.
  const auto a = make_end(options, kernel(), Address{});
  Address to = loopback6();
  to.port = a->address().port;
  const auto bytes = data_datagram(kTrainBytesMax, 0);
  ASSERT_TRUE(a->driver->submit_send(single(1, to, bytes)));
  ASSERT_TRUE(turn_until({a.get()}, [&] { return a->seen.sent.size() == 1; }));
  EXPECT_EQ(a->seen.sent[1], -EMSGSIZE);
}

TEST_P(DatagramTest, EmptyDatagramsAreDeliveredAndDoNotStopTheTransfer) {
  const auto a = make_end(options);
  const auto b = make_end(options);
  const auto bytes = train(10, 1400, 0);
  const std::vector<std::byte> nothing;
  constexpr std::size_t kRounds = 50;
  for (std::uint64_t i = 0; i < kRounds; ++i) {
    ASSERT_TRUE(a->driver->submit_send(single(2 * i, b->address(), nothing)));
    ASSERT_TRUE(a->driver->submit_send(cut(2 * i + 1, b->address(), bytes, 1400)));
    turn_some({a.get(), b.get()}, 1);
  }
  ASSERT_TRUE(turn_until({a.get(), b.get()}, [&] {
    return b->seen.bytes() == kRounds * bytes.size() && b->seen.datagrams().size() == kRounds * 11;
  }));
  std::size_t empty = 0;
  for (const auto& item : b->seen.items) empty += item.bytes.empty() ? 1U : 0U;
  EXPECT_EQ(empty, kRounds);
}

TEST_P(DatagramTest, AnEmptyDatagramOnTheDataSocketEndsAReceiveThatIsArmedAgain) {
  // Without a steering program everything comes to the one socket, empty datagrams too.
  Capabilities plain = kernel();
  plain.reuseport_cbpf = false;
  const auto a = make_end(options, plain);
  const auto b = make_end(options, plain);
  ASSERT_EQ(b->group->shard(0).handshake, -1);
  const auto bytes = train(10, 1400, 0);
  const std::vector<std::byte> nothing;
  for (std::size_t i = 0; i < 20; ++i) {
    ASSERT_TRUE(a->driver->submit_send(single(2 * i, b->address(), nothing)));
    ASSERT_TRUE(a->driver->submit_send(cut(2 * i + 1, b->address(), bytes, 1400)));
    ASSERT_TRUE(turn_until({a.get(), b.get()}, [&] { return b->seen.bytes() == (i + 1) * bytes.size(); }));
  }
  if (GetParam() == Engine::kUring) {
    EXPECT_GE(b->driver->stats().receive_ended, 20U);
  }
}

TEST_P(DatagramTest, MoreDatagramsThanBuffersAllArrive) {
  options.receive_buffers = 2;
  options.max_sends = 256;
  const auto a = make_end(options);
  const auto b = make_end(options);
  constexpr std::uint32_t kCount = 200;
  std::vector<std::vector<std::byte>> datagrams;
  for (std::uint32_t i = 0; i < kCount; ++i) datagrams.push_back(data_datagram(500 + i, i));  // no two coalesce
  for (std::uint32_t i = 0; i < kCount; ++i) ASSERT_TRUE(a->driver->submit_send(single(i, b->address(), datagrams[i])));
  ASSERT_TRUE(turn_until({a.get()}, [&] { return a->seen.sent.size() == kCount; }));
  ASSERT_TRUE(turn_until({b.get()}, [&] { return b->seen.datagrams().size() == kCount; }));
  EXPECT_EQ(b->seen.datagrams(), datagrams);
  if (GetParam() == Engine::kUring) {
    EXPECT_GT(b->driver->stats().receive_out_of_buffers, 0U);
  }
}

TEST_P(DatagramTest, SendsInFlightAreBounded) {
  options.max_sends = 4;
  const auto a = make_end(options);
  const auto b = make_end(options);
  const auto bytes = data_datagram(100, 0);
  for (std::uint64_t round = 0; round < 3; ++round) {
    for (std::uint64_t i = 0; i < 4; ++i)
      ASSERT_TRUE(a->driver->submit_send(single(round * 4 + i, b->address(), bytes)));
    EXPECT_FALSE(a->driver->submit_send(single(99, b->address(), bytes)));
    a->driver->flush();  // gone, but their end is not told yet
    EXPECT_FALSE(a->driver->submit_send(single(99, b->address(), bytes)));
    ASSERT_TRUE(turn_until({a.get()}, [&] { return a->seen.sent.size() == (round + 1) * 4; }));
  }
}

TEST_P(DatagramTest, TheSinkMaySubmitFromItsCallbacks) {
  class Echo final : public Sink {
   public:
    explicit Echo(Driver& driver) : driver_(driver) {}
    void on_datagrams(Instant, std::span<Received> batch) override {
      for (const Received& r : batch) {
        kept_.emplace_back(r.bytes.begin(), r.bytes.end());
        ASSERT_TRUE(driver_.submit_send(single(kept_.size(), r.from, kept_.back())));
      }
    }
    void on_sent(OpToken, std::int32_t) override { ++sent; }
    void on_file(OpToken, FileOp, std::int64_t) override {}
    void on_wake() override {}
    int sent = 0;

   private:
    Driver& driver_;
    std::vector<std::vector<std::byte>> kept_;
  };
  const auto a = make_end(options);
  const auto b = make_end(options);
  Echo echo(*b->driver);
  const auto bytes = data_datagram(700, 3);
  for (std::uint64_t i = 0; i < 5; ++i) {
    ASSERT_TRUE(a->driver->submit_send(single(i, b->address(), bytes)));
    ASSERT_TRUE(turn_until({a.get()}, [&] {
      b->driver->turn(b->driver->now() + 500us, echo);
      return a->seen.items.size() == i + 1;
    }));
    EXPECT_EQ(a->seen.items.back().bytes, bytes);
  }
  EXPECT_GE(echo.sent, 4);
}

TEST_P(DatagramTest, WithoutOffloadsTrainsAreCutAndArriveOneByOne) {
  std::vector<std::pair<DriverOptions, Capabilities>> ways(3, {options, kernel()});
  ways[0].first.offload = false;
  ways[1].second.gso = false;
  ways[2].second.gro = false;
  for (std::size_t way = 0; way < ways.size(); ++way) {
    const auto a = make_end(ways[way].first, ways[way].second);
    const auto b = make_end(ways[way].first, ways[way].second);
    const bool gso = way == 2;
    const bool gro = way == 1;
    EXPECT_EQ(a->driver->info().gso, gso);
    EXPECT_EQ(b->driver->info().gro, gro);
    const auto bytes = train(100, 600, 0);
    for (std::uint64_t i = 0; i < 3; ++i) ASSERT_TRUE(a->driver->submit_send(cut(i, b->address(), bytes, 600)));
    ASSERT_TRUE(
        turn_until({a.get(), b.get()}, [&] { return a->seen.sent.size() == 3 && b->seen.datagrams().size() == 300; }));
    for (const auto& [token, result] : a->seen.sent) EXPECT_EQ(result, 60000);
    const auto got = b->seen.datagrams();
    for (std::uint32_t i = 0; i < 300; ++i) ASSERT_EQ(got[i], data_datagram(600, i % 100));
    if (!gro) {
      EXPECT_EQ(b->seen.items.size(), 300U);
    }
    EXPECT_EQ(a->driver->stats().sends_cut, gso ? 0U : 3U);
  }
}

TEST_P(DatagramTest, HandshakesComeOnTheirSocketAndLongOnesAreCounted) {
  const auto a = make_end(options);
  const auto b = make_end(options);
  auto small = data_datagram(1200, 1);
  small[0] = std::byte{0x51};
  auto large = data_datagram(kHandshakeDatagramMax + 1, 2);
  large[0] = std::byte{0x51};
  auto largest = data_datagram(kHandshakeDatagramMax, 3);
  largest[0] = std::byte{0x51};
  ASSERT_TRUE(a->driver->submit_send(single(1, b->address(), small)));
  ASSERT_TRUE(a->driver->submit_send(single(2, b->address(), large)));
  ASSERT_TRUE(a->driver->submit_send(single(3, b->address(), largest)));
  ASSERT_TRUE(turn_until({a.get(), b.get()}, [&] { return b->seen.items.size() == 2; }));
  EXPECT_EQ(b->seen.items[0].bytes, small);
  EXPECT_EQ(b->seen.items[1].bytes, largest);
  EXPECT_EQ(b->seen.items[0].socket, kHandshakeSocket);
  EXPECT_EQ(b->driver->stats().truncated, 1U);
}

TEST_P(DatagramTest, ASendFromTheHandshakeSocketHasTheSameSource) {
  const auto a = make_end(options);
  const auto b = make_end(options);
  const auto bytes = data_datagram(1200, 1);
  Send send = single(1, b->address(), bytes);
  send.socket = kHandshakeSocket;
  ASSERT_TRUE(a->driver->submit_send(send));
  ASSERT_TRUE(turn_until({a.get(), b.get()}, [&] { return b->seen.items.size() == 1; }));
  EXPECT_EQ(b->seen.items[0].from, a->address());
}

TEST_P(DatagramTest, AStoppedSocketKeepsItsDatagramsInTheKernel) {
  options.handshake_buffers = 4;
  const auto a = make_end(options);
  const auto b = make_end(options);
  auto hello = data_datagram(1200, 1);
  hello[0] = std::byte{0x51};
  const auto data = data_datagram(1200, 2);
  b->driver->set_receiving(kHandshakeSocket, false);
  turn_some({b.get()});
  constexpr std::uint64_t kHellos = 20;
  for (std::uint64_t i = 0; i < kHellos; ++i) ASSERT_TRUE(a->driver->submit_send(single(i, b->address(), hello)));
  ASSERT_TRUE(a->driver->submit_send(single(kHellos, b->address(), data)));
  turn_some({a.get(), b.get()});
  const auto count = [&](SocketIndex socket) {
    return std::count_if(b->seen.items.begin(), b->seen.items.end(),
                         [&](const Recorder::Item& item) { return item.socket == socket; });
  };
  EXPECT_LE(count(kHandshakeSocket), 4) << "no more than one turn's buffers";
  EXPECT_EQ(count(kDataSocket), 1) << "the other socket goes on";
  EXPECT_GT(b->driver->socket_memory(kHandshakeSocket).receive_used, 16U * 1200);
  b->driver->set_receiving(kHandshakeSocket, true);
  ASSERT_TRUE(turn_until({b.get()}, [&] { return count(kHandshakeSocket) == static_cast<std::ptrdiff_t>(kHellos); }));
}

TEST_P(DatagramTest, ASmallSocketBufferIsGrantedAndItsDropsAreTold) {
  options.socket_buffer_bytes = 208 << 10;
  options.max_sends = 256;
  const auto a = make_end(options);
  const auto b = make_end(options);
  EXPECT_EQ(b->driver->info().receive_buffer_bytes, 2U * (208 << 10)) << "the kernel doubles what is asked";
  const auto bytes = data_datagram(1400, 0);
  for (std::uint64_t i = 0; i < 250; ++i) ASSERT_TRUE(a->driver->submit_send(single(i, b->address(), bytes)));
  ASSERT_TRUE(turn_until({a.get()}, [&] { return a->seen.sent.size() == 250; }));
  const SocketMemory memory = b->driver->socket_memory(kDataSocket);
  EXPECT_GT(memory.drops, 0U);
  EXPECT_EQ(memory.receive_limit, 2U * (208 << 10));
  ASSERT_TRUE(turn_until({b.get()}, [&] { return b->seen.datagrams().size() == 250 - memory.drops; }));
  const auto whole = train(44, 1472, 0);
  ASSERT_TRUE(a->driver->submit_send(cut(1000, b->address(), whole, 1472)));
  b->seen.items.clear();
  ASSERT_TRUE(turn_until({a.get(), b.get()}, [&] { return b->seen.bytes() == whole.size(); }));
}

TEST_P(DatagramTest, DestroyingADriverWithEverythingInFlightIsClean) {
  const auto b = make_end(options);
  for (int i = 0; i < 5; ++i) {
    const auto a = make_end(options);
    const auto bytes = train(20, 1400, 0);
    for (std::uint64_t k = 0; k < 10; ++k) ASSERT_TRUE(a->driver->submit_send(cut(k, b->address(), bytes, 1400)));
    if (i % 2 == 0) a->driver->flush();
    if (i == 4) turn_some({a.get()}, 1);
  }
}

INSTANTIATE_TEST_SUITE_P(Engines, DatagramTest, testing::Values(Engine::kUring, Engine::kEpoll), engine_name);

TEST(UringTest, ACompletionQueueThatIsFarTooSmallLosesNothing) {
  if (const char* why = why_not_uring(kernel())) GTEST_SKIP() << why;
  DriverOptions options;
  options.engine = Engine::kUring;
  options.max_sends = 256;
  const auto a = make_end(options);
  options.max_sends = 1;
  options.max_file_ops = 1;
  options.receive_buffers = 128;
  options.completion_queue = 1;  // rounded up to the submission queue's 16
  const auto b = make_end(options);
  std::vector<std::vector<std::byte>> datagrams;
  for (std::uint32_t i = 0; i < 100; ++i) datagrams.push_back(data_datagram(500 + i, i));  // no two coalesce
  for (int round = 0; round < 5; ++round) {
    b->seen.items.clear();
    a->seen.sent.clear();
    for (std::uint32_t i = 0; i < 100; ++i) ASSERT_TRUE(a->driver->submit_send(single(i, b->address(), datagrams[i])));
    ASSERT_TRUE(turn_until({a.get()}, [&] { return a->seen.sent.size() == 100; }));
    ASSERT_TRUE(turn_until({b.get()}, [&] { return b->seen.datagrams().size() == 100; }));
    EXPECT_EQ(b->seen.datagrams(), datagrams);
  }
  EXPECT_GT(b->driver->stats().receive_ended, 0U) << "a full queue ends the multishot";
  EXPECT_GT(b->driver->stats().completions_overflowed, 0U);
}

}  // namespace
}  // namespace peernet::io
