// Peers that lie and strangers that shout, against a real node on loopback: one clear end, or counted and survived.
#include <arpa/inet.h>

#include "base/rng.hpp"
#include "file_answers.hpp"
#include "net_fixture.hpp"
#include "peernet/link.hpp"
#include "scripted_source.hpp"
#include "storage/share_hasher.hpp"

namespace peernet {
namespace {

using namespace testing_net;
using content::TableId;

class HostileTest : public testing::TestWithParam<IoEngine> {
 protected:
  NodeConfig config() const {
    NodeConfig c;
    c.listen = "127.0.0.1:0";
    c.io = GetParam();
    c.state_dir = folder_ / "state";
    return c;
  }

  storage::SharedFile hashed(const std::string& name, const std::string& bytes) {
    write_file(folder_ / name, bytes);
    auto file = storage::hash_file(folder_ / name, {});
    EXPECT_TRUE(file);
    return std::move(*file);
  }

  // A link to a content, at a source, made by `publisher`.
  static std::string link_to(const ContentId& id, const SwarmKey& key, const NodeId& publisher,
                             const std::string& address) {
    Link link;
    link.content_id = id;
    link.swarm_key = key;
    link.publisher_id = publisher;
    link.peers = {address};
    link.name = "data";
    return format_link(link);
  }

  std::optional<Event> get(const std::string& link, const std::string& output) {
    const auto node = start_node(config());
    auto transfer = node->get({.link = link, .output = folder_ / output, .timeout_seconds = 30});
    EXPECT_TRUE(transfer);
    return transfer ? next_event(*transfer, EventKind::kDone) : std::nullopt;
  }

