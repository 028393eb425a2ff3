#include "wire/tracker_messages.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "sample_tracker_messages.hpp"

namespace peernet::wire {
namespace {

using Buffer = std::vector<std::byte>;

constexpr ByteArray<20> kPeerId{};
constexpr std::uint64_t kSeeds = 200;

template <class... Args>
Buffer request(const Args&... args) {
  Buffer out(kMaxTrackerRequest);
  out.resize(encode(out, args...));
  return out;
}

/// The first n bytes in a block of their own: a sanitizer sees any read past the end.
Buffer first(const Buffer& datagram, std::size_t n) {
  return {datagram.begin(), datagram.begin() + static_cast<std::ptrdiff_t>(n)};
}

Buffer longer(Buffer datagram, std::initializer_list<int> more) {
  for (const int b : more) datagram.push_back(static_cast<std::byte>(b));
  return datagram;
}

Buffer changed(Buffer datagram, std::size_t at, int value) {
  datagram.at(at) = static_cast<std::byte>(value);
  return datagram;
}

Buffer connect(bool extended) {
  Buffer out(kMaxTrackerRequest);
  out.resize(encode_connect(out, {7, extended}));
  return out;
}

Buffer scrape(std::size_t bytes_of_hashes) {
  Buffer out(kRequestHeaderSize + bytes_of_hashes);
  for (std::size_t i = kRequestHeaderSize; i < out.size(); ++i)
    out[i] = static_cast<std::byte>((i - kRequestHeaderSize) / kInfoHashSize + 1);
  return out;
}

Buffer announce_of(const AnnounceRequest& r) {
  return request(TrackerHeader{1, TrackerAction::kAnnounce, 2}, r, kPeerId);
}

template <class Decoded>
TrackerRefusal refusal(const Decoded& decoded) {
  return decoded ? TrackerRefusal::kCount : decoded.error();
}

TEST(OwnershipBits, StartWithTheHighestBitOfTheFirstByte) {
  OwnershipBits bits{};
  set_owned(bits, 0);
  set_owned(bits, 9);
  set_owned(bits, 127);
  EXPECT_EQ(bits[0], std::byte{0x80});
  EXPECT_EQ(bits[1], std::byte{0x40});
  EXPECT_EQ(bits[15], std::byte{0x01});
  EXPECT_EQ(owned_count(bits), 3u);
  for (std::uint32_t bit = 0; bit < kOwnershipBits; ++bit)
    EXPECT_EQ(owns(bits, bit), bit == 0 || bit == 9 || bit == 127) << bit;
}

TEST(OwnershipBits, EachIsItsOwnAndTogetherTheyAreAll) {
  OwnershipBits bits{};
  for (std::uint32_t bit = 0; bit < kOwnershipBits; ++bit) {
    EXPECT_FALSE(owns(bits, bit));
    set_owned(bits, bit);
    set_owned(bits, bit);
    EXPECT_TRUE(owns(bits, bit));
    EXPECT_EQ(owned_count(bits), bit + 1);
  }
  EXPECT_EQ(bits, all_owned());
}

TEST(TrackerRefusals, HaveNamesAndWordsOfTheirOwn) {
  std::set<std::string_view> names, words;
  for (int i = 0; i < static_cast<int>(TrackerRefusal::kCount); ++i) {
    names.insert(name_of(static_cast<TrackerRefusal>(i)));
    words.insert(text_of(static_cast<TrackerRefusal>(i)));
  }
  EXPECT_EQ(names.size(), static_cast<std::size_t>(TrackerRefusal::kCount));
  EXPECT_EQ(words.size(), static_cast<std::size_t>(TrackerRefusal::kCount));
  EXPECT_FALSE(names.contains("unknown"));
  for (const std::string_view text : words) EXPECT_LE(text.size(), 20u) << text;
  EXPECT_EQ(name_of(TrackerRefusal::kBadConnectionId), "bad_connection_id");
}

TEST(TrackerHeader, IsTheFirst16BytesOfWhateverIsNeitherTooShortNorTooLong) {
  for (std::size_t size = 0; size <= kMaxTrackerRequest + 100; ++size) {
    Buffer datagram(size);
    for (std::size_t i = 0; i < std::min<std::size_t>(size, kRequestHeaderSize); ++i)
      datagram[i] = static_cast<std::byte>(i + 1);
    const auto header = decode_tracker_header(datagram);
    if (size < kRequestHeaderSize) {
      ASSERT_EQ(refusal(header), TrackerRefusal::kTooShort) << size;
    } else if (size > kMaxTrackerRequest) {
      ASSERT_EQ(refusal(header), TrackerRefusal::kTooLong) << size;
    } else {
      ASSERT_TRUE(header) << size;
      const TrackerHeader expected{0x0102030405060708, static_cast<TrackerAction>(0x090a0b0c), 0x0d0e0f10};
      ASSERT_EQ(*header, expected);
    }
  }
}

TEST(ConnectRequest, IsExtendedOnlyWithTheMarkAndInFullSize) {
  const Buffer plain = connect(false), extended = connect(true);
  EXPECT_EQ(plain.size(), kConnectRequestSize);
  EXPECT_EQ(extended.size(), kExtendedConnectSize);
  const auto header = decode_tracker_header(extended);
  ASSERT_TRUE(header);
  EXPECT_EQ(*header, (TrackerHeader{kTrackerMagic, TrackerAction::kConnect, 7}));
  EXPECT_EQ(decode_connect(plain), (ConnectRequest{7, false}));
  EXPECT_EQ(decode_connect(extended), (ConnectRequest{7, true}));
  for (std::size_t n = kConnectRequestSize; n < extended.size(); ++n)
    EXPECT_EQ(decode_connect(first(extended, n)), (ConnectRequest{7, false})) << n;
  for (std::size_t at = 16; at < 20; ++at) EXPECT_FALSE(decode_connect(changed(extended, at, 0)).extended) << at;
  EXPECT_TRUE(decode_connect(changed(extended, 23, 0xff)).extended) << "unknown capabilities";
  EXPECT_TRUE(decode_connect(longer(extended, {1, 2, 3})).extended);
}

TEST(AnnounceRequest, ThereAndBack) {
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    SampleTrackerMessages sample(seed);
    const TrackerHeader header = sample.header(TrackerAction::kAnnounce);
    const AnnounceRequest in = sample.announce();
    const Buffer datagram = request(header, in, kPeerId);
    ASSERT_EQ(datagram.size(), kAnnounceRequestSize);
    ASSERT_EQ(decode_tracker_header(datagram), header);
    const auto out = decode_announce(datagram);
    ASSERT_TRUE(out) << seed;
    ASSERT_EQ(*out, in) << seed;
  }
}

TEST(AnnounceRequest, RefusesPortZeroUnknownEventsAndLess) {
  const Buffer good = announce_of({.left = UINT64_MAX, .event = AnnounceEvent::kStopped, .numwant = -1, .port = 1});
  ASSERT_TRUE(decode_announce(good));
  EXPECT_EQ(decode_announce(good)->left, UINT64_MAX);
  for (std::size_t n = 0; n < good.size(); ++n)
    EXPECT_EQ(refusal(decode_announce(first(good, n))), TrackerRefusal::kTooShort) << n;
  EXPECT_EQ(refusal(decode_announce(changed(good, 97, 0))), TrackerRefusal::kPortZero);
  EXPECT_TRUE(decode_announce(changed(changed(good, 97, 0), 96, 1)));
  EXPECT_EQ(decode_announce(changed(good, 83, 4))->event, AnnounceEvent::kNone);  // "paused", of partial seeds
  EXPECT_EQ(refusal(decode_announce(changed(good, 83, 5))), TrackerRefusal::kBadEvent);
  EXPECT_EQ(refusal(decode_announce(changed(good, 80, 1))), TrackerRefusal::kBadEvent);
}

TEST(AnnounceRequest, CountersKeyAndClaimedAddressDoNotMatter) {
  const Buffer good = announce_of({.left = 5, .port = 6881});
  const auto expected = decode_announce(good);
  for (std::size_t at = 36; at < 92; ++at)
    if (at < 64 || (at >= 72 && at < 80) || at >= 84) {
      EXPECT_EQ(decode_announce(changed(good, at, 0xff)), expected) << at;
    }
}

TEST(AnnounceRequest, WalksUrlOptionsUntilTheyEnd) {
  const Buffer good = announce_of({.port = 6881});
  const auto url_bytes = [&](std::initializer_list<int> options) {
    const auto decoded = decode_announce(longer(good, options));
    EXPECT_TRUE(decoded);
    return decoded->url_bytes;
  };
  EXPECT_EQ(url_bytes({}), 0);
  EXPECT_EQ(url_bytes({2, 3, '/', 'a', 'n'}), 3);
  EXPECT_EQ(url_bytes({2, 3, '/', 'a', 'n', 1, 1, 2, 1, 'x', 0}), 4) << "padding in between, two pieces are one URL";
  EXPECT_EQ(url_bytes({0, 2, 1, '/'}), 0) << "nothing behind the end";
  EXPECT_EQ(url_bytes({2, 1, '/', 3, 1, 'x', 2, 1, 'y'}), 1) << "nothing behind an unknown type";
  EXPECT_EQ(url_bytes({2}), 0);
  EXPECT_EQ(url_bytes({2, 0}), 0);
  EXPECT_EQ(url_bytes({2, 1, '/', 2, 5, 'a', 'b'}), 1) << "a piece that is cut off is none";
  EXPECT_EQ(url_bytes({2, 255}), 0);
  EXPECT_EQ(url_bytes({1, 1, 1, 1}), 0);
}

TEST(ScrapeRequest, GivesWholeHashesUpTo74) {
  for (std::size_t n = 0; n <= (kMaxScrapeHashes + 2) * kInfoHashSize; ++n) {
    const Buffer datagram = scrape(n);
    const auto decoded = decode_scrape(datagram);
    if (n < kInfoHashSize) {
      ASSERT_EQ(refusal(decoded), TrackerRefusal::kEmptyScrape) << n;
      continue;
    }
    ASSERT_TRUE(decoded) << n;
    ASSERT_EQ(decoded->count(), std::min(n / kInfoHashSize, kMaxScrapeHashes));
    for (std::size_t i = 0; i < decoded->count(); ++i) ASSERT_EQ(decoded->at(i)[19], static_cast<std::byte>(i + 1));
  }
  for (std::size_t n = 0; n < kRequestHeaderSize; ++n)
    EXPECT_EQ(refusal(decode_scrape(Buffer(n))), TrackerRefusal::kTooShort);
}

TEST(NodeAnnounce, ThereAndBackAndEveryTruncation) {
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    SampleTrackerMessages sample(seed);
    const TrackerHeader header = sample.header(TrackerAction::kNodeAnnounce);
    const NodeAnnounce in = sample.node_announce();
    const Buffer datagram = request(header, in);
    ASSERT_EQ(datagram.size(), kNodeAnnounceSize);
    ASSERT_EQ(decode_tracker_header(datagram), header);
    ASSERT_EQ(decode_node_announce(datagram), in) << seed;
    ASSERT_EQ(decode_node_announce(longer(datagram, {1, 2})), in) << seed;
    for (std::size_t n = 0; n < datagram.size(); ++n)
      ASSERT_EQ(refusal(decode_node_announce(first(datagram, n))), TrackerRefusal::kTooShort) << n;
  }
}

