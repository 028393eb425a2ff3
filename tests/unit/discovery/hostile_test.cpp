// Forged, wrong and greedy replies. Here the tracker is a puppet: each test says what it answers.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <memory>
#include <utility>

#include "base/bytes.hpp"
#include "discovery/tracker_client.hpp"
#include "world.hpp"

namespace peernet::discovery {
namespace {

using wire::TrackerAction;

const Address kTracker = Address::v4(10, 0, 0, 1, 7000);
const Address kStranger = Address::v4(10, 6, 6, 6, 7000);
constexpr std::uint64_t kId = 0x8123456789abcdef;
constexpr std::uint32_t kEpoch = 77;

struct Asked {
  Instant at;
  wire::TrackerHeader header;
  std::vector<std::byte> datagram;
};

class Puppet : public testing::Test {
 protected:
  void start_anew() {
    set_ = std::make_unique<TrackerSet>(SetOptions{.seed = 6});
    events_.clear();
    keys_.clear();
  }

  ContentKey add(std::uint32_t number = 1) {
    ContentOptions options{.swarm = swarm_of(number), .numwant = 20};
    options.trackers.push_back({"puppet:7000", {kTracker}});
    const ContentKey key = set_->add(now_, options);
    turn();
    return key;
  }

  void turn() {
    std::array<std::byte, wire::kMaxTrackerRequest> out;
    while (const auto transmit = set_->poll_transmit(now_, out)) {
      EXPECT_EQ(transmit->to, kTracker);
      const ByteSpan bytes = ByteSpan(out).first(transmit->size);
      asked_.push_back({now_, *wire::decode_tracker_header(bytes), {bytes.begin(), bytes.end()}});
    }
    while (auto event = set_->poll_event()) events_.push_back(std::move(*event));
  }

  /// Timers only; nobody answers, unless answer_ does.
  void run_for(Duration time) {
    const Instant end = now_ + time;
    for (Instant next = set_->next_deadline(); next <= end; next = set_->next_deadline()) {
      now_ = std::max(now_, next);
      set_->on_timeout(now_);
      turn();
      answer_all();
      ASSERT_LT(++steps_, 1'000'000);
    }
    now_ = end;
  }

  void answer_all() {
    while (answer_ && answered_ < asked_.size()) {
      const Asked asked = asked_[answered_++];
      answer_(asked);
    }
  }

  template <class Reply>
  bool reply(const Reply& value, const Address& from = kTracker) {
    std::array<std::byte, wire::kMaxTrackerReply> out;
    return receive(ByteSpan(out).first(wire::encode(out, value)), from);
  }
  bool refuse(std::uint32_t transaction, std::string_view text, const Address& from = kTracker) {
    std::array<std::byte, wire::kMaxTrackerReply> out;
    return receive(ByteSpan(out).first(wire::encode_error(out, transaction, text, out.size())), from);
  }
  bool receive(ByteSpan datagram, const Address& from = kTracker) {
    const bool ours = set_->on_datagram(now_, from, datagram);
    turn();
    return ours;
  }

  wire::ConnectReply connect_reply(const Asked& asked, std::uint32_t beat_ms = 30'000) {
    return {.transaction = asked.header.transaction,
            .connection_id = kId,
            .extended = true,
            .epoch = kEpoch,
            .beat_ms = beat_ms};
  }
  wire::NodeAnnounceReply announce_reply(const Asked& asked, std::uint32_t beat_ms = 30'000) {
    wire::NodeAnnounceReply reply;
    reply.transaction = asked.header.transaction;
    reply.epoch = kEpoch;
    reply.beat_ms = beat_ms;
    reply.connection_id = kId;
    return reply;
  }
  wire::HeartbeatReply beat_reply(const Asked& asked, std::uint32_t unknown = 0, std::uint32_t beat_ms = 30'000) {
    return {.transaction = asked.header.transaction,
            .epoch = kEpoch,
            .beat_ms = beat_ms,
            .connection_id = kId,
            .unknown = unknown};
  }
  /// As a good tracker would.
  void answer_honestly(const Asked& asked, std::uint32_t beat_ms = 30'000) {
    if (asked.header.action == TrackerAction::kConnect) reply(connect_reply(asked, beat_ms));
    if (asked.header.action == TrackerAction::kNodeAnnounce) reply(announce_reply(asked, beat_ms));
    if (asked.header.action == TrackerAction::kHeartbeat) reply(beat_reply(asked, 0, beat_ms));
  }
  /// Contents are listed, everything is answered.
  void settle(std::uint32_t contents = 1, std::uint32_t beat_ms = 30'000) {
    answer_ = [this, beat_ms](const Asked& asked) { answer_honestly(asked, beat_ms); };
    for (std::uint32_t i = 1; i <= contents; ++i) keys_.push_back(add(i));
    answer_all();
    run_for(10s);
    ASSERT_EQ(count(DiscoveryEvent::Kind::kAnnounced), contents);
    asked_.clear();
    answered_ = 0;
  }
  std::size_t count(DiscoveryEvent::Kind kind) const {
    return static_cast<std::size_t>(std::ranges::count(events_, kind, &DiscoveryEvent::kind));
  }
  std::size_t asked(TrackerAction action) const {
    return static_cast<std::size_t>(
        std::ranges::count_if(asked_, [&](const Asked& asked) { return asked.header.action == action; }));
  }

