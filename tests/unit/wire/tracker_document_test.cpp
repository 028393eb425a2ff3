// docs/protocol-tracker.md is checked here: its vectors are computed from the inputs it names and decode, its tables
// and numbers are compared with tracker_spec.hpp.
#include <gtest/gtest.h>

#include <map>
#include <regex>
#include <string>

#include "crypto/hash.hpp"
#include "document.hpp"
#include "sample_tracker_messages.hpp"
#include "wire/packet.hpp"

namespace peernet::wire {
namespace {

using Buffer = std::vector<std::byte>;

constexpr std::uint64_t kConnectionId = 0x8394c8f03e515708;
constexpr std::uint32_t kTransaction = 0x01020304;
constexpr std::uint32_t kEpoch = 0xe90c4001;
constexpr std::uint32_t kBeat = 30000;
constexpr std::uint32_t kRate = 1500;
constexpr std::uint32_t kChunks = 300;

const std::string& document() {
  static const std::string text = read_document(PEERNET_TRACKER_DOCUMENT);
  return text;
}

OwnershipBits sample_owned() {
  OwnershipBits bits{};
  for (const std::uint32_t bit : {0u, 9u, 127u}) set_owned(bits, bit);
  return bits;
}

Address v6_sample(std::uint16_t port) {
  Address out;
  out.ip[0] = std::byte{0x20};
  out.ip[1] = std::byte{0x01};
  out.ip[2] = std::byte{0x0d};
  out.ip[3] = std::byte{0xb8};
  out.ip[15] = std::byte{1};
  out.port = port;
  return out;
}

class Vectors {
 public:
  std::map<std::string, std::string> all;

