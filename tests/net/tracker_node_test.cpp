// Nodes and the tracker inside a sharing node, in one process: what strangers may do at the node's port, swarms of
// several sources, and lists of peers that are dead.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <thread>

#include "crypto/join_proof.hpp"
#include "net_fixture.hpp"
#include "peernet/link.hpp"
#include "wire/tracker_messages.hpp"

namespace peernet {
namespace {

using namespace testing_net;

// A stranger with a socket on 127.0.0.1.
class Stranger {
 public:
  explicit Stranger(std::uint16_t to_port) : fd_(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in name{};
    name.sin_family = AF_INET;
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    name.sin_port = htons(to_port);
    EXPECT_EQ(::connect(fd_, reinterpret_cast<sockaddr*>(&name), sizeof name), 0);
    const timeval patience{10, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  }
  Stranger(const Stranger&) = delete;
  Stranger& operator=(const Stranger&) = delete;
  ~Stranger() { ::close(fd_); }

  void send(ByteSpan datagram) { static_cast<void>(::send(fd_, datagram.data(), datagram.size(), 0)); }
  std::vector<std::byte> ask(ByteSpan request) {
    send(request);
    std::vector<std::byte> reply(65536);
    ssize_t n = 0;
    do {  // rings of this process interrupt its other threads now and then
      n = ::recv(fd_, reply.data(), reply.size(), 0);
    } while (n < 0 && errno == EINTR);
    if (n < 0 && errno != EAGAIN) ADD_FAILURE() << std::strerror(errno);
    reply.resize(n < 0 ? 0 : static_cast<std::size_t>(n));
    return reply;
  }

  std::uint64_t connect(bool extended) {
    std::array<std::byte, wire::kMaxTrackerRequest> request{};
    const std::size_t size = wire::encode_connect(request, {7, extended});
    const auto reply = ask(ByteSpan(request).first(size));
    EXPECT_EQ(reply.size(), extended ? wire::kExtendedConnectReplySize : wire::kConnectReplySize);
    const auto decoded = wire::decode_tracker_reply(reply);
    if (!decoded || !std::holds_alternative<wire::ConnectReply>(*decoded)) return 0;
    return std::get<wire::ConnectReply>(*decoded).connection_id;
  }

 private:
  int fd_;
};

class TrackerNodeTest : public testing::TestWithParam<IoEngine> {
 protected:
  NodeConfig config() const {
    NodeConfig c;
    c.listen = "127.0.0.1:0";
    c.io = GetParam();
    c.shards = 2;
    c.state_dir = folder_ / "state";
    c.tracker_beat_seconds = 1;
    return c;
  }

  // A node that shares a file of random bytes, and the link.
  void share(std::size_t bytes) {
    data_ = random_bytes(bytes, bytes);
    write_file(folder_ / "data", data_);
    source_ = start_node(config());
    auto transfer = source_->share({.path = folder_ / "data"});
    ASSERT_TRUE(transfer);
    const auto event = wait_for(*transfer, EventKind::kLink);
    ASSERT_TRUE(event);
    text_ = event->text;
    link_ = *parse_link(text_);
    const std::string listen = source_->engine().listen;
    port_ = static_cast<std::uint16_t>(std::stoi(listen.substr(listen.rfind(':') + 1)));
  }

  std::string only_trackers() const {
    Link link = link_;
    link.peers.clear();
    return format_link(link);
  }

  void get(const std::string& link) {
    const auto receiver = start_node(config());
    auto transfer = receiver->get({.link = link, .output = folder_ / "copy", .overwrite = true});
    ASSERT_TRUE(transfer);
    ASSERT_TRUE(wait_for(*transfer, EventKind::kDone));
    EXPECT_TRUE(read_file(folder_ / "copy") == data_);
  }

  SwarmId swarm() const { return crypto::swarm_id(link_.swarm_key, link_.content_id); }