  std::unique_ptr<TrackerSet> set_ = std::make_unique<TrackerSet>(SetOptions{.seed = 5, .port = 9000});
  Instant now_ = Instant::from_ns(1'000'000'000'000);
  std::vector<Asked> asked_;
  std::vector<DiscoveryEvent> events_;
  std::vector<ContentKey> keys_;
  std::function<void(const Asked&)> answer_;
  std::size_t answered_ = 0;
  int steps_ = 0;
};

TEST_F(Puppet, RepliesFromOtherAddressesAreNotOursAndChangeNothing) {
  add();
  EXPECT_FALSE(reply(connect_reply(asked_[0]), kStranger));
  Address other_port = kTracker;
  other_port.port = 7001;
  EXPECT_FALSE(reply(connect_reply(asked_[0]), other_port));
  EXPECT_EQ(asked_.size(), 1u);  // no announce followed
  EXPECT_TRUE(reply(connect_reply(asked_[0])));
  ASSERT_EQ(asked_.size(), 2u);
  EXPECT_EQ(asked_[1].header.connection_id, kId);
  EXPECT_FALSE(reply(announce_reply(asked_[1]), kStranger));
  EXPECT_TRUE(events_.empty());
  EXPECT_TRUE(reply(announce_reply(asked_[1])));
  EXPECT_EQ(count(DiscoveryEvent::Kind::kPeers), 1u);
}

TEST_F(Puppet, RepliesOfUnknownTransactionsAndOtherKindsChangeNothing) {
  add();
  wire::ConnectReply wrong = connect_reply(asked_[0]);
  ++wrong.transaction;
  EXPECT_TRUE(reply(wrong));
  EXPECT_TRUE(reply(announce_reply(asked_[0])));
  EXPECT_EQ(asked_.size(), 1u);
  reply(connect_reply(asked_[0]));
  ASSERT_EQ(asked_.size(), 2u);
  reply(connect_reply(asked_[1]));
  reply(beat_reply(asked_[1], 1));
  reply(wire::QueryReply{.transaction = asked_[1].header.transaction, .epoch = 1});
  refuse(asked_[1].header.transaction + 1, "no");
  EXPECT_TRUE(events_.empty());
  reply(announce_reply(asked_[1]));
  EXPECT_EQ(count(DiscoveryEvent::Kind::kPeers), 1u);
  reply(announce_reply(asked_[1]));  // once more
  EXPECT_EQ(count(DiscoveryEvent::Kind::kPeers), 1u);
  EXPECT_EQ(asked_.size(), 2u);
}

TEST_F(Puppet, TransactionsAreRandomAndNeverZero) {
  std::vector<std::uint32_t> seen;
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    TrackerSet set({.seed = seed});
    ContentOptions options{.swarm = swarm_of(1)};
    options.trackers.push_back({"puppet:7000", {kTracker}});
    set.add(now_, options);
    std::array<std::byte, wire::kMaxTrackerRequest> out;
    const auto transmit = set.poll_transmit(now_, out);
    ASSERT_TRUE(transmit);
    EXPECT_EQ(transmit->size, wire::kExtendedConnectSize);
    seen.push_back(wire::decode_tracker_header(ByteSpan(out).first(transmit->size))->transaction);
    EXPECT_NE(seen.back(), 0u);
  }
  std::ranges::sort(seen);
  EXPECT_TRUE(std::ranges::adjacent_find(seen) == seen.end());
}

TEST_F(Puppet, TruncatedRepliesChangeNothing) {
  add();
  const auto cut = [&](const auto& value) {
    std::array<std::byte, wire::kMaxTrackerReply> out;
    const std::size_t size = wire::encode(out, value);
    for (std::size_t n = 0; n < size; ++n) {
      if (n == wire::kConnectReplySize && std::is_same_v<decltype(value), const wire::ConnectReply&>) continue;
      EXPECT_TRUE(receive(ByteSpan(out).first(n))) << n;
    }
  };
  cut(connect_reply(asked_[0]));
  EXPECT_EQ(asked_.size(), 1u);
  reply(connect_reply(asked_[0]));
  wire::NodeAnnounceReply peers = announce_reply(asked_[1]);
  for (int i = 0; i < 20; ++i) peers.peers.push_back({.address = Address::v4(1, 2, 3, 4, 5)});
  cut(peers);
  EXPECT_TRUE(events_.empty());
  reply(peers);
  EXPECT_EQ(count(DiscoveryEvent::Kind::kPeers), 1u);
}

TEST_F(Puppet, ABadConnectionIdIsRenewedAtOnceButOncePerSecondAtMost) {
  settle();
  answer_ = [this](const Asked& asked) {
    if (asked.header.action == TrackerAction::kConnect) {
      reply(connect_reply(asked));
    } else {
      refuse(asked.header.transaction, "Connection ID missmatch.");
    }
  };
  set_->want_peers(now_, keys_[0]);
  turn();
  ASSERT_EQ(asked_.size(), 1u);
  answer_all();
  ASSERT_GE(asked_.size(), 3u);
  EXPECT_EQ(asked_[1].header.action, TrackerAction::kConnect);
  EXPECT_EQ(asked_[1].at, asked_[0].at);
  EXPECT_EQ(asked_[2].header.action, TrackerAction::kNodeAnnounce);
  asked_.clear();
  answered_ = 0;
  run_for(100s);
  EXPECT_LE(asked(TrackerAction::kConnect), 100u);
  EXPECT_LE(asked_.size(), 250u);
}

TEST_F(Puppet, AGoodbyeNeedsOurConnectionId) {
  settle();
  reply(wire::Goodbye{.epoch = kEpoch, .connection_id = kId}, kStranger);
  reply(wire::Goodbye{.epoch = kEpoch + 1, .connection_id = kId + 1});
  EXPECT_TRUE(asked_.empty());
  EXPECT_EQ(count(DiscoveryEvent::Kind::kDown), 0u);
  reply(wire::Goodbye{.epoch = kEpoch, .connection_id = kId});
  EXPECT_EQ(count(DiscoveryEvent::Kind::kDown), 1u);
}

TEST_F(Puppet, AGoodbyeWithTheEpochAloneMakesUsAskOnceASecond) {
  settle();
  for (int i = 0; i < 1000; ++i) {
    reply(wire::Goodbye{.epoch = kEpoch, .connection_id = kId + 1});
    answer_all();
    run_for(10ms);
  }
  EXPECT_EQ(count(DiscoveryEvent::Kind::kDown), 0u);
  EXPECT_NEAR(static_cast<double>(asked(TrackerAction::kConnect)), 10, 1);
  answer_ = nullptr;
  reply(wire::Goodbye{.epoch = kEpoch, .connection_id = kId + 1});
  run_for(10s);
  EXPECT_EQ(count(DiscoveryEvent::Kind::kDown), 1u);  // it is gone indeed
}

TEST_F(Puppet, NoBeatOfATrackerMakesUsFlood) {
  for (const std::uint32_t beat_ms : {0u, 1u, 0xffffffffu}) {
    SCOPED_TRACE(beat_ms);
    start_anew();
    settle(1, beat_ms);
    const std::size_t before = asked_.size();
    run_for(10s);
    EXPECT_LE(asked_.size() - before, std::size_t(10s / TrackerClient::kMinBeat) + 1);
  }
}

TEST_F(Puppet, ATrackerThatForgetsEverythingAlwaysIsAnnouncedToAtAPace) {
  settle(500);
  std::uint32_t epoch = kEpoch;
  answer_ = [&](const Asked& asked) {
    if (asked.header.action == TrackerAction::kConnect) reply(connect_reply(asked));
    if (asked.header.action == TrackerAction::kNodeAnnounce) {
      wire::NodeAnnounceReply value = announce_reply(asked);
      value.epoch = ++epoch;
      reply(value);
    }
    if (asked.header.action == TrackerAction::kHeartbeat) reply(beat_reply(asked, 0xffffffff));
  };
  run_for(300s);
  // At most 4 rounds of 500 a beat.
  EXPECT_LE(asked_.size(), 10u * 4 * 500 + 500);
}

TEST_F(Puppet, AnEndlessListIsCutOff) {
  settle();
  std::uint32_t cursor = 0;
  answer_ = [&](const Asked& asked) {
    if (asked.header.action != TrackerAction::kQuery) return answer_honestly(asked);
    wire::QueryReply page{.transaction = asked.header.transaction, .epoch = kEpoch, .beat_ms = 30'000};
    page.cursor = ++cursor;
    reply(page);
  };
  events_.clear();
  set_->query(now_, keys_[0]);
  turn();
  answer_all();
  run_for(10s);
  EXPECT_EQ(count(DiscoveryEvent::Kind::kListing), TrackerSet::kMaxQueryPages);
  const auto last =
      std::ranges::find(events_.rbegin(), events_.rend(), DiscoveryEvent::Kind::kListing, &DiscoveryEvent::kind);
  EXPECT_EQ(last->listing.cursor, 0u);
}

TEST_F(Puppet, AnAnnounceThatIsNeverAnsweredByALivingTrackerIsGivenUpForAWhile) {
  settle(2);
  answer_ = [this](const Asked& asked) {
    if (asked.header.action == TrackerAction::kQuery)
      reply(wire::QueryReply{.transaction = asked.header.transaction, .epoch = kEpoch, .beat_ms = 30'000});
    if (asked.header.action != TrackerAction::kNodeAnnounce) answer_honestly(asked);
  };
  set_->want_peers(now_, keys_[0]);
  for (int i = 0; i < 100; ++i) {
    set_->query(now_, keys_[1]);
    turn();
    answer_all();
    run_for(3s);
  }
  EXPECT_EQ(count(DiscoveryEvent::Kind::kDown), 0u);
  EXPECT_GE(asked(TrackerAction::kNodeAnnounce), 20u);
  EXPECT_LE(asked(TrackerAction::kNodeAnnounce), 60u);
}

TEST_F(Puppet, AnAnnounceInFlightWhenTheTrackerGoesDownIsMadeAgain) {
  settle();
  const auto honest = std::exchange(answer_, nullptr);
  set_->want_peers(now_, keys_[0]);
  turn();
  run_for(10s);
  ASSERT_EQ(count(DiscoveryEvent::Kind::kDown), 1u);
  asked_.clear();
  answer_ = honest;
  run_for(60s);
  EXPECT_EQ(count(DiscoveryEvent::Kind::kAnnounced), 2u);
}

TEST_F(Puppet, WhatIsNotPickedUpIsBounded) {
  settle(300);
  for (std::uint32_t i = 0; i < 300; ++i) {
    set_->want_peers(now_, keys_[i]);
  }
  std::array<std::byte, wire::kMaxTrackerRequest> out;
  for (int i = 0; i < 1000; ++i) {
    now_ += 20ms;
    set_->on_timeout(now_);
    while (const auto transmit = set_->poll_transmit(now_, out)) {
      const wire::TrackerHeader header = *wire::decode_tracker_header(ByteSpan(out).first(transmit->size));
      std::array<std::byte, wire::kMaxTrackerReply> answer;
      wire::NodeAnnounceReply value;
      value.transaction = header.transaction;
      value.epoch = kEpoch;
      value.beat_ms = 30'000;
      value.connection_id = kId;
      set_->on_datagram(now_, kTracker, ByteSpan(answer).first(wire::encode(answer, value)));
    }
  }
  std::size_t waiting = 0;
  while (set_->poll_event()) ++waiting;
  EXPECT_EQ(waiting, 256u);
}

}  // namespace
}  // namespace peernet::discovery
