// What a tracker says. A node reads it from anybody who can reach its port, so a reply is taken as a whole or not at
// all; bytes behind the fields known here are room for later ones.
#include <algorithm>
#include <utility>

#include "base/check.hpp"
#include "wire/tracker_messages.hpp"

namespace peernet::wire {
namespace {

constexpr std::uint8_t kListedFlags = kContentComplete | kContentServed;
constexpr std::size_t kMappedPrefix = 12;  ///< ::ffff: in front of an IPv4 address

void put_start(ByteWriter& w, TrackerAction action, std::uint32_t transaction) {
  w.u32(static_cast<std::uint32_t>(action));
  w.u32(transaction);
}

std::size_t size_of(const ByteWriter& w) {
  PN_CHECK(!w.failed());
  return w.position();
}

void put_address(ByteWriter& w, const Address& address) {
  w.bytes(address.ip);
  w.u16(address.port);
}

Address get_address(ByteReader& r) {
  Address out;
  out.ip = r.array<16>();
  out.port = r.u16();
  return out;
}

OwnershipBits get_owned(ByteReader& r, std::uint8_t flags) {
  const OwnershipBits bits = r.array<kOwnershipBytes>();
  return (flags & kContentComplete) ? all_owned() : bits;
}

void put_owned(ByteWriter& w, std::uint8_t flags, const OwnershipBits& owned) {
  w.bytes((flags & kContentComplete) ? all_owned() : owned);
}

NodePeer get_peer(ByteReader& r) {
  const std::uint8_t flags = r.u8();
  NodePeer peer;
  peer.flags = flags & kListedFlags;
  if (flags & kPeerIsV6) {
    peer.address = get_address(r);
  } else {
    peer.address = Address::v4(0, 0, 0, 0, 0);
    std::ranges::copy(r.array<4>(), peer.address.ip.begin() + kMappedPrefix);
    peer.address.port = r.u16();
  }
  peer.rate_kib = r.u32();
  peer.node = r.array<kNodeTagSize>();
  peer.owned = get_owned(r, flags);
  return peer;
}

void put_peer(ByteWriter& w, const NodePeer& peer) {
  const bool v4 = peer.address.is_v4();
  w.u8(static_cast<std::uint8_t>((peer.flags & kListedFlags) | (v4 ? 0 : kPeerIsV6)));
  w.bytes(ByteSpan(peer.address.ip).subspan(v4 ? kMappedPrefix : 0));
  w.u16(peer.address.port);
  w.u32(peer.rate_kib);
  w.bytes(peer.node);
  put_owned(w, peer.flags, peer.owned);
}

ListedNode get_listed(ByteReader& r) {
  ListedNode node;
  node.flags = r.u8() & kListedFlags;
  node.address = get_address(r);
  node.age_ms = r.u32();
  node.rate_kib = r.u32();
  node.chunks = r.u32();
  node.node = r.array<kNodeTagSize>();
  node.owned = get_owned(r, node.flags);
  return node;
}

void put_listed(ByteWriter& w, const ListedNode& node) {
  w.u8(node.flags & kListedFlags);
  put_address(w, node.address);
  w.u32(node.age_ms);
  w.u32(node.rate_kib);
  w.u32(node.chunks);
  w.bytes(node.node);
  put_owned(w, node.flags, node.owned);
}

/// A tracker without the extension answers with exactly the 16 bytes of BEP 15.
std::optional<TrackerReply> decode_connect_reply(ByteReader& r, std::uint32_t transaction) {
  ConnectReply reply;
  reply.transaction = transaction;
  reply.connection_id = r.u64();
  if (r.failed()) return std::nullopt;
  if (r.finished()) return reply;
  if (r.u32() != kExtensionMark) return std::nullopt;
  r.u32();  // capabilities: none are known yet
  reply.extended = true;
  reply.epoch = r.u32();
  reply.beat_ms = r.u32();
  reply.observed = get_address(r);
  if (r.failed()) return std::nullopt;
  return reply;
}

std::optional<TrackerReply> decode_node_announce_reply(ByteReader& r, std::uint32_t transaction) {
  std::optional<TrackerReply> out(std::in_place, std::in_place_type<NodeAnnounceReply>);
  auto& reply = std::get<NodeAnnounceReply>(*out);
  reply.transaction = transaction;
  reply.epoch = r.u32();
  reply.beat_ms = r.u32();
  reply.connection_id = r.u64();
  reply.observed = get_address(r);
  reply.complete = r.u32();
  reply.partial = r.u32();
  reply.chunks = r.u32();
  const std::size_t count = r.u8();
  if (r.failed() || count > kMaxNodePeers) return std::nullopt;
  for (std::size_t i = 0; i < count; ++i) {
    const NodePeer peer = get_peer(r);
    if (r.failed() || peer.address.port == 0) return std::nullopt;
    reply.peers.push_back(peer);
  }
  return out;
}

std::optional<TrackerReply> decode_heartbeat_reply(ByteReader& r, std::uint32_t transaction) {
  HeartbeatReply reply;
  reply.transaction = transaction;
  reply.epoch = r.u32();
  reply.beat_ms = r.u32();
  reply.connection_id = r.u64();
  reply.unknown = r.u32();
  if (r.failed()) return std::nullopt;
  return reply;
}

std::optional<TrackerReply> decode_query_reply(ByteReader& r, std::uint32_t transaction) {
  std::optional<TrackerReply> out(std::in_place, std::in_place_type<QueryReply>);
  auto& reply = std::get<QueryReply>(*out);
  reply.transaction = transaction;
  reply.epoch = r.u32();
  reply.beat_ms = r.u32();
  reply.complete = r.u32();
  reply.partial = r.u32();
  reply.legacy_seeders = r.u32();
  reply.legacy_leechers = r.u32();
  reply.cursor = r.u32();
  const std::size_t count = r.u8();
  if (r.failed() || count > kMaxListedNodes) return std::nullopt;
  for (std::size_t i = 0; i < count; ++i) {
    const ListedNode node = get_listed(r);
    if (r.failed() || node.address.port == 0) return std::nullopt;
    reply.nodes.push_back(node);
  }
  return out;
}

std::optional<TrackerReply> decode_goodbye(ByteReader& r, std::uint32_t transaction) {
  Goodbye goodbye;
  goodbye.epoch = r.u32();
  goodbye.connection_id = r.u64();
  if (r.failed() || transaction != 0) return std::nullopt;
  return goodbye;
}

}  // namespace

std::optional<TrackerReply> decode_tracker_reply(ByteSpan datagram) {
  ByteReader r(datagram);
  const auto action = static_cast<TrackerAction>(r.u32());
  const std::uint32_t transaction = r.u32();
  if (r.failed()) return std::nullopt;
  switch (action) {
    case TrackerAction::kConnect:
      return decode_connect_reply(r, transaction);
    case TrackerAction::kNodeAnnounce:
      return decode_node_announce_reply(r, transaction);
    case TrackerAction::kHeartbeat:
      return decode_heartbeat_reply(r, transaction);
    case TrackerAction::kQuery:
      return decode_query_reply(r, transaction);
    case TrackerAction::kGoodbye:
      return decode_goodbye(r, transaction);
    case TrackerAction::kError: {
      const ByteSpan text = r.rest();
      return ErrorReply{transaction, {reinterpret_cast<const char*>(text.data()), text.size()}};
    }
    case TrackerAction::kAnnounce:
    case TrackerAction::kScrape:
      break;
  }
  return std::nullopt;
}

std::size_t encode(MutableByteSpan out, const ConnectReply& reply) {
  ByteWriter w(out);
  put_start(w, TrackerAction::kConnect, reply.transaction);
  w.u64(reply.connection_id);
  if (reply.extended) {
    w.u32(kExtensionMark);
    w.u32(0);  // capabilities
    w.u32(reply.epoch);
    w.u32(reply.beat_ms);
    put_address(w, reply.observed);
  }
  return size_of(w);
}

std::size_t encode(MutableByteSpan out, const NodeAnnounceReply& reply) {
  ByteWriter w(out);
  put_start(w, TrackerAction::kNodeAnnounce, reply.transaction);
  w.u32(reply.epoch);
  w.u32(reply.beat_ms);
  w.u64(reply.connection_id);
  put_address(w, reply.observed);
  w.u32(reply.complete);
  w.u32(reply.partial);
  w.u32(reply.chunks);
  w.u8(static_cast<std::uint8_t>(reply.peers.size()));
  for (const NodePeer& peer : reply.peers) put_peer(w, peer);
  return size_of(w);
}

std::size_t encode(MutableByteSpan out, const HeartbeatReply& reply) {
  ByteWriter w(out);
  put_start(w, TrackerAction::kHeartbeat, reply.transaction);
  w.u32(reply.epoch);
  w.u32(reply.beat_ms);
  w.u64(reply.connection_id);
  w.u32(reply.unknown);
  return size_of(w);
}

std::size_t encode(MutableByteSpan out, const QueryReply& reply) {
  ByteWriter w(out);
  put_start(w, TrackerAction::kQuery, reply.transaction);
  w.u32(reply.epoch);
  w.u32(reply.beat_ms);
  w.u32(reply.complete);
  w.u32(reply.partial);
  w.u32(reply.legacy_seeders);
  w.u32(reply.legacy_leechers);
  w.u32(reply.cursor);
  w.u8(static_cast<std::uint8_t>(reply.nodes.size()));
  for (const ListedNode& node : reply.nodes) put_listed(w, node);
  return size_of(w);
}

std::size_t encode(MutableByteSpan out, const Goodbye& goodbye) {
  ByteWriter w(out);
  put_start(w, TrackerAction::kGoodbye, 0);
  w.u32(goodbye.epoch);
  w.u64(goodbye.connection_id);
  return size_of(w);
}

std::size_t encode_error(MutableByteSpan out, std::uint32_t transaction, std::string_view text, std::size_t limit) {
  limit = std::min(limit, kMaxTrackerReply);
  if (limit < kErrorReplyHeader) return 0;
  ByteWriter w(out);
  put_start(w, TrackerAction::kError, transaction);
  w.bytes(as_bytes(text.data(), std::min(text.size(), limit - kErrorReplyHeader)));
  return size_of(w);
}

}  // namespace peernet::wire
