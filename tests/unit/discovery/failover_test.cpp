// Trackers that fall silent, come back, start anew, leave, or are full.
#include <gtest/gtest.h>

#include <algorithm>

#include "base/bytes.hpp"
#include "world.hpp"

namespace peernet::discovery {
namespace {

using Kind = DiscoveryEvent::Kind;

bool is_announce(ByteSpan reply) {
  return ByteReader(reply).u32() == static_cast<std::uint32_t>(wire::TrackerAction::kNodeAnnounce);
}
bool is_page(ByteSpan reply) {
  return ByteReader(reply).u32() == static_cast<std::uint32_t>(wire::TrackerAction::kQuery);
}

/// A node with many contents at three trackers, all settled.
struct Settled {
  Settled(std::uint64_t seed, Duration beat_time, std::uint32_t contents, const NetworkFaults& faults = {})
      : world(seed, faults), beat(beat_time), swarms(swarms_of(contents)) {
    for (int i = 0; i < 3; ++i) trackers.push_back(world.add_tracker(beat));
    node = world.add_node();
    for (const SwarmId& swarm : swarms) keys.push_back(world.add(node, swarm, trackers));
    world.run_for(2 * beat + 3s);
    EXPECT_TRUE(at_homes());
  }

  /// Every content is listed at its two best trackers that live.
  bool at_homes() const {
    for (const SwarmId& swarm : swarms) {
      std::size_t homes = 0;
      for (const std::size_t tracker : world.ranked(swarm)) {
        if (world.trackers[tracker]->dead) continue;
        if (homes++ == kActiveTrackers) break;
        if (!world.listed(tracker, swarm, node)) return false;
      }
    }
    return true;
  }
  /// And nowhere else.
  bool only_at_homes() const {
    for (const SwarmId& swarm : swarms)
      if (world.listed(world.ranked(swarm)[2], swarm, node)) return false;
    return at_homes();
  }
  void wait_for_request(std::size_t tracker) {
    const std::uint64_t heard = world.trackers[tracker]->heard;
    ASSERT_TRUE(world.run_until(2 * beat, [&] { return world.trackers[tracker]->heard > heard; }));
  }

  World world;
  Duration beat;
  std::vector<SwarmId> swarms;
  std::vector<std::size_t> trackers;
  std::vector<ContentKey> keys;
  std::size_t node = 0;
};

TEST(Failover, WithinOneBeatOfTheFirstUnansweredHeartbeatAllIsListedElsewhere) {
  for (const Duration beat : {Duration(1s), Duration(30s)}) {
    Settled s(1, beat, 200);
    s.world.trackers[0]->dead = true;
    s.wait_for_request(0);
    s.world.run_for(beat);
    EXPECT_TRUE(s.at_homes());
    EXPECT_EQ(s.world.nodes[s.node].count(Kind::kDown, s.world.trackers[0]->name), 1u);
  }
}

TEST(Failover, HoldsOverALossyNetwork) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    Settled s(seed, 30s, 20);
    s.world.faults = {.loss = 0.2, .repeat = 0.1, .delay = 20ms, .jitter = 50ms};
    s.world.trackers[0]->dead = true;
    s.wait_for_request(0);
    s.world.run_for(s.beat);
    EXPECT_TRUE(s.at_homes()) << "seed " << seed;
  }
}

TEST(Failover, ContentsReturnAndLeaveTheSubstitute) {
  Settled s(2, 1s, 50);
  s.world.trackers[1]->dead = true;
  s.world.run_for(10s);
  EXPECT_TRUE(s.at_homes());
  EXPECT_FALSE(s.only_at_homes());
  s.world.trackers[1]->dead = false;
  EXPECT_TRUE(s.world.run_until(20s, [&] { return s.only_at_homes(); }));
}

TEST(Failover, TheSubstituteIsNotLeftBeforeTheContentIsListedAgain) {
  Settled s(3, 1s, 1);
  const std::vector<std::size_t> ranked = s.world.ranked(s.swarms[0]);
  s.world.trackers[ranked[0]]->dead = true;
  s.world.run_for(5s);
  s.world.trackers[ranked[0]]->dead = false;
  while (!s.only_at_homes()) {
    std::size_t places = 0;
    for (const std::size_t tracker : {ranked[1], ranked[2], ranked[0]})
      places += !s.world.trackers[tracker]->dead && s.world.listed(tracker, s.swarms[0], s.node);
    ASSERT_GE(places, 2u);
    s.world.run_for(1ms);
  }
}

