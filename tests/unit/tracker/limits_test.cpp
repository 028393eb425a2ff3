// Limits, and the sum of what comes and goes.
#include "tracker/address_counts.hpp"
#include "tracker_client.hpp"

namespace peernet::tracker {
namespace {

wire::AnnounceRequest leecher(std::uint32_t swarm, std::uint16_t port = 9) {
  return {.swarm = swarm_number(swarm), .left = 1, .numwant = 0, .port = port};
}
CoreOptions with(const Limits& limits) {
  CoreOptions options = core_options();
  options.limits = limits;
  return options;
}
template <class Reply>
std::string error_of(const std::variant<Reply, wire::ErrorReply>& reply) {
  return std::holds_alternative<Reply>(reply) ? "" : std::string(std::get<wire::ErrorReply>(reply).text);
}

TEST(TrackerLimits, ContentsAreRefusedByNameAndMayBeRaised) {
  Tracker t(with({.contents = 2}));
  EXPECT_EQ(t.announce(v4(1, 9), leecher(1)).error, "");
  EXPECT_EQ(t.announce(v4(1, 9), leecher(2)).error, "");
  EXPECT_EQ(t.announce(v4(1, 9), leecher(3)).error, "too many contents on this tracker");
  EXPECT_EQ(error_of(t.extended<wire::NodeAnnounceReply>(v4(1, 9), node_announce(swarm_number(3), 1, true))),
            "too many contents on this tracker");
  EXPECT_EQ(t.count(Event::kTooManyContents), 2u);
  EXPECT_EQ(t.announce(v4(1, 9), leecher(2)).error, "");  // what is there is refreshed
  t.core.set_limits({.contents = 3});
  EXPECT_EQ(t.core.limits().contents, 3u);
  EXPECT_EQ(t.announce(v4(1, 9), leecher(3)).error, "");
  wire::AnnounceRequest stop = leecher(1);
  stop.event = wire::AnnounceEvent::kStopped;
  t.announce(v4(1, 9), stop);
  EXPECT_EQ(t.announce(v4(1, 9), leecher(4)).error, "");
  t.core.check_invariants();
}

TEST(TrackerLimits, PeersOfAContentCountAllKinds) {
  Tracker t(with({.peers_per_content = 3}));
  t.announce(v4(1, 9), leecher(1));
  t.announce(v6(1, 1, 9), leecher(1));
  t.announce(v4(2, 9), node_announce(swarm_number(1), 1, true));
  EXPECT_EQ(t.announce(v4(3, 9), leecher(1)).error, "too many peers of this content");
  EXPECT_EQ(t.announce(v4(1, 9), leecher(1)).error, "");
  EXPECT_EQ(t.announce(v4(3, 9), leecher(2)).error, "");
  EXPECT_EQ(t.count(Event::kTooManyPeers), 1u);
}

TEST(TrackerLimits, LegacyPeersCannotTakeAllPlacesOfNodes) {
  Tracker t(with({.peers_per_content = 4, .legacy_per_content = 2}));
  EXPECT_EQ(t.announce(v4(1, 9), leecher(1)).error, "");
  EXPECT_EQ(t.announce(v6(1, 1, 9), leecher(1)).error, "");
  EXPECT_EQ(t.announce(v4(2, 9), leecher(1)).error, "too many peers of this content");
  EXPECT_EQ(t.announce(v6(2, 1, 9), leecher(1)).error, "too many peers of this content");
  t.announce(v4(3, 9), node_announce(swarm_number(1), 1, true));
  t.announce(v4(4, 9), node_announce(swarm_number(1), 2, true));
  EXPECT_EQ(t.core.totals().nodes, 2u);
  EXPECT_EQ(t.core.limits().legacy_per_content, 2u);
}

TEST(TrackerLimits, PeersOfAnAddressCountOverAllContentsAndKinds) {
  Tracker t(with({.peers_per_address = 3}));
  const auto refused = [&](const Address& from, std::uint32_t swarm) { return t.announce(from, leecher(swarm)).error; };
  EXPECT_EQ(refused(v4(1, 9), 1), "");
  EXPECT_EQ(refused(v4(1, 9), 2), "");
  t.announce(v4(1, 9), node_announce(swarm_number(1), 1, true));
  EXPECT_EQ(refused(v4(1, 9), 3), "too many peers of this address");
  EXPECT_EQ(t.core.totals().contents, 2u);  // no empty swarm is left behind
  EXPECT_EQ(refused(v4(2, 9), 3), "");
  // A /64 is one address.
  for (std::uint32_t i = 0; i < 3; ++i) EXPECT_EQ(refused(v6(1, i, 9), 1), "");
  EXPECT_EQ(refused(v6(1, 99, 9), 1), "too many peers of this address");
  EXPECT_EQ(refused(v6(2, 99, 9), 1), "");
  for (std::uint32_t i = 0; i < 100; ++i) EXPECT_EQ(refused(Address::v4(127, 0, 0, 1, 9), i), "");  // exempt
  EXPECT_EQ(t.count(Event::kTooManyPeersOfAddress), 2u);
  // Stops, goodbyes and silence give the places back.
  wire::AnnounceRequest stop = leecher(1);
  stop.event = wire::AnnounceEvent::kStopped;
  t.announce(v4(1, 9), stop);
  EXPECT_EQ(refused(v4(1, 9), 3), "");
  EXPECT_EQ(refused(v4(1, 9), 4), "too many peers of this address");
  wire::NodeAnnounce leave = node_announce(swarm_number(1), 1, true);
  leave.flags |= wire::kContentLeft;
  t.beat(v4(1, 9), heartbeat_of(leave, {swarm_number(1)}));
  EXPECT_EQ(refused(v4(1, 9), 4), "");
  t.pass(3000s);
  for (std::uint32_t i = 0; i < 3; ++i) EXPECT_EQ(refused(v4(1, 9), i), "");
  t.core.check_invariants();
}

TEST(AddressCounts, AreExactAndLeaveNothing) {
  AddressCounts counts{TableHash(Hash128{})};
  for (std::uint32_t round = 0; round < 3; ++round) {
    for (std::uint32_t i = 0; i < 30'000; ++i) EXPECT_TRUE(counts.add(v4(i, 9), 3));
    EXPECT_EQ(counts.addresses(), 30'000u);
  }
  for (std::uint32_t i = 0; i < 30'000; ++i) EXPECT_FALSE(counts.add(v4(i, 1), 3));
  for (std::uint32_t round = 0; round < 3; ++round)
    for (std::uint32_t i = 0; i < 30'000; ++i) counts.remove(v4(i * 7 % 30'000, 9));
  EXPECT_EQ(counts.addresses(), 0u);
}

TEST(TrackerSettings, EveryEventHasAName) {
  std::vector<std::string_view> names;
  for (std::size_t i = 0; i < static_cast<std::size_t>(Event::kCount); ++i)
    names.push_back(name_of(static_cast<Event>(i)));
  std::ranges::sort(names);
  EXPECT_EQ(std::ranges::adjacent_find(names), names.end());
  EXPECT_EQ(std::ranges::count(names, "unknown"), 0);
}

}  // namespace
}  // namespace peernet::tracker
