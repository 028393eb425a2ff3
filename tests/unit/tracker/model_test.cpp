// Random announces, stops, heartbeats, scrapes and silence, against a model that keeps everything in maps. Times are
// whole milliseconds, so that the model knows to the instant who is dead.
#include <map>
#include <set>

#include "base/rng.hpp"
#include "tracker_client.hpp"

namespace peernet::tracker {
namespace {

using wire::AnnounceEvent;

constexpr Duration kInterval = 1280s;
constexpr Duration kTick = kInterval / 128;
constexpr Duration kBeat = 30s;

struct LegacyEntry {
  bool seeder = false;
  Instant seen;
};
struct NodeEntry {
  wire::NodeAnnounce told;
  Instant seen;
};
struct SwarmModel {
  std::map<Address, LegacyEntry> legacy;
  std::map<Address, NodeEntry> nodes;
  std::uint32_t completed = 0;
};

bool dead(const LegacyEntry& e, Instant now) {
  return now.ns() / kTick.count() - e.seen.ns() / kTick.count() > 192;
}
bool dead(const NodeEntry& e, Instant now) {
  return now - e.seen > 3 * kBeat;
}

class Model {
 public:
  explicit Model(std::uint64_t seed) : rng(seed), tracker(options()) {}

  void run(int steps) {
    for (int i = 0; i < steps; ++i) {
      const auto what = rng.below(100);
      if (what < 45) {
        legacy_announce();
      } else if (what < 65) {
        announce_node();
      } else if (what < 80) {
        heartbeat();
      } else if (what < 88) {
        scrape();
      } else if (what < 92) {
        query();
      } else if (what < 99) {
        tracker.pass(std::chrono::milliseconds(rng.below(5000)));
      } else {
        tracker.pass(std::chrono::seconds(rng.below(rng.chance(0.1) ? 2500 : 200)));
      }
      if (i % 256 == 0) tracker.core.check_invariants();
      if (testing::Test::HasFailure()) FAIL() << "step " << i;
    }
  }

  int exact = 0;
  int counted = 0;

 private:
  static CoreOptions options() {
    CoreOptions o = core_options();
    o.times = {.beat = kBeat, .interval = kInterval};
    return o;
  }

  // Swarm 0 is large (several buckets of each kind), the others are small.
  std::uint32_t any_swarm() { return rng.chance(0.5) ? 0 : static_cast<std::uint32_t>(1 + rng.below(20)); }
  Address any_address(std::uint32_t swarm, std::uint32_t kind) {
    const auto n = static_cast<std::uint32_t>(rng.below(swarm == 0 ? 600 : 5)) + 1000 * kind;
    if (rng.chance(0.3)) return v6(0x20010db8ull << 32 | n << 8, 1, 9);
    return v4(n << 8 | 1, 9);
  }
  SwarmModel& swarm_at(std::uint32_t n) {
    SwarmModel& s = swarms[n];
    std::erase_if(s.legacy, [&](const auto& e) { return dead(e.second, tracker.now); });
    std::erase_if(s.nodes, [&](const auto& e) { return dead(e.second, tracker.now); });
    if (s.legacy.empty() && s.nodes.empty()) s.completed = 0;
    return s;
  }
  // Counts may still hold whom the hand has not come to: in sets of several buckets only.
  void expect_count(std::uint32_t swarm, std::uint32_t got, std::size_t alive) {
    ++counted;
    exact += got == alive;
    if (swarm != 0) {
      EXPECT_EQ(got, alive);
    } else {
      EXPECT_GE(got, alive);
    }
  }
  template <class Map, class Which>
  static std::size_t count(const Map& map, const Which& which) {
    return static_cast<std::size_t>(std::count_if(map.begin(), map.end(), [&](const auto& e) { return which(e); }));
  }