TEST(Failover, ASubstituteStaysWhileTheReturnedTrackerConnectsButListsNothing) {
  Settled s(3, 1s, 1);
  const std::vector<std::size_t> ranked = s.world.ranked(s.swarms[0]);
  s.world.trackers[ranked[0]]->dead = true;
  s.world.run_for(5s);
  s.world.trackers[ranked[0]]->dead = false;
  s.world.swallow = [&](std::size_t tracker, ByteSpan reply) { return tracker == ranked[0] && is_announce(reply); };
  for (int i = 0; i < 300; ++i) {
    s.world.run_for(100ms);
    ASSERT_TRUE(s.world.listed(ranked[2], s.swarms[0], s.node));
  }
  s.world.swallow = nullptr;
  EXPECT_TRUE(s.world.run_until(20s, [&] { return s.only_at_homes(); }));
}

TEST(Failover, WithoutAnyTrackerLittleIsSentAndAllIsWholeABeatAfterTheyAreBack) {
  for (const Duration beat : {Duration(1s), Duration(30s)}) {
    Settled s(4, beat, 300);
    for (auto& tracker : s.world.trackers) tracker->dead = true;
    s.world.run_for(2 * beat);
    std::uint64_t before = s.world.sent_by_nodes;
    for (int i = 0; i < 20; ++i) {
      s.world.run_for(beat);
      EXPECT_LE(s.world.sent_by_nodes - before, 9u);  // three trackers, at most 16/7 connects a beat
      before = s.world.sent_by_nodes;
    }
    s.world.run_for(160 * beat);
    EXPECT_LE(s.world.sent_by_nodes - before, 160u * 7);
    EXPECT_GE(s.world.sent_by_nodes - before, 160u * 5);
    EXPECT_EQ(s.world.nodes[s.node].count(Kind::kDown), 3u);  // told once, not with every try
    for (auto& tracker : s.world.trackers) tracker->dead = false;
    s.world.run_for(beat);
    EXPECT_TRUE(s.at_homes());
  }
}

TEST(Failover, ATrackerThatWasAwayIsWholeWithinOneBeatOfBeingBackHoweverLongItWasAway) {
  for (const Duration beat : {Duration(1s), Duration(30s)}) {
    for (const int beats : {1, 3, 6, 20, 100}) {
      Settled s(15, beat, 200);
      s.world.trackers[0]->dead = true;
      s.world.run_for(beats * beat);
      s.world.restart(0);
      s.world.trackers[0]->dead = false;
      s.world.run_for(beat);
      EXPECT_TRUE(s.at_homes()) << beats;
    }
  }
}

TEST(Failover, EveryAddressOfALostTrackerIsTriedWithinABeat) {
  World world(16);
  const std::size_t tracker = world.add_tracker(30s, 3);
  const std::size_t node = world.add_node();
  world.add(node, swarm_of(1), {tracker});
  world.run_for(40s);
  ASSERT_TRUE(world.listed(tracker, swarm_of(1), node));
  world.trackers[tracker]->dead = true;
  world.run_for(10min);
  world.restart(tracker);
  world.trackers[tracker]->dead = false;
  world.run_for(30s);
  EXPECT_TRUE(world.listed(tracker, swarm_of(1), node));
}

TEST(Failover, ATrackerOfAHastyBeatIsNotFloodedWhenItIsGone) {
  World world(17);
  const std::size_t tracker = world.add_tracker(50ms);
  world.add(world.add_node(), swarm_of(1), {tracker});
  world.run_for(1s);
  world.trackers[tracker]->dead = true;
  world.run_for(1s);
  const std::uint64_t before = world.sent_by_nodes;
  world.run_for(10s);
  EXPECT_LE(world.sent_by_nodes - before, 120u);
}

