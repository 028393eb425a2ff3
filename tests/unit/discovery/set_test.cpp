// One set and its trackers while all goes well, or the network is no worse than networks are.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "world.hpp"

namespace peernet::discovery {
namespace {

using Kind = DiscoveryEvent::Kind;

constexpr ContentState kComplete{.flags = wire::kContentComplete | wire::kContentServed, .chunks = 100};

std::set<Address> peers_told(const SimNode& node) {
  std::set<Address> out;
  for (const DiscoveryEvent& event : node.events)
    for (const wire::NodePeer& peer : event.peers.peers) out.insert(peer.address);
  return out;
}

TEST(TrackerSet, ConnectsAnnouncesAndTellsWhatItHas) {
  World world(1);
  const std::size_t tracker = world.add_tracker(30s);
  const std::size_t node = world.add_node();
  ContentState state{.flags = wire::kContentServed, .chunks = 50};
  wire::set_owned(state.owned, 3);
  world.nodes[node].set->set_rate(1234);
  world.add(node, swarm_of(1), {tracker}, state);
  world.run_for(100ms);
  const auto listed = world.listed(tracker, swarm_of(1), node);
  ASSERT_TRUE(listed);
  EXPECT_EQ(listed->node.node, world.nodes[node].tag);
  EXPECT_EQ(listed->node.chunks, 50u);
  EXPECT_EQ(listed->node.rate_kib, 1234u);
  EXPECT_EQ(listed->node.owned, state.owned);
  EXPECT_EQ(world.sent_by_nodes, 2u);  // a connect, an announce
  ASSERT_EQ(world.nodes[node].count(Kind::kAnnounced, world.trackers[tracker]->name), 1u);
  const auto peers = std::ranges::find(world.nodes[node].events, Kind::kPeers, &DiscoveryEvent::kind);
  ASSERT_NE(peers, world.nodes[node].events.end());
  EXPECT_EQ(peers->peers.observed, world.nodes[node].address);
}

TEST(TrackerSet, NodesFindEachOther) {
  World world(2);
  std::vector<std::size_t> trackers;
  for (int i = 0; i < 3; ++i) trackers.push_back(world.add_tracker(30s));
  for (int i = 0; i < 5; ++i) world.add(world.add_node(), swarm_of(1), trackers, kComplete);
  world.run_for(1s);
  const std::size_t newcomer = world.add_node();
  world.add(newcomer, swarm_of(1), trackers);
  world.run_for(1s);
  EXPECT_EQ(peers_told(world.nodes[newcomer]).size(), 5u);
}

TEST(TrackerSet, AContentLivesAtItsTwoBestTrackersOnly) {
  World world(3);
  std::vector<std::size_t> trackers;
  for (int i = 0; i < 5; ++i) trackers.push_back(world.add_tracker(1s));
  const std::size_t node = world.add_node();
  for (std::uint32_t i = 0; i < 20; ++i) world.add(node, swarm_of(i), trackers);
  world.run_for(3s);
  for (std::uint32_t i = 0; i < 20; ++i) {
    const std::vector<std::size_t> ranked = world.ranked(swarm_of(i));
    for (std::size_t place = 0; place < ranked.size(); ++place)
      EXPECT_EQ(world.listed(ranked[place], swarm_of(i), node).has_value(), place < kActiveTrackers);
  }
}

TEST(TrackerSet, HeartbeatsCarryThirtyTwoContents) {
  World world(4);
  const std::size_t tracker = world.add_tracker(30s);
  const std::size_t node = world.add_node();
  const std::vector<SwarmId> swarms = swarms_of(1000);
  for (const SwarmId& swarm : swarms) world.add(node, swarm, {tracker});
  world.run_for(60s);
  EXPECT_EQ(world.count(tracker, tracker::Event::kNodeAnnounces), 1000u);
  const std::uint64_t before = world.sent_by_nodes;
  const std::uint64_t beats = world.count(tracker, tracker::Event::kHeartbeats);
  const std::uint64_t contents = world.count(tracker, tracker::Event::kHeartbeatContents);
  world.run_for(300s);
  EXPECT_EQ(world.count(tracker, tracker::Event::kHeartbeats) - beats, 10u * 32);
  EXPECT_EQ(world.count(tracker, tracker::Event::kHeartbeatContents) - contents, 10'000u);
  EXPECT_EQ(world.sent_by_nodes - before, 10u * 32);  // and nothing else
  EXPECT_EQ(world.listed_count(tracker, swarms, node), 1000u);
}

TEST(TrackerSet, ASilentNodeIsListedForThreeBeats) {
  World world(5);
  const std::size_t tracker = world.add_tracker(30s);
  const std::size_t node = world.add_node();
  world.add(node, swarm_of(1), {tracker});
  const std::uint64_t before = world.count(tracker, tracker::Event::kHeartbeats);
  ASSERT_TRUE(world.run_until(31s, [&] { return world.count(tracker, tracker::Event::kHeartbeats) > before; }));
  world.nodes[node].frozen = true;
  world.run_for(89s);
  EXPECT_TRUE(world.listed(tracker, swarm_of(1), node));
  world.run_for(2s);
  EXPECT_FALSE(world.listed(tracker, swarm_of(1), node));
  // When it wakes up it is told that it is unknown, and announces.
  world.nodes[node].frozen = false;
  world.run_for(31s);
  EXPECT_TRUE(world.listed(tracker, swarm_of(1), node));
}

TEST(TrackerSet, AConnectionIdIsRenewedByRepliesAndByConnectAfterAMinute) {
  World world(6);
  const std::size_t often = world.add_tracker(30s);
  const std::size_t seldom = world.add_tracker(10min);
  const std::size_t node = world.add_node();
  world.add(node, swarm_of(1), {often});
  world.add(node, swarm_of(2), {seldom});
  world.run_for(2h);
  EXPECT_EQ(world.count(often, tracker::Event::kExtendedConnects), 1u);
  EXPECT_NEAR(static_cast<double>(world.count(seldom, tracker::Event::kExtendedConnects)), 13, 1);
  for (const std::size_t tracker : {often, seldom})
    EXPECT_EQ(world.trackers[tracker]->counters.refusals[std::size_t(wire::TrackerRefusal::kBadConnectionId)], 0u);
}

TEST(TrackerSet, CompletionIsAnnouncedAtOnceAndOwnershipWithTheNextBeat) {
  World world(7);
  const std::size_t tracker = world.add_tracker(30s);
  const std::size_t node = world.add_node();
  ContentState state{.flags = wire::kContentServed, .chunks = 100};
  const ContentKey key = world.add(node, swarm_of(1), {tracker}, state);
  world.run_for(30s);

  const std::uint64_t announces = world.count(tracker, tracker::Event::kNodeAnnounces);
  wire::set_owned(state.owned, 5);
  world.nodes[node].set->update(world.now, key, state);
  world.turn(node);
  ASSERT_TRUE(
      world.run_until(31s, [&] { return world.listed(tracker, swarm_of(1), node)->node.owned == state.owned; }));
  EXPECT_EQ(world.count(tracker, tracker::Event::kNodeAnnounces), announces);

  world.nodes[node].set->update(world.now, key, kComplete);
  world.turn(node);
  world.run_for(50ms);
  EXPECT_TRUE(world.listed(tracker, swarm_of(1), node)->node.flags & wire::kContentComplete);
  EXPECT_EQ(world.count(tracker, tracker::Event::kNodeAnnounces), announces + 1);
}

TEST(TrackerSet, AChangeDuringAnAnnounceIsNotLost) {
  World world(8, {.delay = 50ms});
  const std::size_t tracker = world.add_tracker(30s);
  const std::size_t node = world.add_node();
  const ContentState before{.flags = wire::kContentServed, .chunks = kComplete.chunks};
  const ContentKey key = world.add(node, swarm_of(1), {tracker}, before);
  world.run_for(120ms);  // the announce is on its way
  world.nodes[node].set->update(world.now, key, kComplete);
  world.turn(node);
  world.run_for(300ms);
  EXPECT_TRUE(world.listed(tracker, swarm_of(1), node)->node.flags & wire::kContentComplete);
}

TEST(TrackerSet, MorePeersAreAskedForOnceASecondAtOneTrackerAfterTheOther) {
  World world(9);
  const std::vector<std::size_t> trackers{world.add_tracker(30s), world.add_tracker(30s)};
  const std::size_t node = world.add_node();
  const ContentKey key = world.add(node, swarm_of(1), trackers);
  world.run_for(2s);
  const std::uint64_t before[2] = {world.count(0, tracker::Event::kNodeAnnounces),
                                   world.count(1, tracker::Event::kNodeAnnounces)};
  for (int i = 0; i < 400; ++i) {
    world.nodes[node].set->want_peers(world.now, key);
    world.turn(node);
    world.run_for(25ms);
  }
  for (std::size_t i = 0; i < 2; ++i) EXPECT_EQ(world.count(i, tracker::Event::kNodeAnnounces) - before[i], 5u);
}

TEST(TrackerSet, ARemovedContentIsGoneAtOnceAndSaidTogetherWithOthers) {
  World world(10);
  const std::size_t tracker = world.add_tracker(30s);
  const std::size_t node = world.add_node();
  const std::vector<SwarmId> swarms = swarms_of(100);
  std::vector<ContentKey> keys;
  for (const SwarmId& swarm : swarms) keys.push_back(world.add(node, swarm, {tracker}));
  world.run_for(5s);
  ASSERT_EQ(world.listed_count(tracker, swarms, node), 100u);
  const std::uint64_t before = world.sent_by_nodes;
  for (const ContentKey key : keys) world.nodes[node].set->remove(world.now, key);
  EXPECT_FALSE(world.nodes[node].set->idle());
  world.turn(node);
  EXPECT_TRUE(world.nodes[node].set->idle());
  world.run_for(50ms);
  EXPECT_EQ(world.listed_count(tracker, swarms, node), 0u);
  EXPECT_EQ(world.sent_by_nodes - before, 4u);
  world.run_for(10min);
  EXPECT_EQ(world.sent_by_nodes - before, 4u);
  EXPECT_TRUE(world.nodes[node].set->next_deadline().is_never());
  world.nodes[node].set->remove(world.now, keys[0]);  // dead keys
  world.nodes[node].set->update(world.now, keys[0], kComplete);
  world.nodes[node].set->want_peers(world.now, keys[0]);
  world.nodes[node].set->query(world.now, keys[0]);
  EXPECT_TRUE(world.nodes[node].set->next_deadline().is_never());
}

TEST(TrackerSet, ALostGoodbyeIsSaidAgain) {
  World world(11);
  const std::size_t tracker = world.add_tracker(30s);
  const std::size_t node = world.add_node();
  const ContentKey key = world.add(node, swarm_of(1), {tracker});
  world.run_for(1s);
  world.faults.loss = 1;
  world.nodes[node].set->remove(world.now, key);
  world.turn(node);
  world.faults.loss = 0;
  world.run_for(1s);
  EXPECT_FALSE(world.listed(tracker, swarm_of(1), node));
}

TEST(TrackerSet, AContentAddedAgainIsNotSaidGoodbyeTo) {
  World world(12);
  const std::size_t tracker = world.add_tracker(30s);
  const std::size_t node = world.add_node();
  const ContentKey key = world.add(node, swarm_of(1), {tracker});
  world.run_for(1s);
  world.faults.loss = 1;
  world.nodes[node].set->remove(world.now, key);
  world.turn(node);
  world.faults.loss = 0;
  world.add(node, swarm_of(1), {tracker});
  world.run_for(5s);
  EXPECT_TRUE(world.listed(tracker, swarm_of(1), node));
}

TEST(TrackerSet, ALostAnnounceIsNotRepeatedAfterTheGoodbye) {
  World world(17);
  const std::size_t tracker = world.add_tracker(30s);
  const std::size_t node = world.add_node();
  world.add(node, swarm_of(1), {tracker});
  world.run_for(1s);
  world.faults.loss = 1;
  const ContentKey key = world.add(node, swarm_of(2), {tracker});
  world.faults.loss = 0;
  world.nodes[node].set->remove(world.now, key);
  world.turn(node);
  world.run_for(5s);
  EXPECT_FALSE(world.listed(tracker, swarm_of(2), node));
}

TEST(TrackerSet, AQueryBringsEverybodyPageByPage) {
  for (const double loss : {0.0, 0.3}) {
    World world(13);
    const std::vector<std::size_t> trackers{world.add_tracker(30s), world.add_tracker(30s)};
    for (int i = 0; i < 100; ++i) world.add(world.add_node(), swarm_of(1), trackers);
    world.run_for(2s);
    world.faults = {.loss = loss, .delay = 20ms};
    const std::size_t watcher = world.add_node();
    ContentOptions options{.swarm = swarm_of(1), .announced = false};
    for (const std::size_t tracker : trackers) options.trackers.push_back(world.trackers[tracker]->endpoint());
    const ContentKey key = world.nodes[watcher].set->add(world.now, options);
    world.nodes[watcher].set->query(world.now, key);
    world.turn(watcher);
    const auto& events = world.nodes[watcher].events;
    const auto over = [&] { return !events.empty() && events.back().listing.cursor == 0; };
    ASSERT_TRUE(world.run_until(60s, over));
    std::set<Address> seen;
    for (const DiscoveryEvent& event : events) {
      EXPECT_EQ(event.kind, Kind::kListing);
      for (const wire::ListedNode& node : event.listing.nodes) seen.insert(node.address);
    }
    EXPECT_EQ(seen.size(), 100u);
    EXPECT_FALSE(world.listed(trackers[0], swarm_of(1), watcher));  // who only looks is not listed
    EXPECT_FALSE(world.listed(trackers[1], swarm_of(1), watcher));
  }
}

TEST(TrackerSet, WhoOnlyLooksAsksEveryTrackerAndTheOneThatIsBackLater) {
  World world(18);
  std::vector<std::size_t> trackers;
  for (int i = 0; i < 4; ++i) trackers.push_back(world.add_tracker(30s));
  for (int i = 0; i < 3; ++i) world.add(world.add_node(), swarm_of(1), {trackers[std::size_t(i)]});
  world.run_for(2s);
  world.trackers[1]->dead = true;
  const std::size_t watcher = world.add_node();
  ContentOptions options{.swarm = swarm_of(1), .announced = false};
  for (const std::size_t tracker : trackers) options.trackers.push_back(world.trackers[tracker]->endpoint());
  world.nodes[watcher].set->query(world.now, world.nodes[watcher].set->add(world.now, options));
  world.turn(watcher);
  world.run_for(4s);
  const SimNode& node = world.nodes[watcher];
  for (const std::size_t tracker : trackers)
    EXPECT_EQ(node.count(Kind::kListing, world.trackers[tracker]->name), tracker == 1 ? 0u : 1u);
  EXPECT_EQ(node.count(Kind::kDown, world.trackers[1]->name), 1u);
  world.trackers[1]->dead = false;
  world.run_for(31s);
  for (const std::size_t tracker : trackers) EXPECT_EQ(node.count(Kind::kListing, world.trackers[tracker]->name), 1u);
}

TEST(TrackerSet, EverythingIsListedWhateverTheNetworkDoes) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    World world(seed, {.loss = 0.3, .repeat = 0.1, .delay = 10ms, .jitter = 80ms});
    std::vector<std::size_t> trackers;
    for (int i = 0; i < 3; ++i) trackers.push_back(world.add_tracker(30s));
    const std::size_t node = world.add_node();
    const std::vector<SwarmId> swarms = swarms_of(40);
    for (const SwarmId& swarm : swarms) world.add(node, swarm, trackers);
    world.run_for(60s);
    for (int minute = 0; minute < 10; ++minute) {
      world.run_for(60s);
      for (const SwarmId& swarm : swarms) {
        std::size_t places = 0;
        for (const std::size_t tracker : trackers) places += world.listed(tracker, swarm, node).has_value();
        EXPECT_GE(places, 1u) << "seed " << seed;
      }
    }
  }
}

TEST(TrackerSet, AnEndpointsAddressesAreTriedInTurnUntilOneAnswers) {
  World world(14);
  const std::size_t tracker = world.add_tracker(30s, 2);
  const std::size_t node = world.add_node();
  world.add(node, swarm_of(1), {tracker});
  ASSERT_TRUE(world.run_until(2s, [&] { return world.listed(tracker, swarm_of(1), node).has_value(); }));
  const std::uint64_t before = world.sent_by_nodes;
  const std::uint64_t heard = world.trackers[tracker]->heard;
  world.run_for(10min);
  EXPECT_EQ(world.sent_by_nodes - before, world.trackers[tracker]->heard - heard);  // and it stays with that one
}

TEST(TrackerSet, ATrackerWithoutTheExtensionIsStillUseful) {
  World world(15);
  const std::size_t tracker = world.add_tracker(30s);
  world.trackers[tracker]->plain = true;
  world.trackers[tracker]->times.interval = 120s;
  world.restart(tracker);
  const std::size_t a = world.add_node();
  const std::size_t b = world.add_node();
  const ContentKey key = world.add(a, swarm_of(1), {tracker}, kComplete);
  world.run_for(1s);
  world.add(b, swarm_of(1), {tracker});
  world.run_for(1s);
  EXPECT_EQ(peers_told(world.nodes[b]), std::set<Address>{world.nodes[a].address});
  const auto peer = world.listed(tracker, swarm_of(1), a);
  ASSERT_TRUE(peer);
  EXPECT_TRUE(peer->legacy);
  EXPECT_TRUE(peer->seeder);
  const std::uint64_t announces = world.count(tracker, tracker::Event::kAnnounces);
  for (int i = 0; i < 600; ++i) {
    world.nodes[a].set->want_peers(world.now, key);  // its interval is respected all the same
    world.turn(a);
    world.run_for(2s);
  }
  EXPECT_NEAR(static_cast<double>(world.count(tracker, tracker::Event::kAnnounces) - announces), 20, 2);
  EXPECT_TRUE(world.listed(tracker, swarm_of(1), a));
  world.nodes[a].set->remove(world.now, key);
  world.turn(a);
  world.run_for(1s);
  EXPECT_FALSE(world.listed(tracker, swarm_of(1), a));
}

TEST(TrackerSet, ANodeThatTellsNoPortIsHomeAtTrackersWithTheExtensionOnly) {
  World world(16);
  std::vector<std::size_t> trackers;
  for (int i = 0; i < 3; ++i) trackers.push_back(world.add_tracker(30s));
  const std::vector<std::size_t> ranked = world.ranked(swarm_of(1));
  world.trackers[ranked[0]]->plain = true;
  const std::size_t node = world.add_node(0);
  world.add(node, swarm_of(1), trackers);
  world.run_for(2s);
  EXPECT_EQ(world.count(ranked[0], tracker::Event::kAnnounces), 0u);
  EXPECT_EQ(world.count(ranked[1], tracker::Event::kNodeAnnounces), 1u);
  EXPECT_EQ(world.count(ranked[2], tracker::Event::kNodeAnnounces), 1u);
}

TEST(TrackerSet, ContentsAndTrackersAreBounded) {
  TrackerSet set({.seed = 1});
  std::uint32_t number = 0;
  std::size_t refused = 0;
  for (std::size_t i = 0; i < TrackerSet::kMaxContents + 10; ++i) {
    ContentOptions options{.swarm = swarm_of(number++)};
    if (i < 30)
      for (int t = 0; t < 20; ++t)
        options.trackers.push_back({std::to_string(i) + "/" + std::to_string(t), {Address::v4(10, 0, 0, 1, 1)}});
    refused += set.add(Instant::from_ns(1), options) == ContentKey();
  }
  EXPECT_EQ(refused, 10u);
  std::array<std::byte, wire::kMaxTrackerRequest> out;
  std::size_t connects = 0;
  while (set.poll_transmit(Instant::from_ns(1), out)) ++connects;
  EXPECT_LE(connects, TrackerSet::kMaxTrackers);
}

}  // namespace
}  // namespace peernet::discovery
