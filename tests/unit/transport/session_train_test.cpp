// DATA packets that arrive in one datagram (GRO) are told to the owner once.
#include <gtest/gtest.h>

#include "session_pair.hpp"

namespace peernet::transport::test {
namespace {

constexpr std::uint32_t kBytes = 9'000;

/// A connected pair whose initiator has sealed a file for the responder; the packets wait here instead of flying.
class Trains : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(pair_.connect());
    pair_.run(1s);
    pair_.rule = [this](Flying& f) {
      const auto header = wire::decode_header(f.bytes);
      if (f.to_responder && header && header->type == wire::PacketType::kData) packets_.push_back(f);
      return !f.to_responder;
    };
    pair_.transfer(pair_.initiator_user, pair_.responder_user, 7, kBytes);
    pair_.run(25ms);
    ASSERT_GE(packets_.size(), 6u);
    payload_ = static_cast<std::uint32_t>(packets_[0].bytes.size() - wire::kDataOverhead);
  }

  /// One datagram of these packets, in this order.
  void arrive(const std::vector<std::size_t>& order) {
    std::vector<std::byte> train;
    for (const std::size_t i : order) train.insert(train.end(), packets_[i].bytes.begin(), packets_[i].bytes.end());
    pair_.responder->on_datagram(
        pair_.now, {.bytes = train, .segment_size = packets_[0].segment, .from = pair_.initiator_address, .ecn = 0},
        user());
  }
  User& user() { return pair_.responder_user; }
  bool has(std::uint32_t packet) { return user().marked[7][packet * payload_]; }

  Pair pair_;
  std::vector<Flying> packets_;
  std::uint32_t payload_ = 0;
};

TEST_F(Trains, PacketsThatGoOnWhereTheOneBeforeEndedAreOneDelivery) {
  arrive({0, 1, 2, 3, 4});
  EXPECT_EQ(user().targets, 1);
  EXPECT_EQ(user().deliveries, 1);
  EXPECT_EQ(user().received, 5 * payload_);
  for (std::uint32_t i = 0; i != 5; ++i) EXPECT_TRUE(has(i));
  arrive({5});
  EXPECT_EQ(user().deliveries, 2);
}

TEST_F(Trains, AForgedPacketCostsOnlyItself) {
  packets_[2].bytes.back() ^= std::byte{1};
  arrive({0, 1, 2, 3, 4});
  EXPECT_EQ(user().received, 4 * payload_);
  EXPECT_EQ(user().deliveries, 2) << "what was before it, what came behind it";
  EXPECT_FALSE(has(2));
  EXPECT_TRUE(has(1));
  EXPECT_TRUE(has(3));
}

TEST_F(Trains, AForgedFirstPacketLeavesNothingMarked) {
  packets_[0].bytes.back() ^= std::byte{1};
  arrive({0});
  EXPECT_EQ(user().received, 0u);
  EXPECT_EQ(user().deliveries, 0);
}

TEST_F(Trains, DisorderAndRepetitionDeliverEachByteOnce) {
  arrive({3, 4, 0, 1, 1, 2, 3});
  EXPECT_EQ(user().received, 5 * payload_);
  EXPECT_EQ(user().twice, 0);
  for (std::uint32_t i = 0; i != 5; ++i) EXPECT_TRUE(has(i));
}

TEST_F(Trains, ARoomEndsWhereBytesHaveArrivedBefore) {
  for (std::size_t i = 0; i != packets_.size(); ++i) arrive({i});
  pair_.run(1s);  // acknowledged: the window is open again
  const std::uint64_t received = user().received;
  const int deliveries = user().deliveries;
  packets_.clear();
  pair_.transfer(pair_.initiator_user, user(), 8, 4 * payload_);
  pair_.initiator_user.to_send.push_back({RequestId(8), {0, 4 * payload_}});  // the same bytes, sealed again
  pair_.run(25ms);
  ASSERT_EQ(packets_.size(), 8u);
  arrive({2});
  arrive({4, 5, 6, 7});
  EXPECT_EQ(user().received, received + 4 * payload_);
  EXPECT_EQ(user().twice, 0);
  EXPECT_EQ(user().deliveries, deliveries + 3) << "2, then what was before it and what is behind it";
}

}  // namespace
}  // namespace peernet::transport::test
