// A tracker core in virtual time, and what clients say to it. Every reply is checked for the rules that hold always.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/bytes.hpp"
#include "tracker/tracker_core.hpp"

namespace peernet::tracker {

inline Instant at(Duration d) {
  return Instant::from_ns(d.count());
}

inline SwarmId swarm_number(std::uint32_t n) {
  SwarmId id{};
  ByteWriter(id).u32(n);
  return id;
}

inline Address v6(std::uint64_t prefix, std::uint64_t host, std::uint16_t port) {
  Address out;
  ByteWriter w(out.ip);
  w.u64(prefix);
  w.u64(host);
  out.port = port;
  return out;
}

/// 10.a.b.c
inline Address v4(std::uint32_t host, std::uint16_t port) {
  return Address::v4(10, static_cast<std::uint8_t>(host >> 16), static_cast<std::uint8_t>(host >> 8),
                     static_cast<std::uint8_t>(host), port);
}

struct AnnounceReply {
  std::string error;  ///< else the rest
  std::uint32_t interval = 0;
  std::uint32_t leechers = 0;
  std::uint32_t seeders = 0;
  std::vector<Address> peers;
};

struct ScrapeCounts {
  std::uint32_t seeders = 0;
  std::uint32_t completed = 0;
  std::uint32_t leechers = 0;
  friend bool operator==(const ScrapeCounts&, const ScrapeCounts&) = default;
};

inline CoreOptions core_options() {
  CoreOptions options;
  options.secret.fill(std::byte{7});
  options.epoch = 0x1234;
  return options;
}

class Tracker {
 public:
  explicit Tracker(const CoreOptions& options = core_options()) : core(options) {}

  TrackerCore core;
  Counters counters;
  Instant now = at(1000s);

  std::uint64_t count(Event event) const { return counters.events[static_cast<std::size_t>(event)].load(); }
  std::uint64_t count(wire::TrackerRefusal refusal) const {
    return counters.refusals[static_cast<std::size_t>(refusal)].load();
  }

  ByteSpan ask(const Address& from, ByteSpan datagram) {
    return ByteSpan(out_).first(core.answer(now, from, datagram, out_, counters));
  }

  /// Time goes on, and the hand with it.
  void pass(Duration d) {
    const Instant end = now + d;
    while (core.next_sweep() <= end) {
      now = std::max(now, core.next_sweep());
      core.sweep(now, counters);
    }
    now = end;
  }

  std::uint64_t connect(const Address& from, bool extended) {
    ByteArray<wire::kMaxTrackerRequest> request;
    const std::size_t size = wire::encode_connect(request, {.transaction = 5, .extended = extended});
    const ByteSpan reply = ask(from, ByteSpan(request).first(size));
    EXPECT_LE(reply.size(), size);
    const auto decoded = wire::decode_tracker_reply(reply);
    if (!decoded || !std::holds_alternative<wire::ConnectReply>(*decoded)) {
      ADD_FAILURE() << "no connect reply";
      return 0;
    }
    const auto& connected = std::get<wire::ConnectReply>(*decoded);
    EXPECT_EQ(connected.transaction, 5u);
    EXPECT_EQ(connected.extended, extended);
    EXPECT_EQ(reply.size(), extended ? wire::kExtendedConnectReplySize : wire::kConnectReplySize);
    return connected.connection_id;
  }

  AnnounceReply announce(const Address& from, const wire::AnnounceRequest& request) {
    ByteArray<wire::kMaxTrackerRequest> out;
    const std::uint32_t transaction = ++transaction_;
    const std::size_t size =
        wire::encode(out, {.connection_id = connect(from, false), .transaction = transaction}, request, {});
    return read_announce(ask(from, ByteSpan(out).first(size)), transaction, from.is_v4());
  }
  AnnounceReply read_announce(ByteSpan reply, std::uint32_t transaction, bool is_v4) {
    AnnounceReply out;
    ByteReader r(reply);
    const std::uint32_t action = r.u32();
    EXPECT_EQ(r.u32(), transaction);
    if (action == 3) {
      const ByteSpan text = r.rest();
      out.error.assign(reinterpret_cast<const char*>(text.data()), text.size());
      return out;
    }
    EXPECT_EQ(action, 1u);
    out.interval = r.u32();
    out.leechers = r.u32();
    out.seeders = r.u32();
    EXPECT_FALSE(r.failed());
    EXPECT_EQ(r.remaining() % (is_v4 ? 6 : 18), 0u);
    while (r.remaining() > 0) {
      Address peer = Address::v4(0, 0, 0, 0, 0);
      const std::size_t start = is_v4 ? 12 : 0;
      const ByteSpan ip = r.bytes(16 - start);
      std::ranges::copy(ip, peer.ip.begin() + static_cast<std::ptrdiff_t>(start));
      peer.port = r.u16();
      out.peers.push_back(peer);
    }
    return out;
  }

