// What stock clients see.
#include "tracker_client.hpp"

namespace peernet::tracker {
namespace {

using wire::AnnounceEvent;

wire::AnnounceRequest leecher(std::uint16_t port = 1000, std::uint32_t swarm = 1) {
  return {.swarm = swarm_number(swarm), .left = 1, .event = AnnounceEvent::kStarted, .numwant = -1, .port = port};
}
wire::AnnounceRequest seeder(std::uint16_t port = 1000, std::uint32_t swarm = 1) {
  wire::AnnounceRequest out = leecher(port, swarm);
  out.left = 0;
  return out;
}
wire::AnnounceRequest stopped(std::uint16_t port = 1000, std::uint32_t swarm = 1) {
  wire::AnnounceRequest out = leecher(port, swarm);
  out.event = AnnounceEvent::kStopped;
  return out;
}

TEST(Bep15, PeersOfOneSwarmFindEachOther) {
  Tracker t;
  EXPECT_TRUE(t.announce(v4(1, 999), seeder()).peers.empty());
  const AnnounceReply reply = t.announce(v4(2, 999), leecher(2000));
  EXPECT_EQ(reply.interval, 1800u);
  EXPECT_EQ(reply.seeders, 1u);
  EXPECT_EQ(reply.leechers, 1u);
  EXPECT_EQ(reply.peers, std::vector{v4(1, 1000)});  // observed IP, announced port
  EXPECT_TRUE(t.announce(v4(3, 999), leecher(1000, 2)).peers.empty());
  t.core.check_invariants();
}

TEST(Bep15, EachFamilyIsListedToItself) {
  Tracker t;
  t.announce(v4(1, 999), seeder());
  t.announce(v6(0x20010db8ull << 32, 1, 999), seeder());
  const AnnounceReply to_v6 = t.announce(v6(0x20010db8ull << 32, 2, 999), leecher());
  EXPECT_EQ(to_v6.peers, std::vector{v6(0x20010db8ull << 32, 1, 1000)});
  EXPECT_EQ(to_v6.seeders, 2u);
  const AnnounceReply to_v4 = t.announce(v4(2, 999), leecher());
  EXPECT_EQ(to_v4.peers, std::vector{v4(1, 1000)});
  EXPECT_EQ(to_v4.leechers, 2u);
}

TEST(Bep15, StoppedPeersAreGoneAtOnceAndOnlyTheirOwn) {
  Tracker t;
  t.announce(v4(1, 999), seeder());
  t.announce(v4(2, 999), seeder());
  const AnnounceReply reply = t.announce(v4(2, 998), stopped());
  EXPECT_EQ(reply.seeders, 1u);
  EXPECT_TRUE(reply.peers.empty());
  EXPECT_EQ(t.count(Event::kGoodbyes), 1u);
  EXPECT_EQ(t.announce(v4(3, 999), leecher()).peers, std::vector{v4(1, 1000)});
  t.announce(v4(3, 999), stopped());
  t.announce(v4(1, 999), stopped());
  t.announce(v4(1, 999), stopped());  // twice: nothing happens
  t.announce(v4(1, 999), stopped(1000, 5));
  EXPECT_EQ(t.core.totals().contents, 0u);
  EXPECT_EQ(t.count(Event::kGoodbyes), 3u);
  EXPECT_TRUE(t.core.next_sweep().is_never());
}

TEST(Bep15, CompletedIsCountedOnceAPeer) {
  Tracker t;
  t.announce(v4(1, 999), leecher());
  wire::AnnounceRequest completed = seeder();
  completed.event = AnnounceEvent::kCompleted;
  t.announce(v4(1, 999), completed);
  t.announce(v4(1, 999), completed);  // the reply was lost
  EXPECT_EQ(t.scrape(v4(9, 1), {swarm_number(1), swarm_number(2)}),
            (std::vector<ScrapeCounts>{{.seeders = 1, .completed = 1, .leechers = 0}, {}}));
}

TEST(Bep15, NumwantIsClamped) {
  Tracker t;
  const auto prefix = [](std::uint32_t i) { return 0x20010db800000000ull + (std::uint64_t{i} << 16); };
  for (std::uint32_t i = 0; i < 500; ++i) {
    t.announce(v4(i << 8, 999), leecher());
    t.announce(v6(prefix(i), 1, 999), leecher());
  }
  for (const auto& [numwant, v4_peers, v6_peers] :
       {std::array<std::int64_t, 3>{-1, 50, 50}, {INT32_MIN, 50, 50}, {0, 0, 0}, {7, 7, 7}, {INT32_MAX, 200, 66}}) {
    wire::AnnounceRequest ask = leecher();
    ask.numwant = static_cast<std::int32_t>(numwant);
    EXPECT_EQ(t.announce(v4(1, 1), ask).peers.size(), static_cast<std::size_t>(v4_peers)) << numwant;
    EXPECT_EQ(t.announce(v6(prefix(0), 1, 1), ask).peers.size(), static_cast<std::size_t>(v6_peers)) << numwant;
  }
}

TEST(Bep15, AnIdIsGoodForAMinuteAtLeastAndTwoAtMost) {
  for (const Duration begun : {0s, 59s}) {
    Tracker t;
    t.now = at(600s) + begun;
    const Address from = v4(1, 5);
    const std::uint64_t id = t.connect(from, false);
    ByteArray<wire::kMaxTrackerRequest> out;
    const std::size_t size = wire::encode(out, {.connection_id = id}, leecher(), {});
    const auto ask = [&](Duration later) {
      t.now = at(600s) + begun + later;
      return t.read_announce(t.ask(from, ByteSpan(out).first(size)), 0, true);
    };
    EXPECT_EQ(ask(60s).error, "");
    EXPECT_EQ(ask(120s).error, wire::text_of(wire::TrackerRefusal::kBadConnectionId));
  }
}

TEST(Bep15, LegacyPeersDieAfterOneAndAHalfIntervals) {
  Tracker t;
  t.announce(v4(1, 999), seeder());
  t.announce(v6(1, 1, 999), leecher());
  t.pass(2700s);
  EXPECT_EQ(t.scrape(v4(9, 1), {swarm_number(1)})[0], (ScrapeCounts{1, 0, 1}));
  t.pass(29s);  // two ticks of 1/128 interval, in which the hand comes by four times
  EXPECT_EQ(t.core.totals().contents, 0u);
  EXPECT_EQ(t.count(Event::kExpired), 2u);
}

TEST(Bep15, ScrapesAnswerAtMost74) {
  Tracker t;
  t.announce(v4(1, 999), seeder(1000, 73));
  std::vector<SwarmId> swarms;
  for (std::uint32_t i = 0; i < 74; ++i) swarms.push_back(swarm_number(i));
  auto counts = t.scrape(v4(9, 1), swarms);
  ASSERT_EQ(counts.size(), 74u);
  EXPECT_EQ(counts[73].seeders, 1u);
  EXPECT_EQ(counts[72].seeders, 0u);
}

}  // namespace
}  // namespace peernet::tracker