TEST(Failover, ARestartedTrackerIsWholeWithinOneBeatOfItsFirstReply) {
  for (const Duration beat : {Duration(1s), Duration(30s)}) {
    Settled s(5, beat, 300);
    s.world.restart(0);
    const std::uint64_t replies = s.world.count(0, tracker::Event::kReplies);
    ASSERT_TRUE(s.world.run_until(2 * beat, [&] { return s.world.count(0, tracker::Event::kReplies) > replies; }));
    s.world.run_for(beat);
    EXPECT_TRUE(s.at_homes());
  }
}

TEST(Failover, AfterARestartAnnouncesAreSpreadOverTheBeat) {
  Settled s(6, 30s, 300);
  s.world.restart(0);
  const std::uint64_t before = s.world.count(0, tracker::Event::kNodeAnnounces);
  ASSERT_TRUE(s.world.run_until(60s, [&] { return s.world.count(0, tracker::Event::kNodeAnnounces) > before; }));
  std::uint64_t last = s.world.count(0, tracker::Event::kNodeAnnounces);
  std::uint64_t most = 0;
  for (int second = 0; second < 30; ++second) {
    s.world.run_for(1s);
    const std::uint64_t count = s.world.count(0, tracker::Event::kNodeAnnounces);
    most = std::max(most, count - last);
    last = count;
  }
  EXPECT_GE(last - before, 190u);  // some 200 of them live here
  EXPECT_LE(most, 25u);
}

TEST(Failover, AnHonestGoodbyeMovesEverythingAtOnce) {
  Settled s(7, 30s, 100);
  tracker::VisitCursor cursor;
  s.world.trackers[0]->dead = true;
  while (!cursor.done) {
    s.world.trackers[0]->core->goodbyes(s.world.now, cursor, [&](const Address& to, ByteSpan goodbye) {
      ASSERT_EQ(to, s.world.nodes[s.node].address);
      EXPECT_TRUE(s.world.inject(s.world.trackers[0]->addresses.back(), s.node, goodbye));
    });
  }
  EXPECT_EQ(s.world.nodes[s.node].count(Kind::kDown), 1u);
  s.world.run_for(5s);  // 50 announces a second after the first
  EXPECT_TRUE(s.at_homes());
}

TEST(Failover, ANewcomerIsNotHeldUpByDeadTrackers) {
  World world(8);
  std::vector<std::size_t> trackers;
  for (int i = 0; i < 3; ++i) trackers.push_back(world.add_tracker(30s));
  for (int i = 0; i < 5; ++i) world.add(world.add_node(), swarm_of(1), trackers);
  world.run_for(3s);
  const std::vector<std::size_t> ranked = world.ranked(swarm_of(1));
  for (const std::size_t dead : {ranked[0], ranked[1]}) world.trackers[dead]->dead = true;
  world.run_for(40s);  // those five have moved to the third
  const std::size_t newcomer = world.add_node();
  world.add(newcomer, swarm_of(1), trackers);
  EXPECT_TRUE(world.run_until(1500ms, [&] { return world.nodes[newcomer].count(Kind::kPeers) > 0; }));
  EXPECT_EQ(world.nodes[newcomer].events.back().peers.peers.size(), 5u);
  world.trackers[ranked[0]]->dead = false;
  EXPECT_TRUE(world.run_until(20min, [&] { return world.listed(ranked[0], swarm_of(1), newcomer).has_value(); }));
}

TEST(Failover, ATrackerThatAnswersLateGetsItsContentsBack) {
  World world(13, {.delay = 600ms});
  std::vector<std::size_t> trackers;
  for (int i = 0; i < 3; ++i) trackers.push_back(world.add_tracker(30s));
  const std::vector<std::size_t> ranked = world.ranked(swarm_of(1));
  const std::size_t node = world.add_node();
  world.add(node, swarm_of(1), trackers);
  world.run_for(12s);
  EXPECT_GT(world.trackers[ranked[2]]->heard, 0u);
  EXPECT_TRUE(world.listed(ranked[0], swarm_of(1), node));
  EXPECT_TRUE(world.listed(ranked[1], swarm_of(1), node));
  EXPECT_FALSE(world.listed(ranked[2], swarm_of(1), node));
  EXPECT_EQ(world.nodes[node].count(Kind::kDown), 0u);
}

