// Receivers that ask for too much, or for nothing that is there, against a real node on loopback: their sessions end,
// and whoever is honest is served meanwhile.
#include "net_fixture.hpp"
#include "scripted_receiver.hpp"

namespace peernet {
namespace {

using namespace testing_net;

constexpr ContentSlot kSlot{ScriptedReceiver::kSlot};

class ServingHostileTest : public testing::TestWithParam<IoEngine> {
 protected:
  NodeConfig config() const {
    NodeConfig c;
    c.listen = "127.0.0.1:0";
    c.io = GetParam();
    c.shards = 1;
    c.state_dir = folder_ / "state";
    return c;
  }

  // Shares some bytes and returns the link.
  std::string share(Node& node, std::size_t bytes) {
    bytes_ = random_bytes(bytes, 7);
    write_file(folder_ / "data", bytes_);
    auto transfer = node.share({.path = folder_ / "data"});
    EXPECT_TRUE(transfer);
    share_.emplace(std::move(*transfer));
    const auto link = wait_for(*share_, EventKind::kLink);
    return link ? link->text : "";
  }

  static ScriptedReceiver::Behaviour receiver_of(const Node& node, const std::string& link,
                                                 std::function<void(transport::Session&)> act) {
    const std::string listen = node.engine().listen;
    return {.link = *parse_link(link),
            .port = static_cast<std::uint16_t>(std::stoi(listen.substr(listen.rfind(':') + 1))),
            .act = std::move(act)};
  }

  void expect_an_honest_get(const std::string& link) {
    const auto node = start_node(config());
    auto transfer = node->get({.link = link, .output = folder_ / "out", .overwrite = true});
    ASSERT_TRUE(transfer);
    EXPECT_TRUE(wait_for(*transfer, EventKind::kDone));
    EXPECT_TRUE(read_file(folder_ / "out") == bytes_);
  }

  Folder folder_;
  std::string bytes_;
  std::optional<Transfer> share_;
};

wire::RequestFrame request(std::uint32_t id, std::uint32_t index, std::uint32_t length) {
  wire::RequestFrame r;
  r.slot = kSlot;
  r.request = RequestId(id);
  r.index = index;
  r.length = length;
  return r;
}

TEST_P(ServingHostileTest, RequestsOutsideTheContentEndTheSession) {
  const auto node = start_node(config());
  const std::string link = share(*node, 3'000'000);
  ScriptedReceiver hostile(receiver_of(*node, link, [id = 0u](transport::Session& session) mutable {
    if (session.frame_room() > 64) session.send(request(++id, 5'000, 16384));
  }));
  EXPECT_TRUE(eventually([&] { return hostile.closed(); }));
  EXPECT_EQ(hostile.close_code(), wire::CloseCode::kLimit);
  EXPECT_LE(hostile.rejected(wire::RejectReason::kBadRange), 10);
  expect_an_honest_get(link);
}

TEST_P(ServingHostileTest, JoiningAndLeavingForEverEndsTheSession) {
  const auto node = start_node(config());
  const std::string link = share(*node, 100'000);
  ScriptedReceiver hostile(receiver_of(*node, link, [n = std::uint16_t{2}](transport::Session& session) mutable {
    for (int i = 0; i < 8 && session.frame_room() > 64; ++i) {
      wire::JoinFrame join;  // its proof is wrong: that alone ends it after a few
      join.slot = ContentSlot(n += 2);
      session.send(join);
      session.send(wire::LeaveFrame{join.slot, wire::LeaveReason::kGoodbye});
    }
  }));
  EXPECT_TRUE(eventually([&] { return hostile.closed(); }));
  expect_an_honest_get(link);
}

TEST_P(ServingHostileTest, CancelsOfNothingEndTheSession) {
  const auto node = start_node(config());
  const std::string link = share(*node, 100'000);
  ScriptedReceiver hostile(receiver_of(*node, link, [id = 0u](transport::Session& session) mutable {
    while (session.frame_room() > 64) session.send(wire::CancelFrame{RequestId(++id)});
  }));
  EXPECT_TRUE(eventually([&] { return hostile.closed(); }));
  EXPECT_EQ(hostile.close_code(), wire::CloseCode::kLimit);
  expect_an_honest_get(link);
}

// More of them than there are read blocks, each with a chunk's bytes under way that it never acknowledges.
TEST_P(ServingHostileTest, ReceiversThatFallSilentHoldNoMemoryThatOthersNeed) {
  const auto node = start_node(config());
  const std::string link = share(*node, 24'000'000);
  std::vector<std::unique_ptr<ScriptedReceiver>> silent;
  for (int i = 0; i < 24; ++i) {
    auto behaviour = receiver_of(*node, link, [id = 0u](transport::Session& session) mutable {
      if (id >= 16) return;
      ++id;
      session.send(request(id, id, 1u << 20));
    });
    behaviour.deaf_after = 16;
    silent.push_back(std::make_unique<ScriptedReceiver>(std::move(behaviour)));
  }
  for (const auto& receiver : silent) ASSERT_TRUE(eventually([&] { return receiver->deaf(); }));
  expect_an_honest_get(link);
}

// A receiver of single bytes asks as often as it may: the honest one has its share of the work all the same.
TEST_P(ServingHostileTest, AFloodOfTinyRequestsLeavesTheOthersTheirShare) {
  const auto node = start_node(config());
  const std::string link = share(*node, 24'000'000);
  ScriptedReceiver tiny(receiver_of(*node, link, [id = 0u](transport::Session& session) mutable {
    for (int i = 0; i < 64 && session.frame_room() > 64; ++i) {
      ++id;
      session.send(request(id, id % 20, 1));
    }
  }));
  ASSERT_TRUE(eventually([&] { return tiny.joined(); }));
  expect_an_honest_get(link);
}

TEST_P(ServingHostileTest, WithAllPlacesTakenNewcomersAreNotLetIn) {
  NodeConfig few = config();
  few.max_peers = 2;
  const auto node = start_node(few);
  const std::string link = share(*node, 100'000);
  std::vector<std::unique_ptr<ScriptedReceiver>> guests;
  for (int i = 0; i < 2; ++i) {
    guests.push_back(std::make_unique<ScriptedReceiver>(receiver_of(*node, link, [](transport::Session&) {})));
    ASSERT_TRUE(eventually([&] { return guests.back()->joined(); }));
  }
  const ScriptedReceiver late(receiver_of(*node, link, [](transport::Session&) {}));
  EXPECT_TRUE(eventually([&] { return counter(*node, "drop_session_limit") > 0; }));
  EXPECT_FALSE(late.joined());
}

INSTANTIATE_TEST_SUITE_P(Engines, ServingHostileTest, testing::Values(IoEngine::kEpoll, IoEngine::kUring),
                         [](const auto& suite) { return suite.param == IoEngine::kEpoll ? "epoll" : "uring"; });

}  // namespace
}  // namespace peernet
