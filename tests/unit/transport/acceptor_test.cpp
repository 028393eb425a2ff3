#include "transport/acceptor.hpp"

#include <gtest/gtest.h>

#include "session_pair.hpp"

namespace peernet::transport {
namespace {

using test::Pair;

constexpr Instant kStart = Instant::from_ns(1'000'000'000);
const Address kFrom = Address::v4(10, 0, 0, 1, 4000);

class AcceptorTest : public testing::Test {
 protected:
  AcceptorTest() {
    SessionConfig c = Pair::default_config(Role::kInitiator);
    session = std::make_unique<Session>(c, test::factory(true).start_initiator(), kStart);
    first = next(kStart);
  }
  std::vector<std::byte> next(Instant now) {
    std::vector<std::byte> out(65536);
    const std::optional<Transmit> t = session->poll_transmit(now, out);
    out.resize(t ? t->bytes : 0);
    return out;
  }
  static wire::DropReason reason(const Verdict& verdict) {
    const Refuse* refuse = std::get_if<Refuse>(&verdict);
    return refuse == nullptr ? wire::DropReason::kCount : refuse->reason;
  }

  AcceptorOptions options{
      .token_secret = {}, .retry_above = 4, .max_half_open = 8, .handshakes_per_second = 1, .burst = 2};
  Acceptor acceptor{options, crypto::AeadBackend::kOpenssl};
  std::unique_ptr<Session> session;
  std::vector<std::byte> first;
  test::User user;
};

TEST_F(AcceptorTest, AFirstPacketIsAcceptedWithItsIds) {
  EXPECT_EQ(first.size(), wire::kMinDatagram);
  const Verdict verdict = acceptor.on_packet({kStart, first, kFrom, 0});
  const Accept* accept = std::get_if<Accept>(&verdict);
  ASSERT_NE(accept, nullptr);
  EXPECT_EQ(accept->initiator_id, 0x1122334455667788U);
  EXPECT_EQ(accept->initiator_session, SessionId(0x1000));
  EXPECT_EQ(accept->first_receiver_id, SessionId(0xabcdef01));
  EXPECT_FALSE(accept->address_validated);
}

TEST_F(AcceptorTest, ShortForeignAndCorruptPacketsAreRefusedByName) {
  EXPECT_EQ(reason(acceptor.on_packet({kStart, ByteSpan(first).first(1199), kFrom, 0})),
            wire::DropReason::kInitialTooSmall);
  std::vector<std::byte> corrupt = first;
  corrupt[600] ^= std::byte{1};
  EXPECT_EQ(reason(acceptor.on_packet({kStart, corrupt, kFrom, 0})), wire::DropReason::kBadTag);
  std::vector<std::byte> sealed = first;
  sealed[0] = static_cast<std::byte>(wire::PacketType::kData);
  EXPECT_EQ(reason(acceptor.on_packet({kStart, sealed, kFrom, 0})), wire::DropReason::kUnknownSession);
  std::vector<std::byte> version = first;
  version[wire::kHeaderSize + 3] = std::byte{9};
  EXPECT_EQ(reason(acceptor.on_packet({kStart, version, kFrom, 0})), wire::DropReason::kUnknownVersion);
}

TEST_F(AcceptorTest, AboveTheLimitAnAddressProvesItselfByRetry) {
  const Verdict verdict = acceptor.on_packet({kStart, first, kFrom, 4});
  const SendRetry* retry = std::get_if<SendRetry>(&verdict);
  ASSERT_NE(retry, nullptr);
  EXPECT_LT(retry->size, first.size());

  std::vector<std::byte> bytes(retry->bytes.begin(), retry->bytes.begin() + static_cast<std::ptrdiff_t>(retry->size));
  session->on_datagram(kStart, {.bytes = bytes, .segment_size = 0, .from = Address::v4(10, 0, 0, 2, 4000), .ecn = 0},
                       user);
  const std::vector<std::byte> second = next(kStart);
  ASSERT_EQ(second.size(), wire::kMinDatagram);
  const Verdict now_valid = acceptor.on_packet({kStart, second, kFrom, 4});
  ASSERT_NE(std::get_if<Accept>(&now_valid), nullptr);
  EXPECT_TRUE(std::get<Accept>(now_valid).address_validated);

  EXPECT_EQ(reason(acceptor.on_packet({kStart, second, Address::v4(10, 0, 0, 7, 4000), 4})),
            wire::DropReason::kTokenInvalid);
  EXPECT_EQ(reason(acceptor.on_packet({kStart + 40s, second, kFrom, 4})), wire::DropReason::kTokenExpired);
  EXPECT_EQ(reason(acceptor.on_packet({kStart, second, kFrom, 8})), wire::DropReason::kHalfOpenLimit);

  // A second RETRY is not taken.
  session->on_datagram(kStart, {.bytes = bytes, .segment_size = 0, .from = Address::v4(10, 0, 0, 2, 4000), .ecn = 0},
                       user);
  EXPECT_EQ(session->stats().dropped[static_cast<std::size_t>(wire::DropReason::kUnexpectedRetry)], 1U);
}

TEST_F(AcceptorTest, HandshakeWorkHasABudget) {
  EXPECT_EQ(reason(acceptor.on_packet({kStart, first, kFrom, 0})), wire::DropReason::kCount);
  EXPECT_EQ(reason(acceptor.on_packet({kStart, first, kFrom, 0})), wire::DropReason::kCount);
  EXPECT_EQ(reason(acceptor.on_packet({kStart, first, kFrom, 0})), wire::DropReason::kHandshakeBudget);
  EXPECT_EQ(reason(acceptor.on_packet({kStart + 1s, first, kFrom, 0})), wire::DropReason::kCount);
}

}  // namespace
}  // namespace peernet::transport