TEST(NodeAnnounce, ClearsUnknownFlagsAndACompleteNodeOwnsAll) {
  const Buffer datagram = request(TrackerHeader{}, NodeAnnounce{});
  const auto all_flags = decode_node_announce(changed(datagram, 52, 0xff));
  ASSERT_TRUE(all_flags);
  EXPECT_EQ(all_flags->flags, kContentComplete | kContentServed | kContentLeft | kReachesV4 | kReachesV6);
  EXPECT_EQ(all_flags->owned, all_owned());
  EXPECT_EQ(owned_count(decode_node_announce(datagram)->owned), 0u);
}

TEST(Heartbeat, ThereAndBackAndEveryTruncation) {
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    SampleTrackerMessages sample(seed);
    const TrackerHeader header = sample.header(TrackerAction::kHeartbeat);
    const Heartbeat in = sample.heartbeat();
    const Buffer datagram = request(header, in);
    std::size_t expected = kHeartbeatHeader;
    for (const HeartbeatEntry& entry : in.entries) expected += encoded_size(entry);
    ASSERT_EQ(datagram.size(), expected);
    ASSERT_EQ(decode_tracker_header(datagram), header);
    ASSERT_EQ(decode_heartbeat(datagram), in) << seed;
    ASSERT_EQ(decode_heartbeat(longer(datagram, {1, 2})), in) << seed;
    for (std::size_t n = 0; n < datagram.size(); ++n)
      ASSERT_EQ(refusal(decode_heartbeat(first(datagram, n))),
                n < kHeartbeatHeader ? TrackerRefusal::kTooShort : TrackerRefusal::kMalformed)
          << n;
  }
}

