// The leaves: what waits for replies, what is due at a tracker, events.
#include <gtest/gtest.h>

#include <map>

#include "discovery/event_queue.hpp"
#include "discovery/pending.hpp"
#include "discovery/schedule.hpp"

namespace peernet::discovery {
namespace {

constexpr RetransmitTimes kTimes{500ms, 2s};

Instant at(Duration d) {
  return Instant::from_ns(1'000'000'000'000) + d;
}

Request request(RequestKind kind, std::uint32_t transaction, std::uint32_t content = 1) {
  Request out{kind, transaction, {ContentKey(content)}, std::vector<std::byte>(16)};
  if (kind == RequestKind::kGoodbye) out.contents.clear();
  return out;
}

TEST(Pending, RepeatsWithDoublingWaitsUntilItLapses) {
  PendingRequests pending;
  pending.begin(at(0s), request(RequestKind::kAnnounce, 1));
  std::vector<Duration> sent;
  while (!pending.next_deadline().is_never()) {
    const Instant now = pending.next_deadline();
    if (PendingRequests::Entry* entry = pending.next_to_send(now)) {
      sent.push_back(now - at(0s));
      PendingRequests::on_sent(now, *entry, kTimes);
    } else {
      EXPECT_TRUE(pending.next_lapsed(now));
    }
  }
  EXPECT_EQ(sent, (std::vector<Duration>{0s, 500ms, 1500ms, 3500ms, 5500ms, 7500ms, 9500ms, 11500ms}));
}

TEST(Pending, AGoodbyeIsSaidTwiceAtMostAndOnceIfTheSwarmIsEnteredAgain) {
  PendingRequests pending;
  pending.begin(at(0s), request(RequestKind::kGoodbye, 1));
  EXPECT_TRUE(pending.goodbyes_unsent());
  PendingRequests::on_sent(at(0s), *pending.next_to_send(at(0s)), kTimes);
  EXPECT_FALSE(pending.goodbyes_unsent());
  PendingRequests::on_sent(at(1s), *pending.next_to_send(at(1s)), kTimes);
  EXPECT_EQ(pending.next_to_send(at(9s)), nullptr);
  EXPECT_TRUE(pending.next_lapsed(at(9s)));

  pending.begin(at(10s), request(RequestKind::kGoodbye, 2));
  pending.repeat_no_goodbye();
  PendingRequests::on_sent(at(10s), *pending.next_to_send(at(10s)), kTimes);
  EXPECT_EQ(pending.next_to_send(at(19s)), nullptr);
  pending.repeat_no_goodbye();
  EXPECT_TRUE(pending.empty());
}

TEST(Pending, SilenceCountsFromTheLastWordAndNeedsARepetition) {
  PendingRequests pending;
  pending.begin(at(0s), request(RequestKind::kHeartbeat, 1));
  PendingRequests::on_sent(at(0s), *pending.next_to_send(at(0s)), kTimes);
  EXPECT_TRUE(
      pending.silent_at(at(0s), 8s, 500ms).is_never());  // a process that slept for a minute has not asked twice
  PendingRequests::on_sent(at(60s), *pending.next_to_send(at(60s)), kTimes);
  EXPECT_EQ(pending.silent_at(at(0s), 8s, 500ms), at(60s) + 500ms);
  EXPECT_EQ(pending.silent_at(at(59s), 8s, 500ms), at(67s));
}

TEST(Pending, HasRoomForABoundedNumberOfEachKind) {
  PendingRequests pending;
  std::uint32_t count = 0;
  for (const RequestKind kind :
       {RequestKind::kAnnounce, RequestKind::kHeartbeat, RequestKind::kGoodbye, RequestKind::kQuery})
    while (pending.has_room(kind)) pending.begin(at(0s), request(kind, ++count));
  EXPECT_EQ(count, PendingRequests::kMaxAnnounces + PendingRequests::kMaxHeartbeats + PendingRequests::kMaxGoodbyes +
                       PendingRequests::kMaxQueries);
}

TEST(Pending, AContentThatIsGoneIsNotAnnouncedAgain) {
  PendingRequests pending;
  pending.begin(at(0s), request(RequestKind::kAnnounce, 1, 7));
  pending.begin(at(0s), request(RequestKind::kAnnounce, 2, 8));
  pending.forget(ContentKey(7));
  EXPECT_EQ(pending.find(1), nullptr);
  EXPECT_NE(pending.find(2), nullptr);
}

TEST(Schedule, AnnouncesFollowABurstAtFiftyASecond) {
  Schedule schedule;
  for (std::uint32_t i = 1; i <= 100; ++i) schedule.set_due(ContentKey(i), at(0s));
  int at_once = 0;
  while (schedule.next_announce(at(0s), 30s, 100)) ++at_once;
  EXPECT_EQ(at_once, 32);
  int in_a_second = 0;
  for (Instant now = at(0s); now <= at(1s); now += 1ms)
    while (schedule.next_announce(now, 30s, 100)) ++in_a_second;
  EXPECT_EQ(in_a_second, 50);
}

TEST(Schedule, ManyAnnouncesTakeAQuarterOfABeat) {
  Schedule schedule;
  for (std::uint32_t i = 1; i <= 10'000; ++i) schedule.set_due(ContentKey(i), at(0s));
  Instant now = at(0s);
  while (schedule.due_count() > 0) {
    now = std::max(now, schedule.next_announce_at());
    ASSERT_TRUE(schedule.next_announce(now, 30s, 10'000));
  }
  EXPECT_LE(now, at(7500ms));
  EXPECT_GT(now, at(7s));
}

TEST(Schedule, AnnouncesComeInTheOrderOfTheirTimes) {
  Schedule schedule;
  schedule.set_due(ContentKey(1), at(3s));
  schedule.set_due(ContentKey(2), at(1s));
  schedule.set_due(ContentKey(3), at(2s));
  schedule.clear_due(ContentKey(3), at(2s));
  EXPECT_EQ(schedule.next_announce_at(), at(1s));
  EXPECT_FALSE(schedule.next_announce(at(500ms), 30s, 3));
  EXPECT_EQ(schedule.next_announce(at(1s), 30s, 3), ContentKey(2));
  EXPECT_EQ(schedule.next_announce_at(), at(3s));
}

TEST(Schedule, ARoundABeatAndEveryListedContentInIt) {
  Rng rng(1);
  Schedule schedule;
  for (std::uint32_t i = 1; i <= 100; ++i) schedule.add_listed(at(0s), ContentKey(i), 30s, rng);
  std::map<ContentKey, int> said;
  int groups = 0;
  for (Instant now = schedule.next_group_at(); now < at(300s); now = schedule.next_group_at()) {
    for (auto group = schedule.next_group(now, 30s, 32); !group.empty(); group = schedule.next_group(now, 30s, 32)) {
      for (const ContentKey key : group) ++said[key];
      ++groups;
    }
  }
  EXPECT_EQ(groups, 10 * 4);
  EXPECT_EQ(said.size(), 100u);
  for (const auto& [key, times] : said) EXPECT_EQ(times, 10);
}

TEST(Schedule, RoundsThatWereMissedAreNotMadeUpFor) {
  Rng rng(1);
  Schedule schedule;
  schedule.add_listed(at(0s), ContentKey(1), 1s, rng);
  EXPECT_EQ(schedule.next_group(at(100s), 1s, 32).size(), 1u);
  EXPECT_EQ(schedule.next_group_at(), at(101s));
}

TEST(Schedule, TheFirstRoundHasARandomPhase) {
  Duration least = 30s;
  Duration most{};
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    Rng rng(seed);
    Schedule schedule;
    schedule.add_listed(at(0s), ContentKey(1), 30s, rng);
    least = std::min(least, schedule.next_group_at() - at(0s));
    most = std::max(most, schedule.next_group_at() - at(0s));
  }
  EXPECT_LT(least, 3s);
  EXPECT_GT(most, 27s);
  EXPECT_LT(most, 30s);
}

TEST(Schedule, AShorterBeatCountsAtOnce) {
  Rng rng(1);
  Schedule schedule;
  schedule.add_listed(at(0s), ContentKey(1), 1h, rng);
  schedule.on_beat(at(1s), 1s);
  EXPECT_LE(schedule.next_group_at(), at(2s));
}

TEST(EventQueue, LosesNewsFirstAndPeersOfAGetterLast) {
  EventQueue queue;
  const auto push = [&](EventQueue::Worth worth, std::uint32_t content) {
    DiscoveryEvent event;
    event.content = ContentKey(content);
    queue.push(worth, std::move(event));
  };
  push(EventQueue::Worth::kPeers, 1);
  push(EventQueue::Worth::kNews, 2);
  push(EventQueue::Worth::kNews, 3);
  while (queue.size() < EventQueue::kMaxEvents) push(EventQueue::Worth::kPeers, 4);
  push(EventQueue::Worth::kPeers, 5);
  EXPECT_EQ(queue.size(), EventQueue::kMaxEvents);
  EXPECT_EQ(queue.pop()->content, ContentKey(1));
  EXPECT_EQ(queue.pop()->content, ContentKey(3));  // 2 made room
  push(EventQueue::Worth::kPeers, 6);
  push(EventQueue::Worth::kPeers, 6);
  push(EventQueue::Worth::kNews, 7);  // worth less than all that is there
  for (auto event = queue.pop(); event; event = queue.pop()) EXPECT_NE(event->content, ContentKey(7));
}

}  // namespace
}  // namespace peernet::discovery
