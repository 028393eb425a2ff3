// A tracker core that the fuzzer drives, against a model in maps: announces, stops, heartbeats, goodbyes and silence.
// Sets of one bucket know at once who is dead, so that with few peers every count is exact; with many, counts may still
// hold the dead, but lists never do.
#include <algorithm>
#include <map>
#include <vector>

#include "fuzz/fuzz.hpp"
#include "tracker/tracker_core.hpp"

using namespace peernet;
using namespace peernet::tracker;

namespace {

constexpr std::size_t kSteps = 2000;

struct Legacy {
  bool seeder = false;
  std::int64_t tick = 0;
};
struct ModelNode {
  bool complete = false;
  bool served = false;
  std::int64_t ms = 0;
};
struct ModelSwarm {
  std::map<Address, Legacy> legacy;
  std::map<Address, ModelNode> nodes;
};

class World {
 public:
  explicit World(fuzz::Input& input) : in_(input), hosts_(in_.u8() % 2 == 0 ? 2 : 64), core_(options()) {}

  void run() {
    for (std::size_t step = 0; step < kSteps && !in_.ended(); ++step) {
      const std::uint8_t what = in_.u8();
      const auto n = static_cast<std::uint8_t>(in_.u8() % 4);
      const std::uint8_t who = in_.u8();
      Address from = Address::v4(10, 0, static_cast<std::uint8_t>(who % hosts_), 1, 9);
      if (who & 0x80) from.ip[0] = std::byte{0x20};
      switch (what % 6) {
        case 0:
          announce(n, from);
          break;
        case 1:
          announce_node(n, from);
          break;
        case 2:
          heartbeat(from);
          break;
        case 3:
          now_ms_ += in_.u16() * (hosts_ == 2 ? 1 : 0) + in_.u8();
          break;
        case 4:
          while (core_.next_sweep() <= now()) core_.sweep(now(), counters_);
          break;
        default:
          raw(from);
      }
      compare(n);
    }
    core_.check_invariants();
  }

 private:
  static CoreOptions options() {
    CoreOptions o;
    o.times.interval = 128s;
    o.times.beat = 10s;
    return o;
  }
  Instant now() const { return Instant::from_ns(0) + std::chrono::milliseconds(now_ms_); }
  static SwarmId id_of(std::uint8_t n) {
    SwarmId id{};
    id[0] = std::byte{n};
    return id;
  }
  ByteSpan ask(const Address& from, ByteSpan datagram) {
    const std::size_t size = core_.answer(now(), from, datagram, out_, counters_);
    PN_CHECK(size <= out_.size());
    return ByteSpan(out_).first(size);
  }
  std::uint64_t connect(const Address& from, bool extended) {
    ByteArray<wire::kExtendedConnectSize> request;
    const std::size_t size = wire::encode_connect(request, {.extended = extended});
    const ByteSpan reply = ask(from, ByteSpan(request).first(size));
    PN_CHECK(reply.size() <= size);
    ByteReader r(reply.subspan(8));
    return r.u64();
  }

