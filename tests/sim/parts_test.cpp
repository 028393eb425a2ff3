// The simulator's own parts: a simulator that loses events or bends time would make every other test worthless.
#include <gtest/gtest.h>

#include "sim/event_queue.hpp"
#include "sim/link.hpp"
#include "sim/local_clock.hpp"
#include "sim/range_set.hpp"
#include "sim/runner.hpp"
#include "sim/scenario.hpp"

namespace peernet::sim {
namespace {

Instant at_ms(std::int64_t ms) {
  return Instant() + Duration(ms * 1'000'000);
}

Datagram of_bytes(std::size_t n) {
  Datagram d;
  d.bytes.resize(n);
  d.to = Address::v4(10, 0, 0, 1, 1);
  return d;
}

TEST(EventQueue, LeavesInOrderOfTimeThenInsertion) {
  EventQueue<int> queue;
  queue.push(at_ms(2), 3);
  queue.push(at_ms(1), 1);
  queue.push(at_ms(2), 4);
  queue.push(at_ms(1), 2);
  for (const int expected : {1, 2, 3, 4}) EXPECT_EQ(queue.pop().second, expected);
  EXPECT_TRUE(queue.empty());
}

TEST(LocalClock, WorldIsTheFirstInstantThatShowsTheLocalOne) {
  for (const std::int64_t ppm : {-1000, 0, 37, 1000}) {
    LocalClock clock(at_ms(5'000'000), ppm);
    for (const std::int64_t ms : {1, 17, 1000, 86'400'000}) {
      const Instant local = at_ms(5'000'000 + ms);
      const Instant world = clock.world(local);
      EXPECT_GE(clock.local(world), local);
      EXPECT_LE(clock.local(world - 3ns), local);
    }
  }
}

TEST(LocalClock, JumpsForwardAndGoesOnFromThere) {
  LocalClock clock(at_ms(100), 0);
  clock.jump(at_ms(10), 1s);
  EXPECT_EQ(clock.local(at_ms(10)), at_ms(1110));
  EXPECT_EQ(clock.local(at_ms(20)), at_ms(1120));
}

TEST(RangeSet, CountsOnlyNewBytesAndTellsThem) {
  RangeSet set;
  EXPECT_EQ(set.add(10, 20), 10U);
  EXPECT_EQ(set.add(30, 40), 10U);
  std::uint64_t told = 0;
  EXPECT_EQ(set.add(15, 35,
                    [&](std::uint64_t b, std::uint64_t e) {
                      told += e - b;
                      EXPECT_EQ(b, 20U);
                      EXPECT_EQ(e, 30U);
                    }),
            10U);
  EXPECT_EQ(told, 10U);
  EXPECT_TRUE(set.covers(10, 40));
  EXPECT_FALSE(set.covers(10, 41));
  EXPECT_FALSE(set.touches(40, 50));
  EXPECT_TRUE(set.touches(39, 50));
  EXPECT_EQ(set.take_first(5), (std::pair<std::uint64_t, std::uint64_t>{10, 15}));
  EXPECT_EQ(set.total(), 25U);
}

TEST(Link, DelaysAndSerialisesAtItsRate) {
  LinkProfile profile;
  profile.rate = 1'000'000;
  profile.delay = 10ms;
  Link link(profile, 1);
  std::vector<Link::Arrival> out;
  link.transmit(Instant(), of_bytes(972), out);
  link.transmit(Instant(), of_bytes(972), out);
  ASSERT_EQ(out.size(), 2U);
  EXPECT_EQ(out[0].at, at_ms(11));
  EXPECT_EQ(out[1].at, at_ms(12));
}

TEST(Link, LosesAboutTheShareThatItShould) {
  LinkProfile profile;
  profile.loss = 0.3;
  profile.queue_bytes = 1 << 30;
  Link link(profile, 2);
  std::vector<Link::Arrival> out;
  for (int i = 0; i < 10'000; ++i) link.transmit(Instant(), of_bytes(100), out);
  EXPECT_GT(out.size(), 6700U);
  EXPECT_LT(out.size(), 7300U);
}

TEST(Link, DropsWhatIsTooLongAndWhatTheQueueCannotHold) {
  LinkProfile profile;
  profile.mtu = 1300;
  profile.queue_bytes = 5000;
  profile.rate = 1000;
  Link link(profile, 3);
  std::vector<Link::Arrival> out;
  link.transmit(Instant(), of_bytes(1273), out);
  EXPECT_TRUE(out.empty());
  for (int i = 0; i < 10; ++i) link.transmit(Instant(), of_bytes(1272), out);
  EXPECT_EQ(out.size(), 3U);
  EXPECT_EQ(link.count(Fate::kTooLong), 1U);
  EXPECT_EQ(link.count(Fate::kQueueFull), 7U);
}

TEST(Scenario, SeedsDrawEveryKindOfFaultAndLeaveEachOffSometimes) {
  int lossy = 0, attacked = 0, timed = 0, tls = 0, retry = 0, quiet = 0;
  constexpr int kSeeds = 500;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    const Scenario s = draw_scenario(seed);
    lossy += s.hurt[0].loss > 0;
    attacked += s.attack.total() > 0;
    timed += !s.events.empty();
    tls += s.real_tls;
    retry += s.demand_retry;
    quiet += s.hurt[0].loss <= 0 && s.attack.total() <= 0 && s.events.empty();
    EXPECT_GE(s.app.max_outstanding, s.app.range_bytes);
  }
  for (const int n : {lossy, attacked, timed, tls, retry, quiet}) {
    EXPECT_GT(n, kSeeds / 50);
    EXPECT_LT(n, kSeeds * 4 / 5);
  }
}

TEST(Runner, ReportsEachSeedOnceAndSurvivesCrashesAndHangs) {
  const Suite suite{"sample", 1, 1,
                    [](std::uint64_t seed, const SeedOptions&) {
                      SeedResult result;
                      result.state = SeedResult::State::kPassed;
                      result.trace = seed * 3;
                      if (seed == 12) std::abort();
                      if (seed == 14)
                        for (;;) asm volatile("");
                      if (seed == 16) result.fail("planted");
                      return result;
                    },
                    1};
  RunOptions options;
  options.first = 10;
  options.seeds = 10;
  const std::vector<SeedResult> results = run_seeds(suite, options);
  ASSERT_EQ(results.size(), 10U);
  for (std::uint64_t i = 0; i < 10; ++i) {
    using State = SeedResult::State;
    const State expected = i == 2 ? State::kCrashed : i == 4 ? State::kHung : i == 6 ? State::kFailed : State::kPassed;
    EXPECT_EQ(results[i].state, expected) << i;
    if (expected == State::kPassed) {
      EXPECT_EQ(results[i].trace, (10 + i) * 3);
    }
  }
}

}  // namespace
}  // namespace peernet::sim