TEST(Failover, ATrackerThatNeverAnsweredIsTriedAgainSoonerThanABeatLater) {
  World world(9);
  const std::size_t tracker = world.add_tracker(30s);
  world.trackers[tracker]->dead = true;
  const std::size_t node = world.add_node();
  world.add(node, swarm_of(1), {tracker});
  world.run_for(4s);
  EXPECT_EQ(world.nodes[node].count(Kind::kDown), 1u);
  world.trackers[tracker]->dead = false;
  EXPECT_TRUE(world.run_until(6s, [&] { return world.listed(tracker, swarm_of(1), node).has_value(); }));
}

TEST(Failover, AFullTrackerIsStoodInForAndTriedAgain) {
  World world(10);
  std::vector<std::size_t> trackers;
  for (int i = 0; i < 3; ++i) trackers.push_back(world.add_tracker(1s));
  const std::vector<std::size_t> ranked = world.ranked(swarm_of(1));
  tracker::Limits limits = world.trackers[ranked[0]]->core->limits();
  limits.peers_per_address = 1;
  world.trackers[ranked[0]]->core->set_limits(limits);
  const std::size_t node = world.add_node();
  const ContentKey other = world.add(node, swarm_of(2), {ranked[0]});
  world.run_for(100ms);
  world.add(node, swarm_of(1), trackers);
  world.run_for(500ms);
  EXPECT_TRUE(world.listed(ranked[1], swarm_of(1), node));
  EXPECT_TRUE(world.listed(ranked[2], swarm_of(1), node));
  EXPECT_EQ(world.nodes[node].count(Kind::kRefused, world.trackers[ranked[0]]->name), 1u);
  const auto refused = std::ranges::find(world.nodes[node].events, Kind::kRefused, &DiscoveryEvent::kind);
  EXPECT_EQ(refused->text, "too many peers of this address");
  world.run_for(60s);
  EXPECT_LE(world.nodes[node].count(Kind::kRefused), 8u);  // after 1, 2, 4, 8, 16, 16 beats
  world.nodes[node].set->remove(world.now, other);
  world.turn(node);
  EXPECT_TRUE(world.run_until(20s, [&] { return world.listed(ranked[0], swarm_of(1), node).has_value(); }));
  world.run_for(100ms);
  EXPECT_FALSE(world.listed(ranked[2], swarm_of(1), node));
}

TEST(Failover, AProcessThatWasStoppedBlamesNoTracker) {
  Settled s(11, 30s, 10);
  s.wait_for_request(0);  // its answer is on the way
  s.world.nodes[s.node].frozen = true;
  s.world.run_for(50s);
  s.world.nodes[s.node].frozen = false;
  s.world.run_for(30s);
  EXPECT_EQ(s.world.nodes[s.node].count(Kind::kDown), 0u);
  EXPECT_TRUE(s.at_homes());
}

TEST(Failover, QueriesMoveOnToATrackerThatAnswers) {
  Settled s(12, 30s, 1);
  const std::vector<std::size_t> ranked = s.world.ranked(s.swarms[0]);
  s.world.trackers[ranked[0]]->dead = true;
  s.world.nodes[s.node].set->query(s.world.now, s.keys[0]);
  s.world.turn(s.node);
  EXPECT_TRUE(s.world.run_until(10s, [&] { return s.world.nodes[s.node].count(Kind::kListing) > 0; }));
}

TEST(Failover, QueriesMoveOnFromATrackerThatAnswersOthersOnly) {
  Settled s(14, 30s, 1);
  const std::vector<std::size_t> ranked = s.world.ranked(s.swarms[0]);
  s.world.swallow = [&](std::size_t tracker, ByteSpan reply) { return tracker == ranked[0] && is_page(reply); };
  s.world.nodes[s.node].set->query(s.world.now, s.keys[0]);
  for (int second = 0; second < 15; ++second) {
    s.world.nodes[s.node].set->want_peers(s.world.now, s.keys[0]);  // answered: it is not silent
    s.world.turn(s.node);
    s.world.run_for(1s);
  }
  EXPECT_EQ(s.world.nodes[s.node].count(Kind::kListing, s.world.trackers[ranked[1]]->name), 1u);
  EXPECT_EQ(s.world.nodes[s.node].count(Kind::kDown), 0u);
}

}  // namespace
}  // namespace peernet::discovery
