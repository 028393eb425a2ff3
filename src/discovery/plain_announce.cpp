#include "discovery/plain_announce.hpp"

#include <algorithm>

namespace peernet::discovery {

std::size_t encode_plain(MutableByteSpan out, const wire::TrackerHeader& header, const wire::NodeTag& node,
                         const PlainAnnounce& announce) {
  // BEP 20: client and version, then what tells this peer from others.
  ByteArray<20> peer_id{};
  const ByteSpan client = as_bytes("-PN0100-", 8);
  std::ranges::copy(client, peer_id.begin());
  std::ranges::copy(ByteSpan(node).first(peer_id.size() - client.size()), peer_id.begin() + client.size());
  wire::AnnounceRequest request;
  request.swarm = announce.swarm;
  request.left = announce.complete ? 0 : 1;
  request.event = announce.event;
  request.numwant = announce.numwant;
  request.port = announce.port;
  return wire::encode(out, header, request, peer_id);
}

wire::NodeAnnounceReply as_node_reply(const wire::AnnounceReply& reply) {
  wire::NodeAnnounceReply out;
  out.transaction = reply.transaction;
  out.complete = reply.seeders;
  out.partial = reply.leechers;
  for (const Address& address : reply.peers) {
    wire::NodePeer peer;
    peer.flags = wire::kContentServed;
    peer.address = address;
    out.peers.push_back(peer);
  }
  return out;
}

Duration plain_interval(const wire::AnnounceReply& reply) {
  return std::clamp<Duration>(std::chrono::seconds(reply.interval_s), 1min, 1h);
}

}  // namespace peernet::discovery
