// Bugs of the transport that the simulator found, each as small as it gets.
#include <gtest/gtest.h>

#include "sim/pair.hpp"
#include "transport/mtu_search.hpp"
#include "transport/rtt.hpp"

namespace peernet {
namespace {

// A NAT gave the initiator another port between its first packet and its Finished; the responder called the first
// address validated and sent it 65 KB (pair seed 1559).
TEST(TransportRegress, AFinishedFromAnotherAddressValidatesNeitherAddress) {
  sim::Scenario s = sim::calm_scenario(1);
  s.app.content_bytes = 100'000;
  // The responder's flight lies in the initiator's socket while the NAT forgets the port that it came through, and the
  // packet behind the Finished takes 6 ms more.
  s.hurt[sim::kClient].rate = 20'000;
  s.events.push_back({Instant() + 75ms, sim::EventKind::kStallClient, 50ms, 0});
  s.events.push_back({Instant() + 100ms, sim::EventKind::kRebindPort, 0s, 0});
  s.hurt_for = 60s;
  sim::Pair pair(s);
  bool established = false;
  pair.on_step = [&](sim::Pair& world, Instant) {
    const sim::Association* responder = world.server_side();
    if (established || responder == nullptr || !responder->session().established()) return;
    established = true;
    EXPECT_EQ(responder->session().remote().port, 5001);  // where the Finished came from; 5000 has nobody behind it
  };
  const sim::PairReport report = pair.run();
  EXPECT_TRUE(established);
  EXPECT_TRUE(report.passed) << report.reason;
  EXPECT_EQ(report.bytes, s.app.content_bytes);
}

// A probe taken for lost got through after its successor was sent; the successor's loss then restarted a search that
// had nothing to find, and probes went out for ever (pair seed 4194).
TEST(TransportRegress, ALateProbeEndsTheSearchForGood) {
  using transport::MtuSearch;
  const Instant now = Instant() + 1s;
  MtuSearch search(1472, true);
  ASSERT_EQ(search.probe_size(now), 1472U);
  search.on_probe_sent();
  search.on_probe_lost(now);
  ASSERT_EQ(search.probe_size(now), 1472U);
  search.on_probe_sent();
  EXPECT_TRUE(search.on_probe_acked(now, 1472));
  search.on_probe_lost(now);
  EXPECT_EQ(search.probe_size(now), 0U);
  EXPECT_TRUE(search.next_probe_at().is_never());
}

// A kernel that refuses the probe of a raise attempt (EMSGSIZE) was asked again at once, and poll_transmit never came
// to an end.
TEST(TransportRegress, ARefusedRaiseAttemptIsNotRepeatedForEver) {
  using transport::MtuSearch;
  Instant now = Instant() + 1s;
  MtuSearch search(9000, true);
  const auto probe_all = [&] {
    int probes = 0;
    for (; search.probe_size(now) != 0 && probes < 1000; ++probes) {
      const std::uint32_t size = search.probe_size(now);
      search.on_probe_sent();
      if (size > 1300) {
        EXPECT_FALSE(search.on_too_big(now, size));
      } else {
        search.on_probe_acked(now, size);
      }
    }
    return probes;
  };
  EXPECT_LE(probe_all(), 20);
  EXPECT_GT(search.current(), 1280U);
  // The refused probes have no acknowledgement to wait for: their records are lost soon after (pair seed 110085: each
  // of them restarted the search).
  search.on_probe_lost(now);
  EXPECT_EQ(search.probe_size(now), 0U);
  now += MtuSearch::kRaiseAfter;
  EXPECT_LE(probe_all(), 20);
  EXPECT_TRUE(search.on_too_big(now, search.current()));  // the path has become narrower than anything known
  EXPECT_EQ(search.current(), MtuSearch::kBase);
  now += MtuSearch::kWaitAfterBlackHole;
  EXPECT_LE(probe_all(), 20);
  EXPECT_GT(search.current(), 1280U);
}

// A clock that jumped by an hour became a round trip of an hour: the next probe was hours away, and so was the end of
// an idle session (pair seed 2768).
TEST(TransportRegress, AJumpOfTheClockIsNoRoundTrip) {
  transport::RttEstimator rtt(100ms);
  rtt.on_sample(20ms, 0ns, 25ms);
  const Duration before = rtt.probe_timeout(25ms);
  rtt.on_sample(3600s, 0ns, 25ms);
  EXPECT_EQ(rtt.probe_timeout(25ms), before);
  EXPECT_EQ(rtt.latest(), 20ms);
}

// On a path with a long round trip the responder, which had forgotten the old path's, gave up a new address before the
// answer to its second challenge could be there; the next packet moved the path again, and so on for ever (pair seed 91
// of its time).
TEST(TransportRegress, ANewAddressBehindALongRoundTripIsWaitedFor) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    sim::Scenario s = sim::calm_scenario(seed);
    s.app.content_bytes = s.app.range_bytes = 1'000'000;
    for (auto* act : {&s.hurt, &s.heal})
      for (sim::LinkProfile& path : *act) path.delay = 700ms;
    for (sim::LinkProfile& path : s.hurt) path.loss = 0.05;
    s.events.push_back({Instant() + 3s, sim::EventKind::kRebindAddress, 0s, 0});
    s.hurt_for = 6s;
    s.may_reconnect = false;
    const sim::PairReport report = sim::Pair(s).run();
    EXPECT_TRUE(report.passed) << seed << ": " << report.reason;
    EXPECT_LE(report.server.path_changes, 2U) << seed;
  }
}

}  // namespace
}  // namespace peernet
