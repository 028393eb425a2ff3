#include "tracker/settings.hpp"

namespace peernet::tracker {

std::string_view name_of(Event event) {
  switch (event) {
    case Event::kDatagrams:
      return "datagrams";
    case Event::kReplies:
      return "replies";
    case Event::kConnects:
      return "connects";
    case Event::kExtendedConnects:
      return "extended_connects";
    case Event::kAnnounces:
      return "announces";
    case Event::kScrapes:
      return "scrapes";
    case Event::kNodeAnnounces:
      return "node_announces";
    case Event::kHeartbeats:
      return "heartbeats";
    case Event::kHeartbeatContents:
      return "heartbeat_contents";
    case Event::kQueries:
      return "queries";
    case Event::kGoodbyes:
      return "goodbyes";
    case Event::kExpired:
      return "expired";
    case Event::kTooManyContents:
      return "too_many_contents";
    case Event::kTooManyPeers:
      return "too_many_peers";
    case Event::kTooManyPeersOfAddress:
      return "too_many_peers_of_address";
    case Event::kCount:
      break;
  }
  return "unknown";
}

}  // namespace peernet::tracker