  void legacy_announce() {
    const std::uint32_t n = any_swarm();
    const Address peer = any_address(n, 0);
    wire::AnnounceRequest request{.swarm = swarm_number(n), .port = peer.port};
    request.left = rng.below(2);
    request.event = static_cast<AnnounceEvent>(rng.chance(0.7) ? 0 : rng.below(4));
    request.numwant = static_cast<std::int32_t>(rng.below(80)) - 1;
    SwarmModel& s = swarm_at(n);
    const bool stopped = request.event == AnnounceEvent::kStopped;
    if (stopped) {
      s.legacy.erase(peer);
      swarm_at(n);
    } else {
      const auto old = s.legacy.find(peer);
      const bool was_seeder = old != s.legacy.end() && old->second.seeder;
      if (request.event == AnnounceEvent::kCompleted && request.left == 0 && !was_seeder) ++s.completed;
      s.legacy[peer] = {request.left == 0, tracker.now};
    }
    Address from = peer;
    from.port = static_cast<std::uint16_t>(1 + rng.below(60000));  // the announced port counts
    const AnnounceReply reply = tracker.announce(from, request);
    ASSERT_EQ(reply.error, "");
    expect_count(n, reply.seeders, count(s.legacy, [](const auto& e) { return e.second.seeder; }));
    expect_count(n, reply.leechers, count(s.legacy, [](const auto& e) { return !e.second.seeder; }));
    for (const Address& other : reply.peers) {
      EXPECT_TRUE(s.legacy.contains(other));  // nobody from elsewhere, nobody dead or gone
      EXPECT_EQ(other.is_v4(), peer.is_v4());
      EXPECT_NE(other, peer);
    }
    EXPECT_EQ(std::set<Address>(reply.peers.begin(), reply.peers.end()).size(), reply.peers.size());
    const std::size_t others =
        count(s.legacy, [&](const auto& e) { return e.first.is_v4() == peer.is_v4() && e.first != peer; });
    const std::size_t wanted = request.numwant < 0 ? 50 : static_cast<std::size_t>(request.numwant);
    EXPECT_EQ(reply.peers.size(), stopped ? 0 : std::min({wanted, others, std::size_t{peer.is_v4() ? 200u : 66u}}));
  }

  wire::OwnershipBits any_bits() {
    wire::OwnershipBits bits;
    for (std::byte& b : bits) b = std::byte(rng.below(256));
    return bits;
  }

