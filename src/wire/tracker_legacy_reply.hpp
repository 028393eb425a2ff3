// The reply to a plain BEP 15 announce, for nodes that meet a tracker without the extension.
#pragma once

#include <cstdint>
#include <optional>

#include "base/address.hpp"
#include "base/inplace_vector.hpp"
#include "base/types.hpp"
#include "wire/tracker_spec.hpp"

namespace peernet::wire {

struct AnnounceReply {
  std::uint32_t transaction = 0;
  std::uint32_t interval_s = 0;  ///< whatever the tracker says
  std::uint32_t leechers = 0;
  std::uint32_t seeders = 0;
  InplaceVector<Address, kMaxNodePeers> peers;  ///< the first of them; none with port 0
};

/// `v6`: the tracker was asked over IPv6, so that peers have 18 bytes instead of 6. Nothing if it is not a whole reply;
/// bytes behind the last whole peer are ignored.
std::optional<AnnounceReply> decode_announce_reply(ByteSpan datagram, bool v6);

}  // namespace peernet::wire