  ModelSwarm& model(std::uint8_t n) {
    ModelSwarm& s = swarms_[n];
    std::erase_if(s.legacy, [&](const auto& e) { return now_ms_ / 1000 - e.second.tick > 192; });
    std::erase_if(s.nodes, [&](const auto& e) { return now_ms_ - e.second.ms > 30'000; });
    return s;
  }

  void announce(std::uint8_t n, const Address& from) {
    const std::uint8_t how = in_.u8();
    wire::AnnounceRequest request{.swarm = id_of(n), .left = how & 1u, .port = from.port};
    request.event = static_cast<wire::AnnounceEvent>((how >> 1) & 3);
    ByteArray<wire::kMaxTrackerRequest> datagram;
    const std::size_t size = wire::encode(datagram, {.connection_id = connect(from, false)}, request, {});
    ModelSwarm& s = model(n);
    if (request.event == wire::AnnounceEvent::kStopped) {
      s.legacy.erase(from);
    } else {
      s.legacy[from] = {request.left == 0, now_ms_ / 1000};
    }
    const ByteSpan reply = ask(from, ByteSpan(datagram).first(size));
    PN_CHECK(reply.size() >= wire::kAnnounceReplyHeader);
    const std::size_t peer = from.is_v4() ? wire::kPeerSizeV4 : wire::kPeerSizeV6;
    const auto others = std::ranges::count_if(
        s.legacy, [&](const auto& e) { return e.first != from && e.first.is_v4() == from.is_v4(); });
    const std::size_t wanted = request.event == wire::AnnounceEvent::kStopped ? 0 : 50;
    const std::size_t listed = std::min(static_cast<std::size_t>(others), wanted);
    PN_CHECK(reply.size() == wire::kAnnounceReplyHeader + listed * peer);
  }

  void announce_node(std::uint8_t n, const Address& from) {
    const std::uint8_t how = in_.u8();
    wire::NodeAnnounce request;
    request.swarm = id_of(n);
    request.flags = (how & 7u) | wire::kContentServed | wire::kReachesV4 | wire::kReachesV6;
    request.numwant = how >> 3;
    ByteArray<wire::kMaxTrackerRequest> datagram;
    const std::size_t size = wire::encode(datagram, {.connection_id = connect(from, true)}, request);
    ModelSwarm& s = model(n);
    const bool left = (request.flags & wire::kContentLeft) != 0;
    if (left) {
      s.nodes.erase(from);
    } else {
      s.nodes[from] = {(request.flags & wire::kContentComplete) != 0, true, now_ms_};
    }
    const auto reply = wire::decode_tracker_reply(ask(from, ByteSpan(datagram).first(size)));
    PN_CHECK(reply.has_value());
    const auto& announced = std::get<wire::NodeAnnounceReply>(*reply);
    for (const wire::NodePeer& peer : announced.peers) PN_CHECK(peer.address != from && s.nodes.contains(peer.address));
    const auto others = static_cast<std::size_t>(
        std::ranges::count_if(s.nodes, [&](const auto& e) { return e.first != from && e.second.served; }));
    PN_CHECK(announced.peers.size() == (left ? 0 : std::min({others, std::size_t{request.numwant}, std::size_t{20}})));
    check_count(announced.complete + announced.partial, s.nodes.size());
  }

  void heartbeat(const Address& from) {
    wire::Heartbeat beat;
    std::uint32_t unknown = 0;
    const std::size_t count = 1 + in_.u8() % 32u;
    for (std::size_t i = 0; i < count; ++i) {
      const std::uint8_t how = in_.u8();
      const auto n = static_cast<std::uint8_t>(how % 4);
      wire::HeartbeatEntry entry;
      entry.swarm = id_of(n);
      entry.flags = how >> 2 & 7u;
      beat.entries.push_back(entry);
      ModelSwarm& s = model(n);
      const auto at = s.nodes.find(from);
      if (entry.flags & wire::kContentLeft) {
        s.nodes.erase(from);
      } else if (at == s.nodes.end()) {
        unknown |= std::uint32_t{1} << i;
      } else {
        at->second = {(entry.flags & wire::kContentComplete) != 0, (entry.flags & wire::kContentServed) != 0, now_ms_};
      }
    }
    ByteArray<wire::kMaxTrackerRequest> datagram;
    const std::size_t size = wire::encode(datagram, {.connection_id = connect(from, true)}, beat);
    const auto reply = wire::decode_tracker_reply(ask(from, ByteSpan(datagram).first(size)));
    PN_CHECK(reply.has_value());
    PN_CHECK(std::get<wire::HeartbeatReply>(*reply).unknown == unknown);
  }

  /// The fuzzer's own bytes, without an id that proves anything: nothing changes. It sees what ids are compared with and
  /// would write a good one some day; those have the top bit.
  void raw(const Address& from) {
    const ByteSpan given = in_.up_to(in_.u8());
    std::vector<std::byte> bytes(given.begin(), given.end());
    if (!bytes.empty()) bytes[0] &= std::byte{0x7f};
    PN_CHECK(ask(from, bytes).size() <= bytes.size());
  }

  void compare(std::uint8_t n) {
    const ModelSwarm& s = model(n);
    const Address asker = Address::v4(10, 9, 9, 9, 9);
    ByteArray<wire::kMaxTrackerRequest> datagram;
    const std::size_t size = wire::encode(datagram, {.connection_id = connect(asker, true)}, wire::Query{id_of(n), 0});
    const auto reply = wire::decode_tracker_reply(ask(asker, ByteSpan(datagram).first(size)));
    PN_CHECK(reply.has_value());
    const auto& page = std::get<wire::QueryReply>(*reply);
    const auto complete = std::ranges::count_if(s.nodes, [](const auto& e) { return e.second.complete; });
    const auto seeders = std::ranges::count_if(s.legacy, [](const auto& e) { return e.second.seeder; });
    check_count(page.complete, static_cast<std::size_t>(complete));
    check_count(page.complete + page.partial, s.nodes.size());
    check_count(page.legacy_seeders, static_cast<std::size_t>(seeders));
    check_count(page.legacy_seeders + page.legacy_leechers, s.legacy.size());
    for (const wire::ListedNode& node : page.nodes) PN_CHECK(s.nodes.contains(node.address));
  }

  void check_count(std::uint32_t got, std::size_t alive) const { PN_CHECK(hosts_ == 2 ? got == alive : got >= alive); }

  fuzz::Input& in_;      // outlives the world
  std::uint32_t hosts_;  // per family
  TrackerCore core_;
  Counters counters_;
  std::map<std::uint8_t, ModelSwarm> swarms_;
  std::int64_t now_ms_ = 1'000'000;
  ByteArray<wire::kMaxTrackerReply> out_{};
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  World(input).run();
  return 0;
}
