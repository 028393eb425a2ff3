// Swarms of several nodes in one process: gets that serve each other, sessions used both ways, sources that go,
// seeding.
#include <algorithm>
#include <map>
#include <set>

#include "net_fixture.hpp"
#include "peernet/link.hpp"

namespace peernet {
namespace {

using namespace testing_net;

constexpr std::size_t kMiB = 1u << 20;

// A node with one get, and what the user hears of it.
struct Getter {
  std::unique_ptr<Node> node;
  Transfer transfer;
  std::string path;
  std::map<std::string, std::uint64_t> bytes_of;  // by source, as told when it left or at the end
  std::vector<Event> events;

  std::string address() const { return node->engine().listen; }

  // Takes all events up to the last one.
  Event end() {
    const auto deadline = std::chrono::steady_clock::now() + 120s;
    while (std::chrono::steady_clock::now() < deadline) {
      const auto event = transfer.wait_event(1000ms);
      if (!event) continue;
      events.push_back(*event);
      if (event->kind == EventKind::kSource) bytes_of[event->peer] += event->bytes;
      if (event->kind == EventKind::kDone || event->kind == EventKind::kError) return *event;
    }
    ADD_FAILURE() << "no end";
    return {};
  }
  bool heard(EventKind kind, const std::string& words) const {
    return std::ranges::any_of(
        events, [&](const Event& e) { return e.kind == kind && e.text.find(words) != std::string::npos; });
  }
};

class SwarmNodeTest : public testing::TestWithParam<IoEngine> {
 protected:
  NodeConfig config() const {
    NodeConfig c;
    c.listen = "127.0.0.1:0";
    c.io = GetParam();
    c.shards = 1;
    c.state_dir = folder_ / "state";
    c.tracker_beat_seconds = 0.2;
    return c;
  }

  void share(std::size_t bytes, std::uint64_t limit_up = 0) {
    data_ = random_bytes(bytes, bytes);
    write_file(folder_ / "data", data_);
    NodeConfig c = config();
    c.limit_up = limit_up;
    source_ = start_node(c);
    auto transfer = source_->share({.path = folder_ / "data"});
    ASSERT_TRUE(transfer);
    share_ = *transfer;
    const auto event = wait_for(share_, EventKind::kLink);
    ASSERT_TRUE(event);
    text_ = event->text;
    link_ = *parse_link(text_);
  }

  // One more source of the same bytes.
  std::pair<std::unique_ptr<Node>, Transfer> join() {
    const std::string path = folder_ / ("copy" + std::to_string(copies_++));
    write_file(path, data_);
    auto node = start_node(config());
    auto joined = node->share({.path = path, .join = text_});
    EXPECT_TRUE(joined);
    EXPECT_TRUE(wait_for(*joined, EventKind::kLink));
    return {std::move(node), *joined};
  }

  Getter get(const std::string& link, GetOptions options = {}, std::uint64_t limit_down = 0) {
    Getter g;
    NodeConfig c = config();
    c.limit_down = limit_down;
    g.node = start_node(c);
    g.path = folder_ / ("got" + std::to_string(copies_++));
    options.link = link;
    options.output = g.path;
    auto transfer = g.node->get(options);
    EXPECT_TRUE(transfer);
    g.transfer = *transfer;
    return g;
  }

  void expect_complete(Getter& g) {
    const Event last = g.end();
    EXPECT_EQ(last.kind, EventKind::kDone) << last.text;
    EXPECT_TRUE(read_file(g.path) == data_);
  }

  std::string link_to(const std::vector<std::string>& peers) const {
    Link link = link_;
    link.peers = peers;
    link.trackers.clear();
    return format_link(link);
  }

