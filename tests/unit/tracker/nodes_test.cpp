// What PeerNet nodes see.
#include <set>

#include "tracker_client.hpp"

namespace peernet::tracker {
namespace {

TEST(TrackerNodes, LearnOfEachOtherAndOfThemselves) {
  Tracker t;
  wire::NodeAnnounce first = node_announce(swarm_number(1), 1, false);
  wire::set_owned(first.owned, 5);
  first.rate_kib = 77;
  t.announce(v4(1, 5001), first);
  const auto reply = t.announce(v4(2, 5002), node_announce(swarm_number(1), 2, true));
  EXPECT_EQ(reply.observed, v4(2, 5002));
  EXPECT_EQ(reply.epoch, t.core.epoch());
  EXPECT_EQ(reply.complete, 1u);
  EXPECT_EQ(reply.partial, 1u);
  EXPECT_EQ(reply.chunks, 128u);
  ASSERT_EQ(reply.peers.size(), 1u);
  EXPECT_EQ(reply.peers[0].address, v4(1, 5001));
  EXPECT_EQ(reply.peers[0].node, first.node);
  EXPECT_EQ(reply.peers[0].owned, first.owned);
  EXPECT_EQ(reply.peers[0].rate_kib, 77u);
  // Legacy clients and nodes are two lists.
  EXPECT_TRUE(
      t.announce(v4(3, 1), wire::AnnounceRequest{.swarm = swarm_number(1), .left = 1, .port = 6}).peers.empty());
}

TEST(TrackerNodes, LiveForThreeBeatsOf30Seconds) {
  Tracker t;
  const wire::NodeAnnounce node = node_announce(swarm_number(1), 1, true);
  t.announce(v4(1, 5001), node);
  t.pass(20s);
  EXPECT_EQ(t.beat(v4(1, 5001), heartbeat_of(node, {swarm_number(1)})).unknown, 0u);
  t.pass(89s);
  EXPECT_EQ(t.query(v4(9, 1), swarm_number(1)).nodes.size(), 1u);
  t.pass(1s);
  EXPECT_EQ(t.announce(v4(2, 5002), node_announce(swarm_number(1), 2, false)).peers.size(), 1u);
  t.pass(1ms);
  EXPECT_TRUE(t.announce(v4(2, 5002), node_announce(swarm_number(1), 2, false)).peers.empty());
  EXPECT_EQ(t.beat(v4(1, 5001), heartbeat_of(node, {swarm_number(1)})).unknown, 1u);
  EXPECT_EQ(t.count(Event::kExpired), 1u);
}

TEST(TrackerNodes, ADeadNodeIsNotGivenOutEvenIfNobodySweeps) {
  Tracker t;
  for (std::uint32_t i = 0; i < 100; ++i) t.announce(v4(i << 8, 9), node_announce(swarm_number(1), 1, i % 2 == 0));
  t.now += 91s;
  EXPECT_TRUE(t.announce(v4(7, 5), node_announce(swarm_number(1), 2, false)).peers.empty());
  const auto page = t.query(v4(7, 5), swarm_number(1));
  EXPECT_EQ(page.nodes.size(), 1u);
  EXPECT_EQ(page.cursor, 0u);
}

TEST(TrackerNodes, AreGoneAtOnceOnAGoodbye) {
  Tracker t;
  const wire::NodeAnnounce node = node_announce(swarm_number(1), 1, true);
  for (const bool by_heartbeat : {false, true}) {
    t.announce(v4(1, 5001), node);
    wire::NodeAnnounce leave = node;
    leave.flags |= wire::kContentLeft;
    // Another node that had this address before: its late goodbye is its own.
    wire::NodeAnnounce other = leave;
    other.node.fill(std::byte{9});
    t.beat(v4(1, 5001), heartbeat_of(other, {swarm_number(1)}));
    t.announce(v4(1, 5001), other);
    EXPECT_EQ(t.core.totals().nodes, 1u);
    if (by_heartbeat) {
      EXPECT_EQ(t.beat(v4(1, 5001), heartbeat_of(leave, {swarm_number(1), swarm_number(2)})).unknown, 0u);
    } else {
      EXPECT_TRUE(t.announce(v4(1, 5001), leave).peers.empty());
    }
    EXPECT_EQ(t.core.totals().contents, 0u);
  }
  EXPECT_EQ(t.count(Event::kGoodbyes), 2u);
}

TEST(TrackerNodes, HeartbeatsCarryOwnershipAndNameWhatIsUnknown) {
  Tracker t;
  wire::NodeAnnounce node = node_announce(swarm_number(1), 1, false);
  t.announce(v4(1, 5001), node);
  node.swarm = swarm_number(3);
  t.announce(v4(1, 5001), node);
  wire::set_owned(node.owned, 100);
  const auto beat = heartbeat_of(node, {swarm_number(1), swarm_number(2), swarm_number(3), swarm_number(4)});
  const auto reply = t.beat(v4(1, 5001), beat);
  EXPECT_EQ(reply.unknown, 0b1010u);
  EXPECT_EQ(reply.epoch, t.core.epoch());
  const auto page = t.query(v4(9, 1), swarm_number(3));
  ASSERT_EQ(page.nodes.size(), 1u);
  EXPECT_EQ(page.nodes[0].owned, node.owned);
  EXPECT_EQ(page.nodes[0].rate_kib, 99u);
  EXPECT_EQ(page.nodes[0].chunks, 128u);
  // From another address, or of another node at this one, it says nothing of this one.
  EXPECT_EQ(t.beat(v4(1, 5002), beat).unknown, 0b1111u);
  wire::Heartbeat stranger = beat;
  stranger.node.fill(std::byte{9});
  EXPECT_EQ(t.beat(v4(1, 5001), stranger).unknown, 0b1111u);
  EXPECT_EQ(t.count(Event::kHeartbeats), 3u);
  EXPECT_EQ(t.count(Event::kHeartbeatContents), 12u);
}

TEST(TrackerNodes, ARestartedTrackerIsWholeAfterOneHeartbeatAndAnnounce) {
  const wire::NodeAnnounce node = node_announce(swarm_number(1), 1, true);
  CoreOptions again = core_options();
  again.secret.fill(std::byte{8});
  again.epoch = 77;
  Tracker t(again);
  const auto reply = t.beat(v4(1, 5001), heartbeat_of(node, {swarm_number(1)}));
  EXPECT_EQ(reply.epoch, 77u);
  EXPECT_EQ(reply.unknown, 1u);
  t.announce(v4(1, 5001), node);
  EXPECT_EQ(t.beat(v4(1, 5001), heartbeat_of(node, {swarm_number(1)})).unknown, 0u);
}

TEST(TrackerNodes, EachReplyBringsAFreshId) {
  Tracker t;
  const Address from = v4(1, 5001);
  const auto reply = t.announce(from, node_announce(swarm_number(1), 1, true));
  EXPECT_EQ(reply.connection_id, t.connect(from, true));
  t.pass(60s);
  EXPECT_NE(t.beat(from, heartbeat_of(node_announce(swarm_number(1), 1, true), {swarm_number(1)})).connection_id,
            reply.connection_id);
}

TEST(TrackerNodes, AreGivenOnlyWhoServesThemInAFamilyTheyReach) {
  Tracker t;
  wire::NodeAnnounce silent = node_announce(swarm_number(1), 1, true);
  silent.flags &= static_cast<std::uint8_t>(~wire::kContentServed);
  t.announce(v4(1, 5), silent);
  t.announce(v4(2, 5), node_announce(swarm_number(1), 1, true));
  t.announce(v6(5, 1, 5), node_announce(swarm_number(1), 1, true));
  const auto given = [&](const Address& from, std::uint8_t families) {
    wire::NodeAnnounce ask = node_announce(swarm_number(1), 2, false);
    ask.flags = static_cast<std::uint8_t>((ask.flags & ~(wire::kReachesV4 | wire::kReachesV6)) | families);
    std::set<Address> out;
    for (const wire::NodePeer& peer : t.announce(from, ask).peers) out.insert(peer.address);
    return out;
  };
  const Address asker = v4(7, 5);
  EXPECT_EQ(given(asker, wire::kReachesV4 | wire::kReachesV6), (std::set{v4(2, 5), v6(5, 1, 5)}));
  EXPECT_EQ(given(asker, wire::kReachesV4), std::set{v4(2, 5)});
  EXPECT_EQ(given(asker, wire::kReachesV6), std::set{v6(5, 1, 5)});
  EXPECT_EQ(given(asker, 0), std::set{v4(2, 5)});  // says nothing: its own family
}

TEST(TrackerNodes, QueryPagesListEverybodyOnceWhoStays) {
  Tracker t;
  const auto add = [&](std::uint32_t i) { t.announce(v4(i, 5), node_announce(swarm_number(1), 1, i % 3 == 0, 0)); };
  for (std::uint32_t i = 0; i < 300; ++i) add(i);
  std::set<Address> listed;
  std::uint32_t cursor = 0;
  std::uint32_t more = 300;
  do {
    const auto page = t.query(v4(9, 1), swarm_number(1), cursor);
    for (const wire::ListedNode& node : page.nodes) EXPECT_TRUE(listed.insert(node.address).second);
    for (int i = 0; i < 40; ++i) add(more++);  // the buckets split meanwhile
    cursor = page.cursor;
  } while (cursor != 0);
  for (std::uint32_t i = 0; i < 300; ++i) EXPECT_TRUE(listed.contains(v4(i, 5))) << i;
  EXPECT_EQ(t.query(v4(9, 1), swarm_number(2)).cursor, 0u);
}

TEST(TrackerNodes, OneInsideThisProcessIsListedWithoutAskingByDatagram) {
  Tracker t;
  wire::NodeAnnounce node = node_announce(swarm_number(1), 1, true);
  t.core.announce_local(t.now, v4(1, 5), node);
  const auto reply = t.announce(v4(2, 5), node_announce(swarm_number(1), 2, false));
  ASSERT_EQ(reply.peers.size(), 1u);
  EXPECT_EQ(reply.peers[0].address, v4(1, 5));
  node.flags |= wire::kContentLeft;
  t.core.announce_local(t.now, v4(1, 5), node);
  EXPECT_EQ(t.query(v4(2, 5), swarm_number(1)).nodes.size(), 1u);
}

TEST(TrackerNodes, AreToldWhenTheTrackerGoes) {
  Tracker t;
  for (std::uint32_t i = 0; i < 5000; ++i) t.announce(v4(i, 5), node_announce(swarm_number(i % 700), 1, true, 0));
  t.announce(v4(1, 9), wire::AnnounceRequest{.swarm = swarm_number(1), .port = 9});
  std::set<Address> told;
  VisitCursor cursor;
  while (!cursor.done) {
    t.core.goodbyes(t.now, cursor, [&](const Address& to, ByteSpan datagram) {
      const auto decoded = wire::decode_tracker_reply(datagram);
      ASSERT_TRUE(decoded && std::holds_alternative<wire::Goodbye>(*decoded));
      EXPECT_EQ(std::get<wire::Goodbye>(*decoded).epoch, t.core.epoch());
      EXPECT_TRUE(told.insert(to).second);
      if (told.size() < 10) {
        EXPECT_EQ(std::get<wire::Goodbye>(*decoded).connection_id, t.connect(to, true));
      }
    });
  }
  EXPECT_EQ(told.size(), 5000u);
}

}  // namespace
}  // namespace peernet::tracker
