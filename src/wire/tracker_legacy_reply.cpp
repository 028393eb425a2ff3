#include "wire/tracker_legacy_reply.hpp"

#include <algorithm>

#include "base/bytes.hpp"

namespace peernet::wire {

std::optional<AnnounceReply> decode_announce_reply(ByteSpan datagram, bool v6) {
  ByteReader r(datagram);
  const auto action = static_cast<TrackerAction>(r.u32());
  AnnounceReply reply;
  reply.transaction = r.u32();
  reply.interval_s = r.u32();
  reply.leechers = r.u32();
  reply.seeders = r.u32();
  if (r.failed() || action != TrackerAction::kAnnounce) return std::nullopt;
  while (r.remaining() >= (v6 ? kPeerSizeV6 : kPeerSizeV4) && !reply.peers.full()) {
    Address peer = Address::v4(0, 0, 0, 0, 0);
    if (v6) {
      peer.ip = r.array<16>();
    } else {
      std::ranges::copy(r.array<4>(), peer.ip.begin() + 12);
    }
    peer.port = r.u16();
    if (peer.port != 0) reply.peers.push_back(peer);
  }
  return reply;
}

}  // namespace peernet::wire