  Folder folder_;
  std::string data_;
  std::string text_;
  Link link_;
  std::unique_ptr<Node> source_;
  Transfer share_;
  int copies_ = 0;
};

TEST_P(SwarmNodeTest, EverySourceIsUsed) {
  share(48 * kMiB);
  auto second = join();
  auto third = join();
  Getter g = get(text_);
  expect_complete(g);
  EXPECT_GT(share_.progress().bytes_sent, 0u);
  EXPECT_GT(second.second.progress().bytes_sent, 0u);
  EXPECT_GT(third.second.progress().bytes_sent, 0u);
  EXPECT_LT(share_.progress().bytes_sent, data_.size());
}

TEST_P(SwarmNodeTest, GettersFeedEachOther) {
  share(48 * kMiB, 40'000'000);
  std::vector<Getter> crowd;
  for (int i = 0; i < 4; ++i) crowd.push_back(get(text_, {.seed_after_seconds = -1}));
  std::set<std::string> addresses;
  for (const Getter& g : crowd) addresses.insert(g.address());
  EXPECT_TRUE(eventually([&] {
    return std::ranges::all_of(crowd, [&](const Getter& g) { return g.transfer.progress().phase == Phase::kSeeding; });
  }));
  for (Getter& g : crowd) g.transfer.cancel();
  for (Getter& g : crowd) {
    expect_complete(g);
    std::uint64_t from_getters = 0;
    for (const auto& [peer, bytes] : g.bytes_of) from_getters += peer == source_->engine().listen ? 0 : bytes;
    EXPECT_GT(from_getters, 0u);
    EXPECT_TRUE(g.heard(EventKind::kComplete, "got"));
  }
  EXPECT_LT(share_.progress().bytes_sent, 4 * data_.size());
}

TEST_P(SwarmNodeTest, ASeedServesWhenThePublisherIsGone) {
  share(8 * kMiB);
  Getter seed = get(text_, {.seed_after_seconds = -1});
  ASSERT_TRUE(eventually([&] { return seed.transfer.progress().phase == Phase::kSeeding; }));
  // All pages of SHA-256 are with it before its source goes: nobody trusts it.
  ASSERT_TRUE(eventually([&] { return seed.transfer.progress().sources == 0; }));
  source_.reset();
  Getter second = get(link_to({seed.address()}));
  expect_complete(second);
  EXPECT_GE(seed.transfer.progress().bytes_sent, data_.size());
  seed.transfer.cancel();
  expect_complete(seed);
  EXPECT_EQ(seed.transfer.progress().phase, Phase::kDone);
  Getter late = get(link_to({seed.address()}), {.timeout_seconds = 1});
  EXPECT_EQ(late.end().error.code, ErrorCode::kUnreachable) << "it is served no longer";
}

TEST_P(SwarmNodeTest, SeedingEndsByItself) {
  share(kMiB);
  Getter seed = get(text_, {.seed_after_seconds = 0.2});
  expect_complete(seed);
  EXPECT_TRUE(seed.heard(EventKind::kNotice, "serving it to others for 0.2 s"));
}

TEST_P(SwarmNodeTest, WhatIsThereAlreadyCanBeSeeded) {
  share(3 * kMiB + 5);
  Getter first = get(text_);
  expect_complete(first);
  Getter seed = get(text_, {.seed_after_seconds = -1});
  write_file(seed.path, data_);
  seed.transfer.cancel();
  seed.end();
  auto again = seed.node->get({.link = text_, .output = seed.path, .seed_after_seconds = -1});
  ASSERT_TRUE(again);
  ASSERT_TRUE(eventually([&] { return again->progress().phase == Phase::kSeeding && again->progress().sources == 0; }));
  source_.reset();
  Getter second = get(link_to({seed.address()}));
  expect_complete(second);
}

TEST_P(SwarmNodeTest, ASourceThatGoesIsReplacedByAnotherGet) {
  share(32 * kMiB);
  Getter seed = get(text_, {.seed_after_seconds = -1});
  Getter slow = get(text_, {}, 20'000'000);
  ASSERT_TRUE(eventually([&] { return seed.transfer.progress().phase == Phase::kSeeding; }));
  ASSERT_TRUE(eventually([&] { return slow.transfer.progress().bytes_done >= 4 * kMiB; }));
  source_.reset();
  expect_complete(slow);
  EXPECT_GT(slow.bytes_of[seed.address()], 0u);
}

TEST_P(SwarmNodeTest, NodesThatDialEachOtherAtTheSameMomentAllFinishAndPartPolitely) {
  share(2 * kMiB);
  for (int round = 0; round < 12; ++round) {
    std::vector<Getter> crowd;
    for (int i = 0; i < 3; ++i) crowd.push_back(get(text_, {.seed_after_seconds = -1}));
    for (Getter& g : crowd)
      EXPECT_TRUE(eventually([&] { return g.transfer.progress().phase == Phase::kSeeding; })) << "round " << round;
    // Who wants nothing more says so.
    for (Getter& g : crowd) EXPECT_TRUE(eventually([&] { return g.transfer.progress().receivers == 0; }));
    for (Getter& g : crowd) g.transfer.cancel();
    for (Getter& g : crowd) expect_complete(g);
  }
}

TEST_P(SwarmNodeTest, AGetIsServedOnlyToWhoKnowsTheKey) {
  share(4 * kMiB);
  Getter seed = get(text_, {.seed_after_seconds = -1});
  ASSERT_TRUE(eventually([&] { return seed.transfer.progress().phase == Phase::kSeeding; }));
  Link wrong = link_;
  wrong.trackers.clear();
  wrong.peers = {seed.address()};
  (*wrong.swarm_key)[0] ^= std::byte{1};
  Getter stranger = get(format_link(wrong));
  EXPECT_EQ(stranger.end().error.code, ErrorCode::kUnknownContent);
  EXPECT_EQ(seed.transfer.progress().bytes_sent, 0u);
  EXPECT_EQ(seed.transfer.progress().receivers, 0u);
}

TEST_P(SwarmNodeTest, ACancelAtAnyMomentEndsAGet) {
  share(16 * kMiB, 100'000'000);
  Getter other = get(text_, {.seed_after_seconds = -1}, 10'000'000);
  for (int i = 0; i < 24; ++i) {
    Getter g = get(text_, {.seed_after_seconds = i % 3 == 0 ? -1.0 : 0.0});
    const auto phase = static_cast<Phase>(i % 7);
    EXPECT_TRUE(eventually([&] { return g.transfer.progress().phase >= phase; }));
    g.transfer.cancel();
    const Event last = g.end();
    EXPECT_TRUE(last.kind == EventKind::kDone || last.error.code == ErrorCode::kInterrupted) << last.text;
  }
  other.transfer.cancel();
  other.end();
}

INSTANTIATE_TEST_SUITE_P(Engines, SwarmNodeTest, testing::Values(IoEngine::kEpoll, IoEngine::kUring),
                         [](const auto& suite) { return suite.param == IoEngine::kEpoll ? "epoll" : "uring"; });

}  // namespace
}  // namespace peernet