TEST(Heartbeat, CarriesOneTo32Contents) {
  Heartbeat in;
  in.entries.push_back({});
  const Buffer one = request(TrackerHeader{}, in);
  EXPECT_EQ(one.size(), kHeartbeatHeader + kHeartbeatEntryMax);
  constexpr std::size_t kCountAt = kRequestHeaderSize + kNodeTagSize + 4;
  EXPECT_EQ(refusal(decode_heartbeat(changed(one, kCountAt, 0))), TrackerRefusal::kMalformed);
  EXPECT_EQ(refusal(decode_heartbeat(changed(one, kCountAt, 2))), TrackerRefusal::kMalformed);
  while (!in.entries.full()) in.entries.push_back({});
  const Buffer full = request(TrackerHeader{}, in);
  EXPECT_EQ(full.size(), kHeartbeatHeader + kMaxHeartbeatContents * kHeartbeatEntryMax);
  EXPECT_EQ(decode_heartbeat(full), in);
  Buffer more = full;
  more.resize(kMaxTrackerRequest);
  EXPECT_EQ(refusal(decode_heartbeat(changed(more, kCountAt, 33))), TrackerRefusal::kMalformed);
  EXPECT_EQ(refusal(decode_heartbeat(changed(more, kCountAt, 255))), TrackerRefusal::kMalformed);
}

