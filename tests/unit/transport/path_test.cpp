// Addresses and ECN: the parts that decide what may be sent where.
#include "transport/path.hpp"

#include <gtest/gtest.h>

#include "transport/ecn_validator.hpp"

namespace peernet::transport {
namespace {

constexpr Instant kStart = Instant::from_ns(1'000'000'000);
const Address kHome = Address::v4(10, 0, 0, 1, 1000);
const Address kOtherPort = Address::v4(10, 0, 0, 1, 2000);
const Address kElsewhere = Address::v4(10, 9, 9, 9, 1000);

TEST(Path, AnUnvalidatedAddressGetsThreeTimesWhatItSent) {
  Path path(kHome, false);
  EXPECT_EQ(path.allowance(), 0U);
  path.on_received(kHome, 1200);
  path.on_received(kElsewhere, 5000);  // somebody else's bytes are worth nothing
  EXPECT_EQ(path.allowance(), 3600U);
  path.on_sent(3000);
  EXPECT_EQ(path.allowance(), 600U);
  path.on_sent(900);
  EXPECT_EQ(path.allowance(), 0U);
  path.validate();
  EXPECT_EQ(path.allowance(), UINT64_MAX);
}

TEST(Path, AMoveIsProvedByTheRightAnswerOnly) {
  Path path(kHome, true);
  EXPECT_TRUE(path.move({.to = kElsewhere, .bytes = 100, .challenge = 42, .deadline = kStart}));
  EXPECT_FALSE(path.validated());
  EXPECT_EQ(path.allowance(), 300U);
  EXPECT_FALSE(path.on_response(41));
  EXPECT_FALSE(path.validated());
  EXPECT_TRUE(path.on_response(42));
  EXPECT_TRUE(path.validated());
  EXPECT_FALSE(path.on_response(42));
}

TEST(Path, APortAloneIsTheSameWay) {
  Path path(kHome, true);
  EXPECT_FALSE(path.move({.to = kOtherPort, .bytes = 100, .challenge = 1, .deadline = kStart}));
  EXPECT_FALSE(path.validated());
}

TEST(Path, WithoutAnAnswerItReturnsToTheLastProvedAddress) {
  Path path(kHome, true);
  path.move({.to = kElsewhere, .bytes = 100, .challenge = 1, .deadline = kStart});
  path.move({.to = kOtherPort, .bytes = 100, .challenge = 2, .deadline = kStart});
  EXPECT_TRUE(path.fall_back());
  EXPECT_EQ(path.remote(), kHome);
  EXPECT_TRUE(path.validated());
  Path fresh(kHome, false);
  EXPECT_FALSE(fresh.fall_back());
}

TEST(Ecn, ReportedMarksMakeThePathCapable) {
  EcnValidator ecn(true);
  for (int i = 0; i != 5; ++i) {
    EXPECT_TRUE(ecn.mark());
    ecn.on_marked_sent();
  }
  EXPECT_EQ(ecn.on_ack({5, 0, 0}, 5), 0U);
  EXPECT_TRUE(ecn.capable());
  EXPECT_EQ(ecn.on_ack({6, 0, 2}, 3), 2U);
}

TEST(Ecn, MissingBleachedOrShrinkingCountsSwitchItOff) {
  for (const EcnValidator::Counts bad : {EcnValidator::Counts{4, 0, 0}, EcnValidator::Counts{0, 5, 0}}) {
    EcnValidator ecn(true);
    ecn.on_marked_sent();
    EXPECT_EQ(ecn.on_ack(bad, 5), 0U);
    EXPECT_FALSE(ecn.mark());
  }
  EcnValidator ecn(true);
  ecn.on_marked_sent();
  ecn.on_ack({10, 0, 0}, 5);
  ecn.on_ack({9, 0, 0}, 0);
  EXPECT_FALSE(ecn.mark());
  EXPECT_FALSE(EcnValidator(false).mark());
}

TEST(Ecn, TestingStopsAfterTenMarksWithoutAnAnswer) {
  EcnValidator ecn(true);
  for (std::uint32_t i = 0; i != EcnValidator::kTestPackets; ++i) ecn.on_marked_sent();
  EXPECT_FALSE(ecn.mark());
}

}  // namespace
}  // namespace peernet::transport
