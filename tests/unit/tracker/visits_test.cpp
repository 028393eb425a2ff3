// Walks over everything that is listed, and what a snapshot puts back.
#include <map>
#include <set>

#include "tracker_client.hpp"

namespace peernet::tracker {
namespace {

wire::AnnounceRequest leecher(std::uint32_t swarm) {
  return {.swarm = swarm_number(swarm), .left = 1, .numwant = 0, .port = 9};
}
wire::AnnounceRequest stopped(std::uint32_t swarm) {
  wire::AnnounceRequest out = leecher(swarm);
  out.event = wire::AnnounceEvent::kStopped;
  return out;
}

using Seen = std::map<SwarmId, std::map<Address, int>>;
Seen visit_all(const Tracker& t, const std::function<void()>& between = [] {}) {
  Seen seen;
  VisitCursor cursor;
  while (!cursor.done) {
    t.core.visit_peers(t.now, cursor, [&](const SwarmSummary& swarm, const PeerSummary& peer) {
      ++seen[swarm.swarm][peer.node.address];
    });
    between();
  }
  return seen;
}

TEST(TrackerVisits, SeeEveryPeerOnceWhileNothingChanges) {
  Tracker t;
  for (std::uint32_t i = 0; i < 6000; ++i) t.announce(v4(i, 9), leecher(i % 2 == 0 ? 1 : i));
  for (std::uint32_t i = 0; i < 3000; ++i) t.announce(v6(i, 1, 9), leecher(i % 300));
  for (std::uint32_t i = 0; i < 3000; ++i) t.announce(v4(i, 7), node_announce(swarm_number(i % 3), 1, true, 0));
  std::size_t peers = 0;
  for (const auto& [swarm, addresses] : visit_all(t)) {
    for (const auto& [address, times] : addresses) EXPECT_EQ(times, 1);
    peers += addresses.size();
  }
  EXPECT_EQ(peers, 12'000u);
  std::set<SwarmId> swarms;
  VisitCursor cursor;
  while (!cursor.done)
    t.core.visit_swarms(cursor, [&](const SwarmSummary& swarm) { EXPECT_TRUE(swarms.insert(swarm.swarm).second); });
  EXPECT_EQ(swarms.size(), t.core.totals().contents);
}

TEST(TrackerVisits, MissNobodyWhoStaysWhileOthersComeAndGo) {
  Tracker t;
  // Those who stay: 3,000 in a swarm that grows and shrinks by 9,000, and one in each of 3,000 small swarms.
  for (std::uint32_t i = 0; i < 3000; ++i) {
    t.announce(v4(i, 9), leecher(1));
    t.announce(v4(i, 9), leecher(1000 + 2 * i));
  }
  for (const bool growing : {true, false}) {
    std::uint32_t step = 0;
    const Seen seen = visit_all(t, [&] {
      for (std::uint32_t k = 0; k < 3000 && step < 9000; ++k, ++step) {
        t.announce(v4(0x100000 + step, 9), growing ? leecher(1) : stopped(1));
        if (step < 3000) t.announce(v4(1, 9), growing ? leecher(1001 + 2 * step) : stopped(1001 + 2 * step));
      }
    });
    for (std::uint32_t i = 0; i < 3000; ++i) {
      EXPECT_TRUE(seen.at(swarm_number(1)).contains(v4(i, 9)));
      EXPECT_TRUE(seen.contains(swarm_number(1000 + 2 * i)));
    }
  }
  t.core.check_invariants();
}

TEST(TrackerVisits, OfOneSwarmShowItsPeersWithTheirAges) {
  Tracker t;
  wire::NodeAnnounce node = node_announce(swarm_number(1), 3, false);
  wire::set_owned(node.owned, 9);
  t.announce(v4(1, 7), node);
  t.announce(v4(2, 7), leecher(1));
  t.pass(40s);
  int peers = 0;
  EXPECT_TRUE(t.core.visit_peers_of(t.now, swarm_number(1), [&](const PeerSummary& peer) {
    ++peers;
    if (peer.legacy) {
      EXPECT_NEAR(peer.node.age_ms, 40'000, 15'000);  // ticks of 1/128 interval
    } else {
      EXPECT_EQ(peer.node.age_ms, 40'000u);
      EXPECT_EQ(peer.node.owned, node.owned);
    }
  }));
  EXPECT_EQ(peers, 2);
  EXPECT_FALSE(t.core.visit_peers_of(t.now, swarm_number(2), [](const PeerSummary&) { FAIL(); }));
}

TEST(TrackerVisits, ASnapshotPutsEverybodyBackAndTheirAgesCountOn) {
  Tracker before;
  for (std::uint32_t i = 0; i < 500; ++i) {
    wire::AnnounceRequest announce = leecher(i % 7);
    announce.left = i % 3;
    announce.event = wire::AnnounceEvent::kCompleted;
    before.announce(v4(i, 9), announce);
    before.announce(v6(i, 1, 9), announce);
    before.announce(v4(i, 7), node_announce(swarm_number(i % 7), 1, i % 2 == 0, 0));
  }
  before.pass(60s);
  Tracker after;
  after.now = at(5s);  // another clock, younger than the ages
  std::vector<std::pair<SwarmId, std::uint32_t>> completed;
  VisitCursor cursor;
  while (!cursor.done) {
    before.core.visit_peers(before.now, cursor, [&](const SwarmSummary& swarm, const PeerSummary& peer) {
      EXPECT_TRUE(after.core.restore(after.now, swarm.swarm, peer));
      completed.emplace_back(swarm.swarm, swarm.completed);
    });
  }
  for (const auto& [swarm, count] : completed) after.core.restore_completed(swarm, count);
  after.core.check_invariants();
  for (std::uint32_t n = 0; n < 7; ++n) {
    EXPECT_EQ(after.scrape(v4(1, 1), {swarm_number(n)}), before.scrape(v4(1, 1), {swarm_number(n)}));
    EXPECT_EQ(after.query(v4(1, 1), swarm_number(n)).complete, before.query(v4(1, 1), swarm_number(n)).complete);
  }
  after.pass(31s);
  before.pass(31s);
  EXPECT_EQ(after.query(v4(1, 1), swarm_number(0)).nodes.size(), 0u);
  EXPECT_EQ(after.core.totals().legacy_v4, 500u);
  after.pass(2700s);
  EXPECT_EQ(after.core.totals().contents, 0u);
  PeerSummary dead;
  dead.node.address = v4(1, 1);
  dead.node.age_ms = 90'001;
  EXPECT_FALSE(after.core.restore(after.now, swarm_number(1), dead));
}

TEST(TrackerVisits, NoAgeOfASnapshotBringsTheDeadBack) {
  Tracker t;
  // Records keep ages in 15 bits of ticks and 32 of milliseconds: both wrap, a snapshot's age does not.
  for (const Duration age : {Duration(90'001ms), Duration(65h), Duration(24h * 25), Duration(24h * 30), Duration(24h * 49)}) {
    PeerSummary old;
    old.node.address = v4(1, 1);
    old.node.age_ms = static_cast<std::uint32_t>(age / 1ms);
    EXPECT_FALSE(t.core.restore(t.now, swarm_number(1), old)) << age;
    old.legacy = true;
    EXPECT_EQ(t.core.restore(t.now, swarm_number(2), old), age < 45min) << age;
  }
  PeerSummary oldest;
  oldest.node.address = v4(1, 1);
  oldest.node.age_ms = UINT32_MAX;
  EXPECT_FALSE(t.core.restore(t.now, swarm_number(1), oldest));
  oldest.legacy = true;
  EXPECT_FALSE(t.core.restore(t.now, swarm_number(3), oldest));
}

TEST(TrackerVisits, WhoHasSpokenSinceIsNotOverwrittenByASnapshot) {
  Tracker t;
  t.announce(v4(1, 7), node_announce(swarm_number(1), 1, true));
  PeerSummary old;
  old.node.address = v4(1, 7);
  old.node.age_ms = 80'000;
  EXPECT_TRUE(t.core.restore(t.now, swarm_number(1), old));
  const auto page = t.query(v4(2, 7), swarm_number(1));
  ASSERT_EQ(page.nodes.size(), 1u);
  EXPECT_EQ(page.nodes[0].age_ms, 0u);
  EXPECT_EQ(page.complete, 1u);
}

}  // namespace
}  // namespace peernet::tracker