  Folder folder_;
};

SwarmKey some_key(std::uint8_t fill) {
  SwarmKey key;
  key.fill(std::byte{fill});
  return key;
}

TEST_P(HostileTest, AnImpostorWithoutTheKeyIsAskedForNothing) {
  const auto file = hashed("data", random_bytes(100'000, 1));
  ScriptedSource impostor({some_key(1), file.id, answers(file, random_bytes(100'000, 1))});
  const auto end = get(link_to(file.id, some_key(2), impostor.id(), impostor.address()), "out");
  ASSERT_TRUE(end);
  EXPECT_EQ(end->error.code, ErrorCode::kUnknownContent);
  EXPECT_GT(impostor.joins(), 0);
  EXPECT_EQ(impostor.requests(), 0);
}

TEST_P(HostileTest, AScriptedSourceThatIsHonestServes) {  // the control of the tests around it
  const std::string bytes = random_bytes(3'000'000, 2);
  const auto file = hashed("data", bytes);
  ScriptedSource source({some_key(1), file.id, answers(file, bytes)});
  const auto end = get(link_to(file.id, some_key(1), source.id(), source.address()), "out");
  ASSERT_TRUE(end);
  EXPECT_EQ(end->kind, EventKind::kDone) << end->text;
  EXPECT_TRUE(read_file(folder_ / "out") == bytes);
}

TEST_P(HostileTest, WrongBytesNeverGetTheFinalNameAndTheSourceIsBanned) {
  std::string bytes = random_bytes(3'000'000, 3);
  const auto file = hashed("data", bytes);
  bytes[2'500'000] = static_cast<char>(bytes[2'500'000] ^ 1);
  ScriptedSource liar({some_key(1), file.id, answers(file, bytes)});
  const auto end = get(link_to(file.id, some_key(1), liar.id(), liar.address()), "out");
  ASSERT_TRUE(end);
  EXPECT_EQ(end->error.code, ErrorCode::kIntegrity) << end->text;
  EXPECT_FALSE(stdfs::exists(folder_ / "out"));
  EXPECT_TRUE(stdfs::exists(folder_ / "out.part"));  // the chunks that verified are kept
}

// The only chunk is pieced together from both, so that at first nobody can say who lies.
TEST_P(HostileTest, OneLiarAmongTwoSourcesIsFoundAndTheRightBytesArrive) {
  const std::string right = random_bytes(1'000'000, 9);
  std::string wrong = right;
  for (std::size_t at = 0; at < wrong.size(); at += 16384) wrong[at] = static_cast<char>(wrong[at] ^ 1);
  const auto file = hashed("data", right);
  ScriptedSource honest({some_key(1), file.id, answers(file, right)});
  ScriptedSource liar({some_key(1), file.id, answers(file, wrong)});
  Link link = *parse_link(link_to(file.id, some_key(1), honest.id(), liar.address()));
  link.peers.push_back(parse_link(link_to(file.id, some_key(1), honest.id(), honest.address()))->peers.at(0));
  const auto end = get(format_link(link), "out");
  ASSERT_TRUE(end);
  EXPECT_EQ(end->kind, EventKind::kDone) << end->text;
  EXPECT_TRUE(read_file(folder_ / "out") == right);
}

// A core whose XXH3 table is that of the liar's bytes and whose SHA-256 layer is that of the right ones: what an
// attacker who can make XXH3-128 collide achieves.
TEST_P(HostileTest, EqualXxh3DoesNotPassForAStrangersChunk) {
  const std::string right = random_bytes(2'000'000, 4);
  std::string wrong = right;
  wrong[1'500'000] = static_cast<char>(wrong[1'500'000] ^ 1);
  const auto honest = hashed("data", right);
  auto forged = hashed("data", wrong);
  forged.core.sha256_root = honest.core.sha256_root;
  forged.core_bytes = content::encode_manifest(forged.core);
  forged.id = content::content_id_of(forged.core);
  const auto serve_wrong = [&](const wire::RequestFrame& r) {
    return answers(static_cast<TableId>(r.table) == TableId::kSha256 ? honest : forged, wrong)(r);
  };
  ScriptedSource stranger({some_key(1), forged.id, serve_wrong});
  NodeId somebody_else{};
  somebody_else[0] = std::byte{7};
  const auto end = get(link_to(forged.id, some_key(1), somebody_else, stranger.address()), "out");
  ASSERT_TRUE(end);
  EXPECT_EQ(end->error.code, ErrorCode::kIntegrity) << end->text;
  EXPECT_FALSE(stdfs::exists(folder_ / "out"));
  // The publisher's own session is believed on XXH3-128 alone: this is the documented trust, shown to be what decides.
  const auto trusted = get(link_to(forged.id, some_key(1), stranger.id(), stranger.address()), "trusted");
  ASSERT_TRUE(trusted);
  EXPECT_EQ(trusted->kind, EventKind::kDone) << trusted->text;
}

TEST_P(HostileTest, AForgedTablePageIsRefused) {
  const std::string bytes = random_bytes(2'000'000, 5);
  const auto file = hashed("data", bytes);
  const auto honest = answers(file, bytes);
  ScriptedSource liar({some_key(1), file.id, [&](const wire::RequestFrame& r) {
                         auto reply = honest(r);
                         if (static_cast<TableId>(r.table) == TableId::kXxh3) reply[0] ^= std::byte{1};
                         return reply;
                       }});
  const auto end = get(link_to(file.id, some_key(1), liar.id(), liar.address()), "out");
  ASSERT_TRUE(end);
  EXPECT_EQ(end->error.code, ErrorCode::kIntegrity) << end->text;
  EXPECT_FALSE(stdfs::exists(folder_ / "out"));
}

// ------------------------------------------------------------------------------------------ strangers

// Sends to a node's port until it is destroyed.
class Shouter {
 public:
  Shouter(const std::string& target, std::function<std::vector<std::byte>(Rng&)> make)
      : socket_(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)), make_(std::move(make)) {
    to_.sin_family = AF_INET;
    const std::size_t colon = target.rfind(':');
    ::inet_pton(AF_INET, target.substr(0, colon).c_str(), &to_.sin_addr);
    to_.sin_port = htons(static_cast<std::uint16_t>(std::stoi(target.substr(colon + 1))));
    thread_ = std::jthread([this](const std::stop_token& stop) {
      Rng rng(7);
      while (!stop.stop_requested()) {
        const std::vector<std::byte> bytes = make_(rng);
        ::sendto(socket_, bytes.data(), bytes.size(), 0, reinterpret_cast<const sockaddr*>(&to_), sizeof to_);
        ++sent_;
      }
    });
  }
  ~Shouter() {
    thread_.request_stop();
    thread_.join();
    ::close(socket_);
  }
  std::uint64_t sent() const { return sent_; }

 private:
  int socket_;
  sockaddr_in to_{};
  std::function<std::vector<std::byte>(Rng&)> make_;
  std::atomic<std::uint64_t> sent_{0};
  std::jthread thread_;
};

// Random bytes of all lengths, empty ones, and things that start like packets of ours.
std::vector<std::byte> garbage(Rng& rng) {
  std::vector<std::byte> bytes(rng.chance(0.2) ? 0 : rng.below(1500));
  for (auto& b : bytes) b = static_cast<std::byte>(rng.next());
  if (!bytes.empty() && rng.chance(0.7)) bytes[0] = static_cast<std::byte>(0x51 + rng.below(4));
  return bytes;
}

TEST_P(HostileTest, GarbageAtFullSpeedIsCountedByNameAndATransferCompletes) {
  const auto source = start_node(config());
  const auto receiver = start_node(config());
  const std::string bytes = random_bytes(12u << 20, 6);
  write_file(folder_ / "data", bytes);
  auto share = source->share({.path = folder_ / "data", .embed_tracker = false});  // it would answer for some of it
  ASSERT_TRUE(share);
  const auto link = wait_for(*share, EventKind::kLink);
  ASSERT_TRUE(link);
  {
    const Shouter at_source(source->engine().listen, garbage);
    const Shouter at_receiver(receiver->engine().listen, garbage);
    auto get = receiver->get({.link = link->text, .output = folder_ / "out"});
    ASSERT_TRUE(get);
    EXPECT_TRUE(wait_for(*get, EventKind::kDone));
    while (at_source.sent() < 2000) std::this_thread::yield();
  }
  EXPECT_TRUE(read_file(folder_ / "out") == bytes);
  for (const char* name : {"drop_empty", "drop_too_short", "drop_unknown_type", "drop_unknown_session"})
    EXPECT_GT(counter(*source, name), 0u) << name;
}

// First packets that are sealed as they should be, each for a session that is never finished.
TEST_P(HostileTest, AFloodOfHalfOpenHandshakesIsAnsweredStatelesslyAndNewcomersStillGetIn) {
  const auto source = start_node(config());
  write_file(folder_ / "data", random_bytes(100'000, 8));
  auto share = source->share({.path = folder_ / "data"});
  ASSERT_TRUE(share);
  const auto link = wait_for(*share, EventKind::kLink);
  ASSERT_TRUE(link);
  io::SystemRandom random;
  const auto factory = crypto::make_tls_handshake_factory(crypto::Identity::generate(random));
  ASSERT_TRUE(factory);
  std::vector<std::vector<std::byte>> firsts;
  for (std::uint32_t i = 0; i < 1500; ++i) {
    transport::SessionConfig c;
    c.local_id = SessionId(i << 8);
    c.first_receiver_id = SessionId(i * 2654435761u);
    c.initiator_id = 0x1234'5678'0000'0000 + i;
    c.remote = Address::v4(127, 0, 0, 1, 1);
    c.parameters.ciphers = wire::kCiphersKnown;
    transport::Session session(c, (*factory)->start_initiator(), Instant::from_ns(1));
    std::vector<std::byte> packet(65536);
    const auto transmit = session.poll_transmit(Instant::from_ns(1), packet);
    ASSERT_TRUE(transmit);
    packet.resize(transmit->bytes);
    firsts.push_back(std::move(packet));
  }
  const Shouter flood(source->engine().listen, [&](Rng& rng) { return firsts[rng.below(firsts.size())]; });
  const auto end = get(link->text, "out");
  ASSERT_TRUE(end);
  EXPECT_EQ(end->kind, EventKind::kDone) << end->text;
  while (counter(*source, "retries_sent") == 0 && counter(*source, "drop_handshake_budget") == 0)
    std::this_thread::sleep_for(1ms);
  EXPECT_LE(counter(*source, "sessions_accepted"), 5000u);
}

INSTANTIATE_TEST_SUITE_P(Engines, HostileTest, testing::Values(IoEngine::kEpoll, IoEngine::kUring),
                         [](const auto& suite) { return suite.param == IoEngine::kEpoll ? "epoll" : "uring"; });

}  // namespace
}  // namespace peernet
