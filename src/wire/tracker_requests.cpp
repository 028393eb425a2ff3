// What clients and nodes ask a tracker. decode_tracker_header and decode_announce run a million times a second: each
// checks the length once and then reads fixed places.
#include <algorithm>
#include <bit>

#include "base/check.hpp"
#include "wire/tracker_messages.hpp"

namespace peernet::wire {
namespace {

constexpr std::uint8_t kContentFlags = kContentComplete | kContentServed | kContentLeft;
constexpr std::uint8_t kReachesFlags = kReachesV4 | kReachesV6;

constexpr unsigned kByteBits = 8;
constexpr std::byte kTopBit{0x80};

/// Whoever has everything, or leaves, needs no list of what he has.
constexpr bool sends_bits(std::uint8_t flags) {
  return (flags & (kContentComplete | kContentLeft)) == 0;
}

/// BEP 41: bytes of URL in the options behind an announce. Padding, an unknown type and an option that is cut off end
/// it.
std::uint16_t url_bytes_of(ByteSpan options) {
  ByteReader r(options);
  std::size_t total = 0;
  while (r.remaining() > 0) {
    const auto option = static_cast<UrlOption>(r.u8());
    if (option == UrlOption::kNop) continue;
    if (option != UrlOption::kUrlData) break;
    total += r.bytes(r.u8()).size();
  }
  return static_cast<std::uint16_t>(total);
}

/// The action is that of the message, whatever the header of an earlier one says.
void put_header(ByteWriter& w, const TrackerHeader& header, TrackerAction action) {
  w.u64(header.connection_id);
  w.u32(static_cast<std::uint32_t>(action));
  w.u32(header.transaction);
}

std::size_t size_of(const ByteWriter& w) {
  PN_CHECK(!w.failed());
  return w.position();
}

}  // namespace

bool owns(const OwnershipBits& bits, std::uint32_t bit) {
  PN_CHECK(bit < kOwnershipBits);
  return (bits[bit / kByteBits] & (kTopBit >> (bit % kByteBits))) != std::byte{0};
}

void set_owned(OwnershipBits& bits, std::uint32_t bit) {
  PN_CHECK(bit < kOwnershipBits);
  bits[bit / kByteBits] |= kTopBit >> (bit % kByteBits);
}

std::uint32_t owned_count(const OwnershipBits& bits) {
  int count = 0;
  for (const std::byte b : bits) count += std::popcount(std::to_integer<std::uint8_t>(b));
  return static_cast<std::uint32_t>(count);
}

OwnershipBits all_owned() {
  OwnershipBits bits;
  bits.fill(std::byte{0xff});
  return bits;
}

std::string_view name_of(TrackerRefusal refusal) {
  switch (refusal) {
    case TrackerRefusal::kTooShort:
      return "too_short";
    case TrackerRefusal::kTooLong:
      return "too_long";
    case TrackerRefusal::kUnknownAction:
      return "unknown_action";
    case TrackerRefusal::kBadConnectionId:
      return "bad_connection_id";
    case TrackerRefusal::kPortZero:
      return "port_zero";
    case TrackerRefusal::kBadEvent:
      return "bad_event";
    case TrackerRefusal::kEmptyScrape:
      return "empty_scrape";
    case TrackerRefusal::kMalformed:
      return "malformed";
    case TrackerRefusal::kCount:
      break;
  }
  return "unknown";
}

std::string_view text_of(TrackerRefusal refusal) {
  switch (refusal) {
    case TrackerRefusal::kTooShort:
      return "too short";
    case TrackerRefusal::kTooLong:
      return "too long";
    case TrackerRefusal::kUnknownAction:
      return "unknown action";
    case TrackerRefusal::kBadConnectionId:
      return "bad connection id";
    case TrackerRefusal::kPortZero:
      return "port is 0";
    case TrackerRefusal::kBadEvent:
      return "unknown event";
    case TrackerRefusal::kEmptyScrape:
      return "no info hash";
    case TrackerRefusal::kMalformed:
      return "malformed";
    case TrackerRefusal::kCount:
      break;
  }
  return "refused";
}

SwarmId ScrapeRequest::at(std::size_t i) const {
  PN_CHECK(i < count());
  SwarmId out;
  std::ranges::copy(hashes.subspan(i * kInfoHashSize, kInfoHashSize), out.begin());
  return out;
}

std::expected<TrackerHeader, TrackerRefusal> decode_tracker_header(ByteSpan datagram) {
  if (datagram.size() < kRequestHeaderSize) return std::unexpected(TrackerRefusal::kTooShort);
  if (datagram.size() > kMaxTrackerRequest) return std::unexpected(TrackerRefusal::kTooLong);
  ByteReader r(datagram.first(kRequestHeaderSize));
  TrackerHeader header;
  header.connection_id = r.u64();
  header.action = static_cast<TrackerAction>(r.u32());
  header.transaction = r.u32();
  return header;
}

ConnectRequest decode_connect(ByteSpan datagram) {
  ByteReader r(datagram);
  r.bytes(8 + 4);
  ConnectRequest request;
  request.transaction = r.u32();
  request.extended = datagram.size() >= kExtendedConnectSize && r.u32() == kExtensionMark;
  return request;
}

std::expected<AnnounceRequest, TrackerRefusal> decode_announce(ByteSpan datagram) {
  if (datagram.size() < kAnnounceRequestSize) return std::unexpected(TrackerRefusal::kTooShort);
  ByteReader r(datagram.first(kAnnounceRequestSize));
  r.bytes(kRequestHeaderSize);
  AnnounceRequest request;
  request.swarm = r.array<kInfoHashSize>();
  r.bytes(20 + 8);  // peer id, downloaded
  request.left = r.u64();
  r.bytes(8);  // uploaded
  const std::uint32_t event = r.u32();
  r.bytes(4 + 4);  // IP address: a peer is where its datagrams come from; key
  request.numwant = static_cast<std::int32_t>(r.u32());
  request.port = r.u16();
  if (request.port == 0) return std::unexpected(TrackerRefusal::kPortZero);
  if (event > kPausedEvent) return std::unexpected(TrackerRefusal::kBadEvent);
  request.event = event == kPausedEvent ? AnnounceEvent::kNone : static_cast<AnnounceEvent>(event);
  if (datagram.size() > kAnnounceRequestSize) request.url_bytes = url_bytes_of(datagram.subspan(kAnnounceRequestSize));
  return request;
}

std::expected<ScrapeRequest, TrackerRefusal> decode_scrape(ByteSpan datagram) {
  if (datagram.size() < kRequestHeaderSize) return std::unexpected(TrackerRefusal::kTooShort);
  const ByteSpan hashes = datagram.subspan(kRequestHeaderSize);
  const std::size_t count = std::min(hashes.size() / kInfoHashSize, kMaxScrapeHashes);
  if (count == 0) return std::unexpected(TrackerRefusal::kEmptyScrape);
  return ScrapeRequest{hashes.first(count * kInfoHashSize)};
}

std::expected<NodeAnnounce, TrackerRefusal> decode_node_announce(ByteSpan datagram) {
  if (datagram.size() < kNodeAnnounceSize) return std::unexpected(TrackerRefusal::kTooShort);
  ByteReader r(datagram.first(kNodeAnnounceSize));
  r.bytes(kRequestHeaderSize);
  NodeAnnounce request;
  request.swarm = r.array<kInfoHashSize>();
  request.node = r.array<kNodeTagSize>();
  request.flags = r.u8() & (kContentFlags | kReachesFlags);
  request.numwant = r.u8();
  r.u16();  // reserved
  request.chunks = r.u32();
  request.rate_kib = r.u32();
  request.owned = r.array<kOwnershipBytes>();
  if (request.flags & kContentComplete) request.owned = all_owned();
  return request;
}

std::expected<Heartbeat, TrackerRefusal> decode_heartbeat(ByteSpan datagram) {
  if (datagram.size() < kHeartbeatHeader) return std::unexpected(TrackerRefusal::kTooShort);
  ByteReader r(datagram);
  r.bytes(kRequestHeaderSize);
  Heartbeat request;
  request.node = r.array<kNodeTagSize>();
  request.rate_kib = r.u32();
  const std::size_t count = r.u8();
  r.bytes(3);  // reserved
  if (count == 0 || count > kMaxHeartbeatContents) return std::unexpected(TrackerRefusal::kMalformed);
  for (std::size_t i = 0; i < count; ++i) {
    HeartbeatEntry entry;
    entry.swarm = r.array<kInfoHashSize>();
    entry.flags = r.u8() & kContentFlags;
    if (sends_bits(entry.flags)) {
      entry.owned = r.array<kOwnershipBytes>();
    } else if (entry.flags & kContentComplete) {
      entry.owned = all_owned();
    }
    if (r.failed()) return std::unexpected(TrackerRefusal::kMalformed);
    request.entries.push_back(entry);
  }
  return request;
}

std::expected<Query, TrackerRefusal> decode_query(ByteSpan datagram) {
  if (datagram.size() < kQuerySize) return std::unexpected(TrackerRefusal::kTooShort);
  ByteReader r(datagram.first(kQuerySize));
  r.bytes(kRequestHeaderSize);
  Query request;
  request.swarm = r.array<kInfoHashSize>();
  request.cursor = r.u32();
  return request;
}

std::size_t encode_connect(MutableByteSpan out, const ConnectRequest& request) {
  ByteWriter w(out);
  put_header(w, {.connection_id = kTrackerMagic, .transaction = request.transaction}, TrackerAction::kConnect);
  if (request.extended) {
    w.u32(kExtensionMark);
    w.u32(0);  // capabilities: none are known yet
    w.zeros(kExtendedConnectSize - w.position());
  }
  return size_of(w);
}

std::size_t encode(MutableByteSpan out, const TrackerHeader& header, const AnnounceRequest& request,
                   const ByteArray<20>& peer_id) {
  ByteWriter w(out);
  put_header(w, header, TrackerAction::kAnnounce);
  w.bytes(request.swarm);
  w.bytes(peer_id);
  w.u64(0);  // downloaded
  w.u64(request.left);
  w.u64(0);  // uploaded
  w.u32(static_cast<std::uint32_t>(request.event));
  w.zeros(4 + 4);  // IP address, key
  w.u32(static_cast<std::uint32_t>(request.numwant));
  w.u16(request.port);
  return size_of(w);
}

std::size_t encode(MutableByteSpan out, const TrackerHeader& header, const NodeAnnounce& request) {
  ByteWriter w(out);
  put_header(w, header, TrackerAction::kNodeAnnounce);
  w.bytes(request.swarm);
  w.bytes(request.node);
  w.u8(request.flags);
  w.u8(request.numwant);
  w.u16(0);
  w.u32(request.chunks);
  w.u32(request.rate_kib);
  w.bytes((request.flags & kContentComplete) ? all_owned() : request.owned);
  return size_of(w);
}

std::size_t encoded_size(const HeartbeatEntry& entry) {
  return kInfoHashSize + 1 + (sends_bits(entry.flags) ? kOwnershipBytes : 0);
}

std::size_t encode(MutableByteSpan out, const TrackerHeader& header, const Heartbeat& request) {
  PN_CHECK(!request.entries.empty());
  ByteWriter w(out);
  put_header(w, header, TrackerAction::kHeartbeat);
  w.bytes(request.node);
  w.u32(request.rate_kib);
  w.u8(static_cast<std::uint8_t>(request.entries.size()));
  w.zeros(3);
  for (const HeartbeatEntry& entry : request.entries) {
    w.bytes(entry.swarm);
    w.u8(entry.flags);
    if (sends_bits(entry.flags)) w.bytes(entry.owned);
  }
  return size_of(w);
}

std::size_t encode(MutableByteSpan out, const TrackerHeader& header, const Query& request) {
  ByteWriter w(out);
  put_header(w, header, TrackerAction::kQuery);
  w.bytes(request.swarm);
  w.u32(request.cursor);
  return size_of(w);
}

}  // namespace peernet::wire
