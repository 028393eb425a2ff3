// Tracker messages as values: BEP 15, and the extension that PeerNet nodes ask for in their connect request. Decoders
// of requests serve the tracker, decoders of replies serve src/discovery; both take bytes from anybody. Nothing
// allocates.
#pragma once

#include <array>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string_view>
#include <variant>

#include "base/address.hpp"
#include "base/bytes.hpp"
#include "base/inplace_vector.hpp"
#include "base/types.hpp"
#include "wire/tracker_spec.hpp"

namespace peernet::wire {

using NodeTag = ByteArray<kNodeTagSize>;
using OwnershipBits = ByteArray<kOwnershipBytes>;

/// Which chunks a node has, in 128 bits: bit i (bit 7 of byte 0 is bit 0) stands for chunk i of a content of at most
/// 128 chunks, else it is set when all chunks in [i * n / 128, (i + 1) * n / 128) are there.
bool owns(const OwnershipBits& bits, std::uint32_t bit);
void set_owned(OwnershipBits& bits, std::uint32_t bit);
std::uint32_t owned_count(const OwnershipBits& bits);
/// What a complete node owns.
OwnershipBits all_owned();

/// Why a request was not served; counted by name, and the words of the error reply.
enum class TrackerRefusal : std::uint8_t {
  kTooShort,         ///< less than a request has (no answer), or than its action needs
  kTooLong,          ///< more than kMaxTrackerRequest: no answer
  kUnknownAction,    ///< not an action, or one of the extension under a plain connection id
  kBadConnectionId,  ///< not ours, expired, or given to another address
  kPortZero,         ///< an announce with port 0
  kBadEvent,         ///< an announce with an event above 4
  kEmptyScrape,      ///< no info hash
  kMalformed,        ///< lengths that contradict each other, values out of range
  kCount
};
/// "bad_connection_id", as counters are called.
std::string_view name_of(TrackerRefusal refusal);
/// The words of the error reply: short, so that they fit where the address is not proven.
std::string_view text_of(TrackerRefusal refusal);

// ---- Requests
// --------------------------------------------------------------------------------------------------------

/// The first 16 bytes of every request.
struct TrackerHeader {
  std::uint64_t connection_id = 0;  ///< kTrackerMagic in a connect
  TrackerAction action = TrackerAction::kConnect;
  std::uint32_t transaction = 0;
  friend bool operator==(const TrackerHeader&, const TrackerHeader&) = default;
};

struct ConnectRequest {
  std::uint32_t transaction = 0;
  bool extended = false;
  friend bool operator==(const ConnectRequest&, const ConnectRequest&) = default;
};

struct AnnounceRequest {
  SwarmId swarm{};
  std::uint64_t left = 0;
  AnnounceEvent event = AnnounceEvent::kNone;
  std::int32_t numwant = -1;    ///< < 0: the tracker's default
  std::uint16_t port = 0;       ///< never 0 once decoded
  std::uint16_t url_bytes = 0;  ///< path and query in BEP 41 options behind it; not encoded
  friend bool operator==(const AnnounceRequest&, const AnnounceRequest&) = default;
};

struct ScrapeRequest {
  ByteSpan hashes;  ///< borrowed; a multiple of 20 bytes, 1 to 74 hashes (later ones are cut off)
  std::size_t count() const { return hashes.size() / kInfoHashSize; }
  SwarmId at(std::size_t i) const;
};

struct NodeAnnounce {
  SwarmId swarm{};
  NodeTag node{};
  std::uint8_t flags = 0;      ///< kContent..., kReaches...
  std::uint8_t numwant = 0;    ///< at most kMaxNodePeers are given
  std::uint32_t chunks = 0;    ///< of the content; 0: not known yet
  std::uint32_t rate_kib = 0;  ///< measured upload rate of the node, KiB/s
  OwnershipBits owned{};       ///< all ones when complete
  friend bool operator==(const NodeAnnounce&, const NodeAnnounce&) = default;
};

struct HeartbeatEntry {
  SwarmId swarm{};
  std::uint8_t flags = 0;  ///< kContent...
  OwnershipBits owned{};   ///< on the wire only when not complete
  friend bool operator==(const HeartbeatEntry&, const HeartbeatEntry&) = default;
};

struct Heartbeat {
  NodeTag node{};
  std::uint32_t rate_kib = 0;
  InplaceVector<HeartbeatEntry, kMaxHeartbeatContents> entries;  ///< never empty once decoded
  friend bool operator==(const Heartbeat&, const Heartbeat&) = default;
};

struct Query {
  SwarmId swarm{};
  std::uint32_t cursor = 0;  ///< 0: from the start; else what the last reply gave
  friend bool operator==(const Query&, const Query&) = default;
};

/// kTooShort for less than a header, kTooLong; the connection id is the caller's to check, before anything else.
std::expected<TrackerHeader, TrackerRefusal> decode_tracker_header(ByteSpan datagram);
// Each takes the whole datagram, whose header was decoded and fits. BEP 41 options behind an announce are walked (an
// unknown type ends the walk) and otherwise ignored; bytes behind the others and unknown flags are ignored.
ConnectRequest decode_connect(ByteSpan datagram);
std::expected<AnnounceRequest, TrackerRefusal> decode_announce(ByteSpan datagram);
std::expected<ScrapeRequest, TrackerRefusal> decode_scrape(ByteSpan datagram);
std::expected<NodeAnnounce, TrackerRefusal> decode_node_announce(ByteSpan datagram);
std::expected<Heartbeat, TrackerRefusal> decode_heartbeat(ByteSpan datagram);
std::expected<Query, TrackerRefusal> decode_query(ByteSpan datagram);

// Encoders write a whole datagram and return its size; the span must hold it (kMaxTrackerRequest is enough for all).
// The action is the message's own, not header.action.
std::size_t encode_connect(MutableByteSpan out, const ConnectRequest& request);
std::size_t encode(MutableByteSpan out, const TrackerHeader& header, const AnnounceRequest& request,
                   const ByteArray<20>& peer_id);
std::size_t encode(MutableByteSpan out, const TrackerHeader& header, const NodeAnnounce& request);
std::size_t encode(MutableByteSpan out, const TrackerHeader& header, const Heartbeat& request);
std::size_t encode(MutableByteSpan out, const TrackerHeader& header, const Query& request);
/// Bytes of this entry in a heartbeat.
std::size_t encoded_size(const HeartbeatEntry& entry);

// ---- Replies
// ---------------------------------------------------------------------------------------------------------

struct ConnectReply {
  std::uint32_t transaction = 0;
  std::uint64_t connection_id = 0;
  // Only in the reply to an extended request:
  bool extended = false;
  std::uint32_t epoch = 0;    ///< of this run of the tracker
  std::uint32_t beat_ms = 0;  ///< how often it wants heartbeats
  Address observed;           ///< whom the tracker sees: the asker's address from outside
  friend bool operator==(const ConnectReply&, const ConnectReply&) = default;
};

struct NodePeer {
  std::uint8_t flags = 0;  ///< kContentComplete, kContentServed
  Address address;
  std::uint32_t rate_kib = 0;
  NodeTag node{};
  OwnershipBits owned{};  ///< all ones when complete
  friend bool operator==(const NodePeer&, const NodePeer&) = default;
};

struct NodeAnnounceReply {
  std::uint32_t transaction = 0;
  std::uint32_t epoch = 0;
  std::uint32_t beat_ms = 0;
  std::uint64_t connection_id = 0;  ///< a fresh one
  Address observed;
  std::uint32_t complete = 0;  ///< nodes with everything
  std::uint32_t partial = 0;   ///< the others
  std::uint32_t chunks = 0;    ///< of the content as others told, 0: nobody knows
  InplaceVector<NodePeer, kMaxNodePeers> peers;
  friend bool operator==(const NodeAnnounceReply&, const NodeAnnounceReply&) = default;
};

struct HeartbeatReply {
  std::uint32_t transaction = 0;
  std::uint32_t epoch = 0;
  std::uint32_t beat_ms = 0;
  std::uint64_t connection_id = 0;
  std::uint32_t unknown = 0;  ///< bit i: entry i is not listed here, announce it
  friend bool operator==(const HeartbeatReply&, const HeartbeatReply&) = default;
};

struct ListedNode {
  std::uint8_t flags = 0;
  Address address;
  std::uint32_t age_ms = 0;  ///< since its last heartbeat or announce
  std::uint32_t rate_kib = 0;
  std::uint32_t chunks = 0;
  NodeTag node{};
  OwnershipBits owned{};
  friend bool operator==(const ListedNode&, const ListedNode&) = default;
};

struct QueryReply {
  std::uint32_t transaction = 0;
  std::uint32_t epoch = 0;
  std::uint32_t beat_ms = 0;
  std::uint32_t complete = 0;
  std::uint32_t partial = 0;
  std::uint32_t legacy_seeders = 0;
  std::uint32_t legacy_leechers = 0;
  std::uint32_t cursor = 0;  ///< to ask for the next page with; 0: this was the last
  InplaceVector<ListedNode, kMaxListedNodes> nodes;
  friend bool operator==(const QueryReply&, const QueryReply&) = default;
};

struct Goodbye {
  std::uint32_t epoch = 0;
  std::uint64_t connection_id = 0;  ///< the one the node would get now: proof that the tracker says it
  friend bool operator==(const Goodbye&, const Goodbye&) = default;
};

struct ErrorReply {
  std::uint32_t transaction = 0;
  std::string_view text;  ///< borrowed from the datagram; arbitrary bytes
  friend bool operator==(const ErrorReply&, const ErrorReply&) = default;
};

/// What a client may get. Replies of plain announces and scrapes are not needed by nodes.
using TrackerReply = std::variant<ConnectReply, NodeAnnounceReply, HeartbeatReply, QueryReply, Goodbye, ErrorReply>;
/// Nothing if it is not a whole, consistent reply; bytes behind it and unknown flags are ignored, except that a plain
/// connect reply is exactly 16 bytes. No listed address has port 0; beat_ms is whatever the tracker says.
std::optional<TrackerReply> decode_tracker_reply(ByteSpan datagram);

// Encoders write a whole datagram and return its size; the span must hold kMaxTrackerReply bytes.
std::size_t encode(MutableByteSpan out, const ConnectReply& reply);
std::size_t encode(MutableByteSpan out, const NodeAnnounceReply& reply);
std::size_t encode(MutableByteSpan out, const HeartbeatReply& reply);
std::size_t encode(MutableByteSpan out, const QueryReply& reply);
std::size_t encode(MutableByteSpan out, const Goodbye& goodbye);
/// The text is cut so that the reply is at most `limit` bytes; 0 if even the header does not fit.
std::size_t encode_error(MutableByteSpan out, std::uint32_t transaction, std::string_view text, std::size_t limit);

}  // namespace peernet::wire
