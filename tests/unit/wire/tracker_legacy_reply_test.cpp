#include "wire/tracker_legacy_reply.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "base/bytes.hpp"

namespace peernet::wire {
namespace {

using Buffer = std::vector<std::byte>;

/// As BEP 15 has it: action, transaction id, interval, leechers, seeders, then addresses of 4 or 16 bytes with a port.
Buffer reply(std::size_t peers, bool v6, std::uint16_t first_port = 1) {
  Buffer out(kAnnounceReplyHeader + peers * (v6 ? kPeerSizeV6 : kPeerSizeV4));
  ByteWriter w(out);
  w.u32(1);
  w.u32(77);
  w.u32(1800);
  w.u32(5);
  w.u32(6);
  for (std::size_t i = 0; i < peers; ++i) {
    if (v6) w.bytes(ByteArray<12>{std::byte{0x20}, std::byte{1}});
    w.u32(0x0a000001);
    w.u16(static_cast<std::uint16_t>(first_port + i));
  }
  EXPECT_FALSE(w.failed());
  return out;
}

TEST(LegacyReply, PeersHaveTheSizeOfTheFamilyThatWasAsked) {
  const auto v4 = decode_announce_reply(reply(2, false), false);
  ASSERT_TRUE(v4);
  EXPECT_EQ(v4->transaction, 77u);
  EXPECT_EQ(v4->interval_s, 1800u);
  EXPECT_EQ(v4->leechers, 5u);
  EXPECT_EQ(v4->seeders, 6u);
  ASSERT_EQ(v4->peers.size(), 2u);
  EXPECT_EQ(v4->peers[1], Address::v4(10, 0, 0, 1, 2));

  const auto v6 = decode_announce_reply(reply(2, true), true);
  ASSERT_TRUE(v6);
  ASSERT_EQ(v6->peers.size(), 2u);
  EXPECT_FALSE(v6->peers[1].is_v4());
  EXPECT_EQ(v6->peers[1].port, 2u);
}

TEST(LegacyReply, ACutReplyGivesItsWholePeersAndNoneWithoutAHeader) {
  const Buffer whole = reply(3, false);
  for (std::size_t n = 0; n <= whole.size(); ++n) {
    const Buffer cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(n));
    const auto decoded = decode_announce_reply(cut, false);
    ASSERT_EQ(decoded.has_value(), n >= kAnnounceReplyHeader) << n;
    if (!decoded) continue;
    EXPECT_EQ(decoded->peers.size(), (n - kAnnounceReplyHeader) / kPeerSizeV4);
  }
}

TEST(LegacyReply, PeersWithoutAPortAndBeyondTheBoundAreLeftOut) {
  EXPECT_EQ(decode_announce_reply(reply(3, false, 0), false)->peers.size(), 2u);
  EXPECT_EQ(decode_announce_reply(reply(200, false), false)->peers.size(), kMaxNodePeers);
}

TEST(LegacyReply, OtherActionsAreNone) {
  Buffer other = reply(1, false);
  for (const int action : {0, 2, 3, 64, 65}) {
    other[3] = static_cast<std::byte>(action);
    EXPECT_FALSE(decode_announce_reply(other, false)) << action;
  }
}

}  // namespace
}  // namespace peernet::wire