  Folder folder_;
  std::string data_;
  std::string text_;
  Link link_;
  std::unique_ptr<Node> source_;
  std::uint16_t port_ = 0;
};

TEST_P(TrackerNodeTest, AStockClientIsAnsweredOnTheNodesOwnPort) {
  share(1000);
  ASSERT_EQ(link_.trackers, link_.peers);
  Stranger stranger(port_);
  const std::uint64_t id = stranger.connect(false);
  std::array<std::byte, wire::kMaxTrackerRequest> request{};
  wire::AnnounceRequest announce;
  announce.swarm = swarm();
  announce.left = 1;
  announce.event = wire::AnnounceEvent::kStarted;
  announce.port = 6881;
  const std::size_t size = wire::encode(request, {id, wire::TrackerAction::kAnnounce, 9}, announce, ByteArray<20>{});
  const auto reply = stranger.ask(ByteSpan(request).first(size));
  ASSERT_GE(reply.size(), wire::kAnnounceReplyHeader);
  ByteReader reader(reply);
  EXPECT_EQ(reader.u32(), static_cast<std::uint32_t>(wire::TrackerAction::kAnnounce));
  EXPECT_EQ(reader.u32(), 9u);
  get(text_);  // and nodes still find each other
}

TEST_P(TrackerNodeTest, StrangersCannotListContentsThatThisNodeDoesNotShare) {
  share(1000);
  Stranger stranger(port_);
  const std::uint64_t id = stranger.connect(true);
  std::array<std::byte, wire::kMaxTrackerRequest> request{};
  wire::NodeAnnounce announce;
  announce.swarm = swarm();
  announce.swarm[0] ^= std::byte{1};
  const std::size_t size = wire::encode(request, {id, wire::TrackerAction::kNodeAnnounce, 1}, announce);
  const auto reply = wire::decode_tracker_reply(stranger.ask(ByteSpan(request).first(size)));
  ASSERT_TRUE(reply);
  EXPECT_TRUE(std::holds_alternative<wire::ErrorReply>(*reply));
  EXPECT_EQ(counter(*source_, "tracker_too_many_contents"), 1u);
}

TEST_P(TrackerNodeTest, TheSharingNodeIsListedAndGoneWithItsShare) {
  share(1000);
  const auto asker = start_node(config());
  const auto listing = asker->list(text_, 10s);
  ASSERT_TRUE(listing) << describe(listing.error());
  ASSERT_EQ(listing->members.size(), 1u);
  EXPECT_EQ(listing->members[0].address, source_->engine().listen);
  EXPECT_TRUE(listing->members[0].complete && listing->members[0].served);
  EXPECT_EQ(listing->members[0].fraction, 1);
  auto second = source_->share({.path = folder_ / "data"});
  ASSERT_TRUE(second);
  const auto link = wait_for(*second, EventKind::kLink);
  ASSERT_TRUE(link);
  EXPECT_EQ(asker->list(link->text, 10s)->members.size(), 1u);
  second->cancel();
  ASSERT_TRUE(wait_for(*second, EventKind::kDone));
  EXPECT_TRUE(eventually([&] { return asker->list(link->text, 10s)->members.empty(); }));
  EXPECT_EQ(asker->list(text_, 10s)->members.size(), 1u) << "the other share of the same bytes goes on";
  get(text_);
}

TEST_P(TrackerNodeTest, ANodeThatOnlyReceivesAnswersNoStrangers) {
  const auto receiver = start_node(config());
  const std::string listen = receiver->engine().listen;
  Stranger stranger(static_cast<std::uint16_t>(std::stoi(listen.substr(listen.rfind(':') + 1))));
  std::array<std::byte, 16> connect{};
  ByteWriter(connect).u64(wire::kTrackerMagic);
  stranger.send(connect);
  EXPECT_TRUE(eventually([&] { return counter(*receiver, "drop_unknown_type") == 1; }));
}

TEST_P(TrackerNodeTest, HostileDatagramsForTheTrackerChangeNothingForATransfer) {
  share(8u << 20);
  std::atomic<bool> stop{false};
  std::thread shouter([&] {
    std::mt19937_64 random(3);
    Stranger stranger(port_);
    std::array<std::byte, 1600> bytes{};
    while (!stop) {
      for (std::byte& b : bytes) b = static_cast<std::byte>(random());
      bytes[0] = std::byte{0};
      const std::size_t size = random() % bytes.size();
      // Random bytes, forged connection ids under each action, connects that are never used.
      if (random() % 2 == 0 && size >= 12) bytes[8] = bytes[9] = bytes[10] = std::byte{0};
      if (random() % 4 == 0) ByteWriter(bytes).u64(wire::kTrackerMagic);
      stranger.send(ByteSpan(bytes).first(size));
    }
  });
  get(only_trackers());
  get(text_);
  stop = true;
  shouter.join();
  EXPECT_GT(counter(*source_, "tracker_refused_bad_connection_id"), 0u);
  EXPECT_GT(counter(*source_, "tracker_refused_too_short"), 0u);
  // A receiver's goodbye may have been lost in the noise: its silence is noticed within three beats.
  const auto asker = start_node(config());
  EXPECT_TRUE(eventually([&] {
    const auto listing = asker->list(text_, 10s);
    return listing && listing->members.size() == 1 && listing->members[0].complete;
  }));
}

TEST_P(TrackerNodeTest, APeerListFullOfDeadAddressesDoesNotHoldUpAGet) {
  share(1u << 20);
  std::vector<std::unique_ptr<Stranger>> dead;  // their sockets are open and silent: no ICMP helps the receiver
  for (std::uint8_t i = 0; i < 60; ++i) {
    dead.push_back(std::make_unique<Stranger>(port_));
    const std::uint64_t id = dead.back()->connect(true);
    std::array<std::byte, wire::kMaxTrackerRequest> request{};
    wire::NodeAnnounce announce;
    announce.swarm = swarm();
    announce.node[0] = std::byte{i};
    announce.node[1] = std::byte{0xdd};
    announce.flags = wire::kContentComplete | wire::kContentServed | wire::kReachesV4;
    announce.chunks = 1;
    announce.owned.fill(std::byte{0xff});
    const std::size_t size = wire::encode(request, {id, wire::TrackerAction::kNodeAnnounce, i}, announce);
    ASSERT_FALSE(dead.back()->ask(ByteSpan(request).first(size)).empty());
  }
  const auto asker = start_node(config());
  EXPECT_EQ(asker->list(text_, 10s)->members.size(), 61u) << "more than fit into a page";
  get(text_);            // its own address is in the link
  get(only_trackers());  // it must be found among them, before the beat has ended them
}

TEST_P(TrackerNodeTest, AShareThatJoinsServesTheSameContent) {
  share(6u << 20);
  write_file(folder_ / "other", data_);
  const auto second = start_node(config());
  auto joined = second->share({.path = folder_ / "other", .join = text_});
  ASSERT_TRUE(joined) << describe(joined.error());
  const auto event = wait_for(*joined, EventKind::kLink);
  ASSERT_TRUE(event);
  EXPECT_EQ(event->text, text_);
  EXPECT_EQ(joined->progress().name, "data");
  source_.reset();  // tracker and publisher are gone
  Link link = link_;
  link.peers = {second->engine().listen};
  get(format_link(link));
}

TEST_P(TrackerNodeTest, OptionsThatDoNotFitTogetherAreRefusedAtOnce) {
  share(1000);
  const std::string path = folder_ / "data";
  Link bare = link_;
  bare.trackers.clear();
  for (const ShareOptions& options :
       {ShareOptions{.path = path, .is_public = true, .join = text_},
        ShareOptions{.path = path, .advertise = {"a"}, .join = text_},
        ShareOptions{.path = path, .trackers = {"a:1"}, .join = text_}, ShareOptions{.path = path, .join = "nonsense"},
        ShareOptions{.path = path, .join = format_link(bare)}, ShareOptions{.path = path, .trackers = {"no port"}},
        ShareOptions{.path = path, .trackers = std::vector<std::string>(17, "a:1")}}) {
    const auto refused = source_->share(options);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::kUsage);
  }
  EXPECT_EQ(source_->list(format_link(bare), 1s).error().code, ErrorCode::kUsage);
  NodeConfig wrong = config();
  wrong.tracker_beat_seconds = 0;
  EXPECT_EQ(Node::start(wrong).error().code, ErrorCode::kUsage);
}

INSTANTIATE_TEST_SUITE_P(Engines, TrackerNodeTest, testing::Values(IoEngine::kEpoll, IoEngine::kUring),
                         [](const auto& suite) { return suite.param == IoEngine::kEpoll ? "epoll" : "uring"; });

}  // namespace
}  // namespace peernet