TEST(Heartbeat, SendsBitsOnlyOfWhatIsPartlyThere) {
  EXPECT_EQ(encoded_size({.flags = kContentServed}), 37u);
  EXPECT_EQ(encoded_size({.flags = kContentComplete}), 21u);
  EXPECT_EQ(encoded_size({.flags = kContentLeft}), 21u);
  EXPECT_EQ(encoded_size({.flags = kContentComplete | kContentLeft}), 21u);
  Heartbeat in;
  in.entries.push_back({.flags = kContentComplete});
  in.entries.push_back({.flags = kContentLeft, .owned = all_owned()});
  const auto out = decode_heartbeat(request(TrackerHeader{}, in));
  ASSERT_TRUE(out);
  EXPECT_EQ(out->entries[0].owned, all_owned());
  EXPECT_EQ(out->entries[1].owned, OwnershipBits{});
}

TEST(Query, ThereAndBackAndEveryTruncation) {
  SampleTrackerMessages sample(1);
  const TrackerHeader header = sample.header(TrackerAction::kQuery);
  const Query in = sample.query();
  const Buffer datagram = request(header, in);
  EXPECT_EQ(datagram.size(), kQuerySize);
  EXPECT_EQ(decode_tracker_header(datagram), header);
  EXPECT_EQ(decode_query(datagram), in);
  EXPECT_EQ(decode_query(longer(datagram, {1})), in);
  for (std::size_t n = 0; n < datagram.size(); ++n)
    EXPECT_EQ(refusal(decode_query(first(datagram, n))), TrackerRefusal::kTooShort) << n;
}