  void add(const std::string& name, ByteSpan bytes) { all[name] = hex(bytes); }
  template <class Request, class... More>
  void add_request(const std::string& name, const Request& request, const More&... more) {
    Buffer out(kMaxTrackerRequest);
    const TrackerHeader header{.connection_id = kConnectionId, .transaction = kTransaction};
    add(name, ByteSpan(out).first(encode(out, header, request, more...)));
  }
  void add_reply(const std::string& name, const TrackerReply& reply) { add(name, encoded(reply)); }
};

/// Replies that only plain clients read have no struct in the code: they are written out here.
void add_bep15_replies(Vectors& v) {
  Buffer out(100);
  const auto start = [&](std::uint32_t action) {
    ByteWriter w(out);
    w.u32(action);
    w.u32(kTransaction);
    return w;
  };
  ByteWriter announce = start(1);
  for (const std::uint32_t value : {1800u, 2u, 1u}) announce.u32(value);
  ByteWriter announce_v6 = announce;
  for (const std::uint32_t i : {1u, 2u}) {
    announce.u32(0xc0000200u + i);
    announce.u16(static_cast<std::uint16_t>(6880 + i));
  }
  v.add("announce reply", announce.written());
  announce_v6.bytes(v6_sample(6881).ip);
  announce_v6.u16(6881);
  v.add("announce reply, IPv6", announce_v6.written());
  ByteWriter scrape = start(2);
  for (const std::uint32_t value : {1u, 3u, 2u, 0u, 0u, 0u}) scrape.u32(value);
  v.add("scrape reply", scrape.written());
}

void add_bep15(Vectors& v) {
  Buffer out(kMaxTrackerRequest);
  v.add("connect request", ByteSpan(out).first(encode_connect(out, {kTransaction, false})));
  v.add_reply("connect reply",
              ConnectReply{.transaction = kTransaction, .connection_id = kConnectionId, .observed = {}});
  AnnounceRequest announce{.swarm = filled<20>(0x5a), .left = 1000, .event = AnnounceEvent::kStarted};
  announce.numwant = 50;
  announce.port = 6881;
  v.add_request("announce request", announce, filled<20>(0x2d));
  v.all["announce request with options"] = v.all["announce request"] + "020b" + hex(text_bytes("/announce?x")) + "00";
  ByteWriter w(out);
  w.u64(kConnectionId);
  w.u32(2);
  w.u32(kTransaction);
  w.bytes(filled<20>(0x5a));
  w.bytes(filled<20>(0x5b));
  v.add("scrape request", w.written());
  v.all["error reply"] =
      "00000003"
      "01020304" +
      hex(text_bytes(text_of(TrackerRefusal::kPortZero)));
  add_bep15_replies(v);
}

void add_extension(Vectors& v) {
  Buffer out(kMaxTrackerRequest);
  const Address observed = Address::v4(192, 0, 2, 1, 4711);
  v.add("extended connect request", ByteSpan(out).first(encode_connect(out, {kTransaction, true})));
  v.add_reply("extended connect reply", ConnectReply{kTransaction, kConnectionId, true, kEpoch, kBeat, observed});
  v.add_request("node_announce request", NodeAnnounce{.swarm = filled<20>(0x5a),
                                                      .node = filled<16>(0xa1),
                                                      .flags = kContentServed | kReachesV4 | kReachesV6,
                                                      .numwant = 20,
                                                      .chunks = kChunks,
                                                      .rate_kib = kRate,
                                                      .owned = sample_owned()});
  const NodePeer seed{kContentComplete | kContentServed, Address::v4(192, 0, 2, 2, 4712), kRate, filled<16>(0xb2),
                      all_owned()};
  const NodePeer partial{kContentServed, v6_sample(443), kRate, filled<16>(0xc3), sample_owned()};
  NodeAnnounceReply reply{kTransaction, kEpoch, kBeat, kConnectionId, observed, 1, 1, kChunks, {}};
  reply.peers.push_back(seed);
  reply.peers.push_back(partial);
  v.add_reply("node_announce reply", reply);

  Heartbeat heartbeat{filled<16>(0xa1), kRate, {}};
  heartbeat.entries.push_back({filled<20>(0x5a), kContentComplete | kContentServed, all_owned()});
  heartbeat.entries.push_back({filled<20>(0x5b), kContentServed, sample_owned()});
  heartbeat.entries.push_back({filled<20>(0x5c), kContentLeft, {}});
  v.add_request("heartbeat request", heartbeat);
  v.add_reply("heartbeat reply", HeartbeatReply{kTransaction, kEpoch, kBeat, kConnectionId, 0b010});
  v.add_request("query request", Query{filled<20>(0x5a), 0});
  QueryReply listing{kTransaction, kEpoch, kBeat, 1, 1, 3, 4, 7, {}};
  for (const NodePeer& p : {seed, partial})
    listing.nodes.push_back({p.flags, p.address, 1500, p.rate_kib, kChunks, p.node, p.owned});
  v.add_reply("query reply", listing);
  v.add_reply("goodbye", Goodbye{kEpoch, kConnectionId});
}

void add_rendezvous(Vectors& v) {
  for (const std::string name : {"tracker.example:6969", "192.0.2.1:4711", "[2001:db8::1]:6969"}) {
    crypto::Sha256 hash;
    hash.update(text_bytes(name));
    hash.update(filled<20>(0x5a));
    v.add("rank of " + name, hash.finish());
  }
}

TEST(TrackerDocument, EveryVectorIsRight) {
  Vectors v;
  add_bep15(v);
  add_extension(v);
  add_rendezvous(v);
  EXPECT_EQ(v.all.size(), 21u);
  expect_documented(v.all, document(), "docs/protocol-tracker.md");
}

/// Whether a datagram decodes as the request that its action names.
bool request_decodes(const TrackerHeader& header, ByteSpan datagram) {
  switch (header.action) {
    case TrackerAction::kConnect:
      return header.connection_id == kTrackerMagic && decode_connect(datagram).transaction == kTransaction;
    case TrackerAction::kAnnounce: {
      const auto announce = decode_announce(datagram);
      return announce && announce->url_bytes == (datagram.size() > kAnnounceRequestSize ? 11 : 0);
    }
    case TrackerAction::kScrape:
      return decode_scrape(datagram).has_value();
    case TrackerAction::kNodeAnnounce:
      return decode_node_announce(datagram).has_value();
    case TrackerAction::kHeartbeat:
      return decode_heartbeat(datagram).has_value();
    case TrackerAction::kQuery:
      return decode_query(datagram).has_value();
    case TrackerAction::kError:
    case TrackerAction::kGoodbye:
      break;
  }
  return false;
}

TEST(TrackerDocument, MessagesDecodeFromTheirVectors) {
  std::size_t requests = 0, replies = 0;
  for (const auto& [name, value] : vectors_of(document())) {
    const Buffer datagram = from_hex(value);
    if (name.find("request") != std::string::npos) {
      const auto header = decode_tracker_header(datagram);
      ASSERT_TRUE(header) << name;
      EXPECT_TRUE(request_decodes(*header, datagram)) << name;
      ++requests;
    } else if (!name.starts_with("rank") && !name.starts_with("announce") && !name.starts_with("scrape")) {
      EXPECT_TRUE(decode_tracker_reply(datagram)) << name;
      ++replies;
    }
  }
  EXPECT_EQ(requests, 8u);
  EXPECT_EQ(replies, 7u);
}

std::map<std::string, std::string> rows(const char* pattern) {
  std::map<std::string, std::string> out;
  const std::regex row(pattern);
  for (std::sregex_iterator it(document().begin(), document().end(), row), end; it != end; ++it)
    out[(*it)[1]] = (*it)[2];
  return out;
}

TEST(TrackerDocument, TheTablesAreThoseOfTheCode) {
  const auto number = [](auto value) { return std::to_string(static_cast<unsigned>(value)); };
  using Rows = std::map<std::string, std::string>;
  EXPECT_EQ(rows(R"(\n\| (\d+) \| (connect|announce|scrape|error|node_announce|heartbeat|query|goodbye) \|)"),
            (Rows{{number(TrackerAction::kConnect), "connect"},
                  {number(TrackerAction::kAnnounce), "announce"},
                  {number(TrackerAction::kScrape), "scrape"},
                  {number(TrackerAction::kError), "error"},
                  {number(TrackerAction::kNodeAnnounce), "node_announce"},
                  {number(TrackerAction::kHeartbeat), "heartbeat"},
                  {number(TrackerAction::kQuery), "query"},
                  {number(TrackerAction::kGoodbye), "goodbye"}}));
  const auto flag = [](std::uint8_t value) { return "0x" + hex(ByteArray<1>{std::byte{value}}); };
  EXPECT_EQ(rows(R"(\n\| (0x[0-9a-f]{2}) \| ([a-z0-9_]+) \|)"), (Rows{{flag(kContentComplete), "complete"},
                                                                      {flag(kContentServed), "served"},
                                                                      {flag(kContentLeft), "left"},
                                                                      {flag(kReachesV4), "reaches_v4"},
                                                                      {flag(kReachesV6), "reaches_v6"},
                                                                      {flag(kPeerIsV6), "is_v6"}}));
  for (int i = 0; i < static_cast<int>(TrackerRefusal::kCount); ++i) {
    const auto refusal = static_cast<TrackerRefusal>(i);
    const bool silent = refusal == TrackerRefusal::kTooLong;
    const std::string words = silent ? " " : " " + std::string(text_of(refusal)) + " ";
    const std::string row = "\n| " + std::string(name_of(refusal)) + " |" + words + "|";
    EXPECT_NE(document().find(row), std::string::npos) << row;
  }
}

TEST(TrackerDocument, TheNumbersOfTheTextAreThoseOfTheCode) {
  const std::string prose = std::regex_replace(document(), std::regex("\n"), " ");
  const auto expect = [&](const std::string& words) {
    EXPECT_NE(prose.find(words), std::string::npos) << "the document does not say: " << words;
  };
  const auto n = [](std::size_t value) { return std::to_string(value); };
  expect("0x" + std::string("41727101980") + " in a connect request");
  expect("below " + n(kRequestHeaderSize) + " bytes or above " + n(kMaxTrackerRequest) + " bytes get no answer");
  expect("No reply is longer than " + n(kMaxTrackerReply) + " bytes");
  expect("extended one " + n(kExtendedConnectSize) + " and " + n(kExtendedConnectReplySize));
  expect("**announce**: " + n(kAnnounceRequestSize) + " bytes");
  expect("negative: " + n(kDefaultNumwant));
  expect("at most " + n(kMaxPeersV4) + ") if the request came over IPv4");
  expect("at most " + n(kMaxPeersV6) + ") over IPv6");
  expect("then 1 to " + n(kMaxScrapeHashes) + " info hashes");
  expect("mark u32 | 0x504e5431");
  expect("| up to " + n(kExtendedConnectSize) + " bytes: the reply must not be longer");
  expect("min(numwant, " + n(kMaxNodePeers) + ", served nodes within reach)");
  expect("| " + n(kNodeAnnounceReplyHeader) + " | peers | count times");
  expect("for up to " + n(kMaxHeartbeatContents) + " contents; a node with more sends several, each at most " +
         n(kHeartbeatTarget) + " bytes");
  expect("| " + n(kHeartbeatHeader) + " | contents | count times");
  expect("| " + n(kQueryReplyHeader) + " | nodes | count times");
  expect("count u8 | at most " + n(kMaxListedNodes));
  expect("silent for " + n(kBeatsUntilDead) + " beats");
  expect("Ownership** is " + n(kOwnershipBits) + " bits");
  static_assert(kExtensionMark == 0x504e5431 && kTrackerMagic == 0x41727101980);
}

/// Trackers and nodes share a port: no tracker message looks like a packet of PN/1.
TEST(TrackerDocument, NoMessageStartsLikeAPacket) {
  for (const auto& [name, value] : vectors_of(document())) {
    if (name.starts_with("rank")) continue;
    const bool request = name.find("request") != std::string::npos && name.find("connect") == std::string::npos;
    const unsigned first = std::to_integer<unsigned>(from_hex(value)[0]);
    EXPECT_TRUE(request ? first >= 0x80 : first == 0) << name;
    EXPECT_FALSE(decode_header(from_hex(value))) << name;
  }
}

}  // namespace
}  // namespace peernet::wire
