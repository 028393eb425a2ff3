// Bad input and attack: no state, no reply larger than the request before the address is proven, a counter for each.
#include "base/rng.hpp"
#include "tracker_client.hpp"

namespace peernet::tracker {
namespace {

using wire::TrackerRefusal;

std::vector<std::byte> announce_with(std::uint64_t id, std::uint16_t port = 9) {
  std::vector<std::byte> out(wire::kAnnounceRequestSize);
  wire::encode(out, {.connection_id = id}, wire::AnnounceRequest{.swarm = swarm_number(1), .left = 1, .port = port},
               {});
  return out;
}
std::vector<std::byte> request(std::uint64_t id, std::uint32_t action, std::size_t size) {
  std::vector<std::byte> out(size);
  ByteArray<16> header{};
  ByteWriter w(header);
  w.u64(id);
  w.u32(action);
  std::copy_n(header.begin(), std::min(size, header.size()), out.begin());
  return out;
}
std::string text_in(ByteSpan reply) {
  ByteReader r(reply);
  if (r.u32() != 3) return "no error";
  r.u32();
  const ByteSpan text = r.rest();
  return {reinterpret_cast<const char*>(text.data()), text.size()};
}

TEST(TrackerHostile, NobodyGuessesAConnectionId) {
  Tracker t;
  Rng rng(1);
  std::vector<std::byte> guess = announce_with(0);
  for (int i = 0; i < 1'000'000; ++i) {  // a million keeps the test quick; at 63 bits ten million change nothing
    ByteWriter(guess).u64(rng.next() | (i % 2 == 0 ? 1ull << 63 : 0));
    EXPECT_LE(t.ask(v4(1, 9), guess).size(), guess.size());
  }
  EXPECT_EQ(t.count(TrackerRefusal::kBadConnectionId), 1'000'000u);
  EXPECT_EQ(t.core.totals().contents, 0u);
}

TEST(TrackerHostile, AnotherAddressOrKindOrAStaleIdOpensNothing) {
  Tracker t;
  const Address from = v4(1, 9);
  Address mapped_not = v6(0, 0, 9);
  std::copy_n(from.ip.begin() + 12, 4, mapped_not.ip.begin() + 12);
  const std::uint64_t id = t.connect(from, false);
  std::uint64_t refused = 0;
  const auto refuse = [&](const Address& address, std::uint64_t with) {
    const auto datagram = announce_with(with);
    const ByteSpan reply = t.ask(address, datagram);
    EXPECT_EQ(text_in(reply), wire::text_of(TrackerRefusal::kBadConnectionId));
    EXPECT_LE(reply.size(), datagram.size());
    EXPECT_EQ(t.count(TrackerRefusal::kBadConnectionId), ++refused);
  };
  for (const std::uint64_t wrong : {std::uint64_t{0}, wire::kTrackerMagic, id ^ 1, t.connect(from, true)})
    refuse(from, wrong);
  refuse(v4(2, 9), id);
  refuse(mapped_not, id);
  refuse(v4(1, 0), t.connect(v4(1, 0), true));  // bound to port 0, as plain ones are: the kind alone tells them apart
  t.now += 120s;
  refuse(from, id);
  EXPECT_EQ(t.core.totals().contents, 0u);
}

TEST(TrackerHostile, APlainIdIsGoodForAllSocketsOfItsHostAndAnExtendedOneForOne) {
  Tracker t;
  const auto opens = [&](const Address& address, std::uint64_t id, std::uint32_t action) {
    const auto datagram = action == 1 ? announce_with(id) : request(id, action, 200);
    return text_in(t.ask(address, datagram)) != wire::text_of(TrackerRefusal::kBadConnectionId);
  };
  const std::uint64_t plain = t.connect(v4(1, 9), false);
  EXPECT_TRUE(opens(v4(1, 10), plain, 1));
  const std::uint64_t extended = t.connect(v4(1, 9), true);
  EXPECT_TRUE(opens(v4(1, 9), extended, 65));
  EXPECT_FALSE(opens(v4(1, 10), extended, 65));
  // Privacy addresses of one network.
  Address neighbour = v6(1, 1, 9);
  neighbour.ip[15] ^= std::byte{0x55};
  Address stranger = v6(1, 1, 9);
  stranger.ip[7] ^= std::byte{1};
  const std::uint64_t plain6 = t.connect(v6(1, 1, 9), false);
  EXPECT_TRUE(opens(neighbour, plain6, 1));
  EXPECT_FALSE(opens(stranger, plain6, 1));
  EXPECT_FALSE(opens(neighbour, t.connect(v6(1, 1, 9), true), 65));
}

TEST(TrackerHostile, UnderAPlainIdThereIsNoExtension) {
  Tracker t;
  const Address from = v4(1, 9);
  for (const std::uint32_t action : {3u, 4u, 64u, 65u, 66u, 67u, 68u, 0xffffffffu}) {
    EXPECT_EQ(text_in(t.ask(from, request(t.connect(from, false), action, 200))),
              wire::text_of(TrackerRefusal::kUnknownAction));
  }
  EXPECT_EQ(text_in(t.ask(from, request(t.connect(from, true), 67, 200))),
            wire::text_of(TrackerRefusal::kUnknownAction));
  EXPECT_EQ(t.count(TrackerRefusal::kUnknownAction), 9u);
  EXPECT_EQ(t.core.totals().contents, 0u);
}

TEST(TrackerHostile, NoReplyIsLongerThanAnUnprovenRequest) {
  Tracker t;
  Rng rng(2);
  for (std::size_t size = 0; size < 1600; ++size) {
    for (const std::uint32_t action : {0u, 1u, 2u, 3u, 64u, 65u, 66u, 67u, 99u}) {
      for (const std::uint64_t id :
           {std::uint64_t{0}, wire::kTrackerMagic, std::uint64_t{rng.next() | std::uint64_t{1} << 63}})
        EXPECT_LE(t.ask(v4(1, 9), request(id, action, size)).size(), size) << action;
    }
  }
  EXPECT_EQ(t.ask(v4(1, 9), {}).size(), 0u);
  EXPECT_EQ(t.count(TrackerRefusal::kTooShort), 16u * 27 + 1);
  EXPECT_EQ(t.count(TrackerRefusal::kTooLong), 99u * 27);
}

TEST(TrackerHostile, EveryTruncationOfEveryRequestIsRefused) {
  Tracker t;
  const Address from = v4(1, 9);
  ByteArray<wire::kMaxTrackerRequest> out;
  std::vector<std::vector<std::byte>> requests{announce_with(t.connect(from, false))};
  const wire::TrackerHeader header{.connection_id = t.connect(from, true)};
  const auto add = [&](std::size_t size) {
    requests.emplace_back(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(size));
  };
  const wire::NodeAnnounce node = node_announce(swarm_number(1), 1, false);
  add(wire::encode(out, header, node));
  add(wire::encode(out, header, heartbeat_of(node, {swarm_number(1), swarm_number(2)})));
  add(wire::encode(out, header, wire::Query{swarm_number(1), 0}));
  std::vector<std::byte> scrape = request(t.connect(from, false), 2, 36);
  scrape.resize(35);
  requests.push_back(scrape);
  for (const auto& whole : requests) {
    for (std::size_t size = 0; size < whole.size(); ++size) {
      const std::vector<std::byte> cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
      const ByteSpan reply = t.ask(from, cut);
      if (size < wire::kRequestHeaderSize) {
        EXPECT_TRUE(reply.empty());
      } else {
        EXPECT_NE(text_in(reply), "no error");
      }
    }
  }
  EXPECT_EQ(t.core.totals().contents, 0u);
  EXPECT_GT(t.count(TrackerRefusal::kEmptyScrape), 0u);
  EXPECT_GT(t.count(TrackerRefusal::kMalformed), 0u);
}

TEST(TrackerHostile, FieldsOutOfRangeAreRefusedByName) {
  Tracker t;
  const Address from = v4(1, 9);
  const auto say = [&](TrackerRefusal refusal, const std::vector<std::byte>& datagram) {
    const std::uint64_t before = t.count(refusal);
    EXPECT_EQ(text_in(t.ask(from, datagram)), wire::text_of(refusal));
    EXPECT_EQ(t.count(refusal), before + 1);
  };
  say(TrackerRefusal::kPortZero, announce_with(t.connect(from, false), 0));
  auto event = announce_with(t.connect(from, false));
  event[83] = std::byte{5};
  say(TrackerRefusal::kBadEvent, event);
  say(TrackerRefusal::kEmptyScrape, request(t.connect(from, false), 2, 16));
  auto beat = request(t.connect(from, true), 65, 600);
  for (const std::byte count : {std::byte{0}, std::byte{33}, std::byte{255}}) {
    beat[36] = count;
    say(TrackerRefusal::kMalformed, beat);
  }
  EXPECT_EQ(t.core.totals().contents, 0u);
}

TEST(TrackerHostile, RandomBytesLeaveNothingBehind) {
  Tracker t;
  Rng rng(3);
  const Address from = v4(1, 9);
  std::vector<std::byte> datagram;
  for (int i = 0; i < 50'000; ++i) {
    datagram.resize(rng.below(1501));
    for (std::byte& b : datagram) b = std::byte(rng.below(256));
    EXPECT_LE(t.ask(from, datagram).size(), datagram.size());
    if (datagram.size() < 16) continue;
    // And behind a good id: served or refused, but never more than a reply holds.
    ByteWriter w(datagram);
    w.u64(t.connect(from, i % 2 == 0));
    w.u32(static_cast<std::uint32_t>(i % 2 == 0 ? 64 + rng.below(4) : 1 + rng.below(2)));
    EXPECT_LE(t.ask(from, datagram).size(), wire::kMaxTrackerReply);
  }
  t.core.check_invariants();
  t.pass(3000s);
  EXPECT_EQ(t.core.totals().contents, 0u);
}

TEST(TrackerHostile, NobodySpeaksForAnotherAddress) {
  Tracker t;
  const auto listed = [&] {
    return t.announce(v4(9, 1), wire::AnnounceRequest{.swarm = swarm_number(1), .left = 1, .port = 1}).peers;
  };
  wire::AnnounceRequest victim{.swarm = swarm_number(1), .left = 1, .port = 9};
  t.announce(v4(1, 9), victim);
  victim.event = wire::AnnounceEvent::kStopped;
  t.announce(v4(2, 9), victim);  // another host with the same port: another peer
  EXPECT_EQ(listed(), std::vector{v4(1, 9)});
  wire::NodeAnnounce node = node_announce(swarm_number(1), 1, true);
  t.announce(v4(1, 9), node);
  node.flags |= wire::kContentLeft;
  t.announce(v4(1, 10), node);  // the same node tag: another peer all the same
  EXPECT_EQ(t.query(v4(9, 1), swarm_number(1)).nodes.size(), 1u);
}

}  // namespace
}  // namespace peernet::tracker
