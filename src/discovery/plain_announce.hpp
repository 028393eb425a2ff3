// Announces to a tracker that speaks nothing but BEP 15: as a BitTorrent client would, and its answer in our own terms.
#pragma once

#include "base/time.hpp"
#include "discovery/types.hpp"
#include "wire/tracker_legacy_reply.hpp"
#include "wire/tracker_messages.hpp"

namespace peernet::discovery {

struct PlainAnnounce {
  SwarmId swarm{};
  bool complete = false;
  wire::AnnounceEvent event = wire::AnnounceEvent::kNone;
  std::uint8_t numwant = 0;
  std::uint16_t port = 0;  ///< of our socket; not 0
};

std::size_t encode_plain(MutableByteSpan out, const wire::TrackerHeader& header, const wire::NodeTag& node,
                         const PlainAnnounce& announce);

/// Peers of which nothing but the address is known; whoever turns out to speak another protocol never answers.
wire::NodeAnnounceReply as_node_reply(const wire::AnnounceReply& reply);

/// The tracker's interval, within a minute and an hour.
Duration plain_interval(const wire::AnnounceReply& reply);

}  // namespace peernet::discovery