  std::vector<ScrapeCounts> scrape(const Address& from, const std::vector<SwarmId>& swarms) {
    std::vector<std::byte> request(16 + swarms.size() * 20);
    ByteWriter w(request);
    w.u64(connect(from, false));
    w.u32(2);
    w.u32(77);
    for (const SwarmId& swarm : swarms) w.bytes(swarm);
    ByteReader r(ask(from, request));
    EXPECT_EQ(r.u32(), 2u);
    EXPECT_EQ(r.u32(), 77u);
    std::vector<ScrapeCounts> out;
    while (r.remaining() > 0) {
      ScrapeCounts& counts = out.emplace_back();
      counts.seeders = r.u32();
      counts.completed = r.u32();
      counts.leechers = r.u32();
    }
    EXPECT_FALSE(r.failed());
    return out;
  }

  /// A request of the extension under a fresh id; the reply, or an ErrorReply whose text is good until the next
  /// request.
  template <class Reply, class Request>
  std::variant<Reply, wire::ErrorReply> extended(const Address& from, const Request& request) {
    ByteArray<wire::kMaxTrackerRequest> out;
    const std::uint32_t transaction = ++transaction_;
    const std::size_t size =
        wire::encode(out, {.connection_id = connect(from, true), .transaction = transaction}, request);
    const auto decoded = wire::decode_tracker_reply(ask(from, ByteSpan(out).first(size)));
    if (decoded && std::holds_alternative<Reply>(*decoded)) {
      EXPECT_EQ(std::get<Reply>(*decoded).transaction, transaction);
      return std::get<Reply>(*decoded);
    }
    if (decoded && std::holds_alternative<wire::ErrorReply>(*decoded)) return std::get<wire::ErrorReply>(*decoded);
    ADD_FAILURE() << "no reply";
    return Reply{};
  }
  template <class Reply, class Request>
  Reply served(const Address& from, const Request& request) {
    const auto reply = extended<Reply>(from, request);
    if (std::holds_alternative<Reply>(reply)) return std::get<Reply>(reply);
    ADD_FAILURE() << std::get<wire::ErrorReply>(reply).text;
    return {};
  }
  wire::NodeAnnounceReply announce(const Address& from, const wire::NodeAnnounce& request) {
    return served<wire::NodeAnnounceReply>(from, request);
  }
  wire::HeartbeatReply beat(const Address& from, const wire::Heartbeat& request) {
    return served<wire::HeartbeatReply>(from, request);
  }
  wire::QueryReply query(const Address& from, const SwarmId& swarm, std::uint32_t cursor = 0) {
    return served<wire::QueryReply>(from, wire::Query{swarm, cursor});
  }

 private:
  ByteArray<wire::kMaxTrackerReply> out_{};
  std::uint32_t transaction_ = 0;
};

/// A served node that reaches both families.
inline wire::NodeAnnounce node_announce(const SwarmId& swarm, std::uint8_t tag, bool complete,
                                        std::uint8_t numwant = 20) {
  wire::NodeAnnounce out;
  out.swarm = swarm;
  out.node.fill(std::byte{tag});
  out.flags = wire::kContentServed | wire::kReachesV4 | wire::kReachesV6;
  if (complete) out.flags |= wire::kContentComplete;
  out.numwant = numwant;
  out.chunks = 128;
  return out;
}

inline wire::Heartbeat heartbeat_of(const wire::NodeAnnounce& node, const std::vector<SwarmId>& swarms) {
  wire::Heartbeat out;
  out.node = node.node;
  out.rate_kib = 99;
  for (const SwarmId& swarm : swarms) {
    wire::HeartbeatEntry entry;
    entry.swarm = swarm;
    entry.flags = node.flags & (wire::kContentComplete | wire::kContentServed | wire::kContentLeft);
    entry.owned = node.owned;
    out.entries.push_back(entry);
  }
  return out;
}

}  // namespace peernet::tracker
