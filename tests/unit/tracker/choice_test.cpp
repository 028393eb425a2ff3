// Which peers a reply holds.
#include <map>

#include "tracker/subnet_quota.hpp"
#include "tracker_client.hpp"

namespace peernet::tracker {
namespace {

wire::AnnounceRequest leecher(std::int32_t numwant = 50) {
  return {.swarm = swarm_number(1), .left = 1, .numwant = numwant, .port = 9};
}
wire::AnnounceRequest seeder(std::int32_t numwant = 50) {
  wire::AnnounceRequest out = leecher(numwant);
  out.left = 0;
  return out;
}

// 1,000 in one /24 (several ports on each of its hosts), or one /56, and 200 in 20 others.
Address crowd(std::uint32_t i, bool v4_family) {
  const auto port = static_cast<std::uint16_t>(1000 + i / 250);
  return v4_family ? v4(0x010000 | i % 250, port) : v6(0x20010db8'00000000 | i % 256, i, port);
}
Address other(std::uint32_t i, bool v4_family) {
  const std::uint32_t subnet = i % 20;
  return v4_family ? v4(0x020000 | subnet << 8 | i / 20, 7) : v6(0x20010db9'00000000 | subnet << 8, i, 7);
}
template <class Peers, class AddressOf>
std::size_t most_of_one(const Peers& peers, const AddressOf& address_of) {
  std::map<std::uint64_t, std::size_t> taken;
  std::size_t most = 0;
  for (const auto& peer : peers) most = std::max(most, ++taken[subnet_of(address_of(peer).ip)]);
  return most;
}

TEST(PeerChoice, NoNeighbourhoodFillsALegacyReplyWhileThereAreOthers) {
  for (const bool family : {true, false}) {
    Tracker t;
    for (std::uint32_t i = 0; i < 1000; ++i) {
      wire::AnnounceRequest announce = i % 2 == 0 ? leecher(0) : seeder(0);
      announce.port = crowd(i, family).port;
      t.announce(crowd(i, family), announce);
    }
    for (std::uint32_t i = 0; i < 200; ++i) t.announce(other(i, family), i % 3 == 0 ? leecher(0) : seeder(0));
    EXPECT_EQ(t.core.totals().legacy_v4 + t.core.totals().legacy_v6, 1200u);
    const Address asker = family ? v4(0x030000, 1) : v6(3, 1, 1);
    for (int again = 0; again < 200; ++again) {
      const AnnounceReply reply = t.announce(asker, again % 2 == 0 ? leecher() : seeder());
      EXPECT_EQ(reply.peers.size(), 50u);
      EXPECT_LE(most_of_one(reply.peers, [](const Address& a) { return a; }), 5u);
    }
    // 21 subnets of at most 20 places each fill 200; of 66 (IPv6) at most 7 each.
    const AnnounceReply large = t.announce(asker, leecher(200));
    EXPECT_EQ(large.peers.size(), family ? 200u : 66u);
    EXPECT_LE(most_of_one(large.peers, [](const Address& a) { return a; }), family ? 20u : 7u);
  }
}

TEST(PeerChoice, NoNeighbourhoodFillsANodesReplyWhileThereAreOthers) {
  for (const bool family : {true, false}) {
    Tracker t;
    for (std::uint32_t i = 0; i < 1000; ++i)
      t.announce(crowd(i, family), node_announce(swarm_number(1), 1, i % 2 == 0, 0));
    for (std::uint32_t i = 0; i < 200; ++i)
      t.announce(other(i, family), node_announce(swarm_number(1), 1, i % 3 == 0, 0));
    for (int again = 0; again < 200; ++again) {
      const auto reply = t.announce(family ? v4(0x030000, 1) : v6(3, 1, 1), node_announce(swarm_number(1), 2, false));
      EXPECT_EQ(reply.peers.size(), 20u);
      EXPECT_LE(most_of_one(reply.peers, [](const wire::NodePeer& p) { return p.address; }), 2u);
    }
  }
}

TEST(PeerChoice, WhatStaysEmptyIsFilledFromTheSameNeighbourhood) {
  for (const std::uint32_t peers : {30u, 5000u}) {
    Tracker t;
    for (std::uint32_t i = 0; i < peers; ++i) {
      const Address from = v4(0x010000 | i % 250, 1);
      wire::AnnounceRequest announce = leecher(0);
      announce.port = static_cast<std::uint16_t>(1000 + i / 250);
      t.announce(from, announce);
      wire::NodeAnnounce node = node_announce(swarm_number(1), 1, false, 0);
      t.announce(v4(0x010000 | i % 250, announce.port), node);
    }
    EXPECT_EQ(t.announce(v4(0x020000, 1), leecher()).peers.size(), std::min(peers, 50u));
    EXPECT_EQ(t.announce(v4(0x020000, 1), node_announce(swarm_number(1), 2, false)).peers.size(), 20u);
  }
}

TEST(PeerChoice, LoopbackIsNoNeighbourhood) {
  EXPECT_EQ(subnet_of(Address::v4(127, 1, 2, 3, 0).ip), kExemptSubnet);
  Address one;
  one.ip[15] = std::byte{1};
  EXPECT_EQ(subnet_of(one.ip), kExemptSubnet);
  EXPECT_NE(subnet_of(v4(1, 0).ip), kExemptSubnet);
  EXPECT_NE(subnet_of(Address::v4(0, 0, 0, 0, 0).ip), kExemptSubnet);
  EXPECT_NE(subnet_of(Address{}.ip), kExemptSubnet);
}

TEST(PeerChoice, LeechersGetSeedersAndLeechersAsTheyAre) {
  Tracker t;
  for (std::uint32_t i = 0; i < 4000; ++i) t.announce(v4(i << 8, 1), i % 10 == 0 ? seeder(0) : leecher(0));
  std::size_t seeders = 0;
  std::map<Address, int> given;
  for (int again = 0; again < 2000; ++again) {
    for (const Address& peer : t.announce(v4(0xffff00, 1), leecher()).peers) {
      seeders +=
          ((std::to_integer<std::uint32_t>(peer.ip[13]) << 8) + std::to_integer<std::uint32_t>(peer.ip[14])) % 10 == 0;
      ++given[peer];
    }
  }
  EXPECT_NEAR(static_cast<double>(seeders) / 100'000, 0.1, 0.01);
  EXPECT_GE(given.size(), 3990u);  // everybody's turn comes
  for (const auto& [peer, times] : given) EXPECT_LT(times, 150) << "of 25 in the mean";
}

TEST(PeerChoice, SeedersGetLeechersFirst) {
  Tracker t;
  for (std::uint32_t i = 0; i < 1000; ++i) t.announce(v4(i << 8, 1), i % 100 < 7 ? leecher(0) : seeder(0));
  const auto leechers_in = [&](std::int32_t numwant) {
    const AnnounceReply reply = t.announce(v4(0xffff00, 1), seeder(numwant));
    EXPECT_EQ(reply.peers.size(), static_cast<std::size_t>(numwant));
    return std::ranges::count_if(reply.peers, [](const Address& peer) {
      return ((std::to_integer<std::uint32_t>(peer.ip[13]) << 8) + std::to_integer<std::uint32_t>(peer.ip[14])) % 100 <
             7;
    });
  };
  EXPECT_EQ(leechers_in(50), 50);
  EXPECT_EQ(leechers_in(200), 70);  // all there are, and seeders
}

TEST(PeerChoice, NodesGetWhoHasWhatTheyLackAndOthersToo) {
  Tracker t;
  const auto add = [&](std::uint32_t i, bool complete, std::uint32_t first_bit, std::uint32_t bits) {
    wire::NodeAnnounce node = node_announce(swarm_number(1), 1, complete, 0);
    for (std::uint32_t b = 0; b < bits && !complete; ++b) wire::set_owned(node.owned, first_bit + b);
    t.announce(v4(i << 8, 1), node);
  };
  for (std::uint32_t i = 0; i < 40; ++i) add(i, true, 0, 0);      // complete
  for (std::uint32_t i = 40; i < 80; ++i) add(i, false, 64, 64);  // the asker's other half
  for (std::uint32_t i = 80; i < 120; ++i) add(i, false, 0, 64);  // what it has itself
  wire::NodeAnnounce asker = node_announce(swarm_number(1), 2, false);
  for (std::uint32_t b = 0; b < 64; ++b) wire::set_owned(asker.owned, b);
  std::size_t complete = 0;
  std::size_t useful = 0;
  std::size_t useless = 0;
  for (int again = 0; again < 300; ++again) {
    std::size_t of_reply = 0;
    const auto reply = t.announce(v4(0xffff00, 1), asker);
    ASSERT_EQ(reply.peers.size(), 20u);
    for (const wire::NodePeer& peer : reply.peers) {
      if (peer.flags & wire::kContentComplete) {
        ++of_reply;
      } else {
        ++(wire::owns(peer.owned, 64) ? useful : useless);
      }
    }
    EXPECT_LE(of_reply, 10u);
    complete += of_reply;
  }
  EXPECT_GT(complete, 300u * 7);
  EXPECT_GT(useful, 300u * 7);
  EXPECT_GT(useless, 300u / 2);  // the random quarter
  EXPECT_LT(useless, 300u * 4);
}

TEST(PeerChoice, ACompleteNodeGetsThoseWhoLackMost) {
  Tracker t;
  for (std::uint32_t i = 0; i < 200; ++i) t.announce(v4(i << 8, 1), node_announce(swarm_number(1), 1, i % 2 == 0, 0));
  const auto reply = t.announce(v4(0xffff00, 1), node_announce(swarm_number(1), 2, true));
  EXPECT_EQ(reply.peers.size(), 20u);
  EXPECT_GE(std::ranges::count_if(reply.peers, [](const auto& p) { return (p.flags & wire::kContentComplete) == 0; }),
            10);
}

}  // namespace
}  // namespace peernet::tracker