TEST(TrackerRequests, AreMarkedWithTheirOwnAction) {
  SampleTrackerMessages sample(1);
  const TrackerHeader header{1, TrackerAction::kError, 2};
  const auto action = [](const Buffer& datagram) { return decode_tracker_header(datagram)->action; };
  EXPECT_EQ(action(request(header, sample.announce(), kPeerId)), TrackerAction::kAnnounce);
  EXPECT_EQ(action(request(header, sample.node_announce())), TrackerAction::kNodeAnnounce);
  EXPECT_EQ(action(request(header, sample.heartbeat())), TrackerAction::kHeartbeat);
  EXPECT_EQ(action(request(header, sample.query())), TrackerAction::kQuery);
}

TEST(TrackerReplies, ThereAndBack) {
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    SampleTrackerMessages sample(seed);
    for (const TrackerReply& in : sample.replies()) {
      const Buffer datagram = encoded(in);
      ASSERT_LE(datagram.size(), kMaxTrackerReply);
      const auto out = decode_tracker_reply(datagram);
      ASSERT_TRUE(out) << "kind " << in.index() << " seed " << seed;
      ASSERT_EQ(*out, in) << "kind " << in.index() << " seed " << seed;
    }
  }
}

TEST(TrackerReplies, AreTakenWholeOrNotAtAll) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    SampleTrackerMessages sample(seed);
    for (const TrackerReply& in : sample.replies()) {
      if (std::holds_alternative<ErrorReply>(in)) continue;  // its text ends where the datagram ends
      const Buffer datagram = encoded(in);
      for (std::size_t n = 0; n < datagram.size(); ++n) {
        const auto cut = decode_tracker_reply(first(datagram, n));
        if (const auto* reply = std::get_if<ConnectReply>(&in); reply && reply->extended && n == kConnectReplySize) {
          ASSERT_TRUE(cut && !std::get<ConnectReply>(*cut).extended) << "the reply of BEP 15";
        } else {
          ASSERT_FALSE(cut) << "kind " << in.index() << ", " << n << " bytes";
        }
      }
    }
  }
}

TEST(TrackerReplies, LeaveRoomForLaterFieldsButAPlainConnectReplyHasNone) {
  SampleTrackerMessages sample(3);
  for (const TrackerReply& in : sample.replies()) {
    const auto out = decode_tracker_reply(longer(encoded(in), {1, 2, 3, 4}));
    const auto* connect = std::get_if<ConnectReply>(&in);
    if (connect && !connect->extended) {
      EXPECT_FALSE(out);
    } else if (!std::holds_alternative<ErrorReply>(in)) {
      ASSERT_TRUE(out) << in.index();
      EXPECT_EQ(*out, in);
    }
  }
}

TEST(TrackerReplies, OfOtherActionsAreNotForNodes) {
  for (const int action : {1, 2, 4, 63, 68, 69, 70, 71, 72, 255}) {
    Buffer datagram(kMaxTrackerReply);
    datagram[3] = static_cast<std::byte>(action);
    EXPECT_FALSE(decode_tracker_reply(datagram)) << action;
    datagram.resize(20);
    EXPECT_FALSE(decode_tracker_reply(datagram)) << action;
  }
  EXPECT_FALSE(decode_tracker_reply({}));
}

TEST(NodeAnnounceReply, FullOfIpv6PeersFits) {
  SampleTrackerMessages sample(5);
  NodeAnnounceReply full = sample.node_announce_reply(kMaxNodePeers);
  for (NodePeer& peer : full.peers) peer.address.ip.fill(std::byte{0x20});
  Buffer datagram = encoded(full);
  EXPECT_EQ(datagram.size(), kNodeAnnounceReplyHeader + kMaxNodePeers * kNodePeerSizeV6);
  EXPECT_EQ(decode_tracker_reply(datagram), TrackerReply(full));
  for (NodePeer& peer : full.peers) peer.address = Address::v4(10, 0, 0, 1, 1);
  EXPECT_EQ(encoded(full).size(), kNodeAnnounceReplyHeader + kMaxNodePeers * kNodePeerSizeV4);
  datagram.resize(datagram.size() + kNodePeerSizeV6, std::byte{1});
  EXPECT_FALSE(decode_tracker_reply(changed(datagram, kNodeAnnounceReplyHeader - 1, kMaxNodePeers + 1)));
}

