// A datagram that reaches a node as if from a tracker.
#include "fuzz/fuzz.hpp"
#include "unit/wire/sample_tracker_messages.hpp"

using namespace peernet;
using namespace peernet::wire;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::vector<std::byte> datagram = fuzz::Input(data, size).rest();
  const auto reply = decode_tracker_reply(datagram);
  if (!reply) return 0;
  if (const auto* error = std::get_if<ErrorReply>(&*reply)) {
    PN_CHECK(error->text.size() + kErrorReplyHeader == datagram.size());
    if (datagram.size() > kMaxTrackerReply) return 0;  // no tracker of ours says so much
  }
  if (const auto* announced = std::get_if<NodeAnnounceReply>(&*reply))
    for (const NodePeer& peer : announced->peers) PN_CHECK(peer.address.port != 0);
  if (const auto* listing = std::get_if<QueryReply>(&*reply))
    for (const ListedNode& node : listing->nodes) PN_CHECK(node.address.port != 0);
  const std::vector<std::byte> again = encoded(*reply);
  PN_CHECK(again.size() <= datagram.size());
  PN_CHECK(decode_tracker_reply(again) == reply);
  return 0;
}