  void announce_node() {
    const std::uint32_t n = any_swarm();
    const Address peer = any_address(n, 1);
    wire::NodeAnnounce request = node_announce(swarm_number(n), static_cast<std::uint8_t>(1 + rng.below(2)),
                                               rng.chance(0.3), static_cast<std::uint8_t>(rng.below(25)));
    if (rng.chance(0.1)) request.flags &= static_cast<std::uint8_t>(~wire::kContentServed);
    if (rng.chance(0.2)) request.flags &= static_cast<std::uint8_t>(~wire::kReachesV6);
    if (rng.chance(0.1)) request.flags |= wire::kContentLeft;
    request.rate_kib = static_cast<std::uint32_t>(rng.below(1000));
    request.owned = request.flags & wire::kContentComplete ? wire::all_owned() : any_bits();
    SwarmModel& s = swarm_at(n);
    const bool left = (request.flags & wire::kContentLeft) != 0;
    if (left) {
      const auto old = s.nodes.find(peer);
      if (old != s.nodes.end() && old->second.told.node == request.node) s.nodes.erase(old);
      swarm_at(n);
    } else {
      s.nodes[peer] = {request, tracker.now};
    }
    const wire::NodeAnnounceReply reply = tracker.announce(peer, request);
    EXPECT_EQ(reply.epoch, 0x1234u);
    EXPECT_EQ(reply.beat_ms, 30'000u);
    EXPECT_EQ(reply.observed, peer);
    const auto complete = [](const auto& e) { return (e.second.told.flags & wire::kContentComplete) != 0; };
    expect_count(n, reply.complete, count(s.nodes, complete));
    expect_count(n, reply.partial, s.nodes.size() - count(s.nodes, complete));
    std::set<Address> seen;
    for (const wire::NodePeer& other : reply.peers) {
      EXPECT_TRUE(seen.insert(other.address).second);
      EXPECT_NE(other.address, peer);
      ASSERT_TRUE(s.nodes.contains(other.address));
      const wire::NodeAnnounce& told = s.nodes[other.address].told;
      EXPECT_EQ(other.owned, told.owned);
      EXPECT_EQ(other.rate_kib, told.rate_kib);
      EXPECT_EQ(other.node, told.node);
    }
    const std::size_t fit = count(s.nodes, [&](const auto& e) {
      const bool reached = e.first.is_v4() || (request.flags & wire::kReachesV6) != 0;
      return e.first != peer && reached && (e.second.told.flags & wire::kContentServed) != 0;
    });
    EXPECT_EQ(reply.peers.size(), left ? 0 : std::min({std::size_t{request.numwant}, fit, std::size_t{20}}));
  }

  void heartbeat() {
    const Address peer = any_address(rng.chance(0.5) ? 0 : 1, 1);
    wire::Heartbeat beat;
    beat.node.fill(std::byte{1});
    beat.rate_kib = static_cast<std::uint32_t>(rng.below(1000));
    std::uint32_t unknown = 0;
    const auto entries = static_cast<std::uint32_t>(1 + rng.below(32));
    for (std::uint32_t i = 0; i < entries; ++i) {
      wire::HeartbeatEntry entry;
      const std::uint32_t n = any_swarm();
      entry.swarm = swarm_number(n);
      entry.flags = rng.chance(0.8) ? wire::kContentServed : 0;
      if (rng.chance(0.3)) entry.flags |= wire::kContentComplete;
      if (rng.chance(0.1)) entry.flags |= wire::kContentLeft;
      entry.owned = entry.flags & wire::kContentComplete ? wire::all_owned() : any_bits();
      beat.entries.push_back(entry);
      SwarmModel& s = swarm_at(n);
      const auto old = s.nodes.find(peer);
      if (entry.flags & wire::kContentLeft) {
        if (old != s.nodes.end() && old->second.told.node == beat.node) s.nodes.erase(old);
        swarm_at(n);
      } else if (old == s.nodes.end() || old->second.told.node != beat.node) {
        unknown |= std::uint32_t{1} << i;
      } else {
        old->second.told.flags = entry.flags;
        old->second.told.owned = entry.owned;
        old->second.told.rate_kib = beat.rate_kib;
        old->second.seen = tracker.now;
      }
    }
    EXPECT_EQ(tracker.beat(peer, beat).unknown, unknown);
  }

  void scrape() {
    std::vector<SwarmId> ids;
    for (std::uint32_t n = 1; n <= 20; ++n) ids.push_back(swarm_number(n));
    const auto counts = tracker.scrape(v4(1, 1), ids);
    ASSERT_EQ(counts.size(), ids.size());
    for (std::uint32_t n = 1; n <= 20; ++n) {
      const SwarmModel& s = swarm_at(n);
      const auto seeders = static_cast<std::uint32_t>(count(s.legacy, [](const auto& e) { return e.second.seeder; }));
      EXPECT_EQ(counts[n - 1],
                (ScrapeCounts{seeders, s.completed, static_cast<std::uint32_t>(s.legacy.size()) - seeders}));
    }
  }

  void query() {
    const std::uint32_t n = any_swarm();
    const SwarmModel& s = swarm_at(n);
    std::set<Address> listed;
    std::uint32_t cursor = 0;
    do {
      const wire::QueryReply page = tracker.query(v4(1, 1), swarm_number(n), cursor);
      for (const wire::ListedNode& node : page.nodes) {
        EXPECT_TRUE(listed.insert(node.address).second);
        ASSERT_TRUE(s.nodes.contains(node.address));
        const NodeEntry& e = s.nodes.at(node.address);
        EXPECT_EQ(node.age_ms, static_cast<std::uint32_t>((tracker.now - e.seen) / 1ms));
        EXPECT_EQ(node.owned, e.told.owned);
      }
      cursor = page.cursor;
    } while (cursor != 0);
    EXPECT_EQ(listed.size(), s.nodes.size());
  }

  Rng rng;
  Tracker tracker;
  std::map<std::uint32_t, SwarmModel> swarms;
};

TEST(TrackerModel, AnswersAsTheModelDoes) {
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    SCOPED_TRACE(seed);
    Model model(seed);
    model.run(6000);
    if (HasFatalFailure() || HasNonfatalFailure()) return;
    EXPECT_GT(model.exact, model.counted * 8 / 10);  // counts lag seldom
  }
}

}  // namespace
}  // namespace peernet::tracker