TEST(NodeAnnounceReply, ClearsUnknownFlagsAndRefusesPortZero) {
  NodeAnnounceReply reply;
  reply.peers.push_back({.address = Address::v4(10, 0, 0, 1, 1)});
  const Buffer datagram = encoded(reply);
  const auto flags = decode_tracker_reply(changed(datagram, kNodeAnnounceReplyHeader, 0x7f));
  ASSERT_TRUE(flags);
  EXPECT_EQ(std::get<NodeAnnounceReply>(*flags).peers[0].flags, kContentComplete | kContentServed);
  EXPECT_EQ(std::get<NodeAnnounceReply>(*flags).peers[0].owned, all_owned());
  EXPECT_FALSE(decode_tracker_reply(changed(datagram, kNodeAnnounceReplyHeader + 6, 0)));
}

TEST(QueryReply, FullFitsAndRefusesMoreAndPortZero) {
  SampleTrackerMessages sample(6);
  Buffer datagram = encoded(sample.query_reply(kMaxListedNodes));
  EXPECT_EQ(datagram.size(), kQueryReplyHeader + kMaxListedNodes * kListedNodeSize);
  const std::size_t port_at = kQueryReplyHeader + 1 + 16;
  EXPECT_FALSE(decode_tracker_reply(changed(changed(datagram, port_at, 0), port_at + 1, 0)));
  datagram.resize(datagram.size() + kListedNodeSize, std::byte{1});
  EXPECT_FALSE(decode_tracker_reply(changed(datagram, kQueryReplyHeader - 1, kMaxListedNodes + 1)));
}

TEST(Goodbye, AnswersNoTransaction) {
  const Buffer datagram = encoded(TrackerReply(Goodbye{1, 2}));
  EXPECT_EQ(datagram.size(), kGoodbyeSize);
  EXPECT_FALSE(decode_tracker_reply(changed(datagram, 7, 1)));
}

TEST(ErrorReply, IsCutToItsLimit) {
  Buffer out(kMaxTrackerReply);
  EXPECT_EQ(encode_error(out, 1, "port is 0", kErrorReplyHeader - 1), 0u);
  for (std::size_t limit = kErrorReplyHeader; limit < 40; ++limit) {
    const std::size_t size = encode_error(out, 9, "port is 0", limit);
    EXPECT_EQ(size, std::min<std::size_t>(limit, 17));
    const auto reply = decode_tracker_reply(ByteSpan(out).first(size));
    ASSERT_TRUE(reply);
    EXPECT_EQ(*reply, TrackerReply(ErrorReply{9, std::string_view("port is 0").substr(0, size - kErrorReplyHeader)}));
  }
  EXPECT_EQ(encode_error(out, 1, std::string(5000, 'x'), 9999), kMaxTrackerReply);
}

TEST(TrackerMessages, RandomBytesAreReadWithinTheirBounds) {
  Rng rng(11);
  for (int round = 0; round < 20000; ++round) {
    Buffer datagram(rng.below(200));
    for (std::byte& b : datagram) b = static_cast<std::byte>(rng.next());
    if (datagram.size() >= 4 && rng.chance(0.8)) {  // replies that get further than their action
      datagram[0] = datagram[1] = datagram[2] = std::byte{0};
      datagram[3] = static_cast<std::byte>(rng.chance(0.5) ? 64 + rng.below(4) : rng.below(4));
    }
    decode_tracker_reply(datagram);
    decode_announce(datagram);
    decode_scrape(datagram);
    decode_node_announce(datagram);
    decode_heartbeat(datagram);
    decode_query(datagram);
    if (decode_tracker_header(datagram)) decode_connect(datagram);
  }
}

}  // namespace
}  // namespace peernet::wire
