// Connection ids that need no memory: a keyed hash of the asker's address and the minute, as BEP 15 suggests. Whoever
// shows one has received a datagram at that address within the last two minutes. Extended ids are bound to address and
// port, plain ones to the IPv4 address or the IPv6 /64.
#pragma once

#include <cstdint>

#include "base/address.hpp"
#include "base/time.hpp"
#include "base/types.hpp"

namespace peernet::tracker {

enum class IdKind : std::uint8_t { kPlain, kExtended };

class ConnectionIds {
 public:
  explicit ConnectionIds(const Hash128& key) : key_(key) {}

  /// The id to give out now. It is good for one to two minutes.
  std::uint64_t issue(Instant now, const Address& to, IdKind kind) const;
  /// Ours, of this kind, given to this address in this minute or the one before.
  bool valid(Instant now, const Address& from, IdKind kind, std::uint64_t id) const;

 private:
  std::uint64_t hash(std::int64_t minute, const Address& whole, IdKind kind) const;
  Hash128 key_;
};

}  // namespace peernet::tracker
