#include "tracker/connection_ids.hpp"

#include <algorithm>

#include "base/bytes.hpp"
#include "crypto/siphash.hpp"

namespace peernet::tracker {
namespace {

// Never equal to the magic number of a connect request, and never the first byte of another protocol on the same port.
constexpr std::uint64_t kTopBit = std::uint64_t{1} << 63;

// What an id is bound to. A node asks from one port. A stock client has several sockets, of several addresses of its
// network where it uses IPv6 privacy addresses, and uses one id for all of them (libtorrent does).
Address bound_part(Address address, IdKind kind) {
  if (kind == IdKind::kExtended) return address;
  address.port = 0;
  if (!address.is_v4()) std::fill(address.ip.begin() + 8, address.ip.end(), std::byte{0});
  return address;
}

std::int64_t minute_of(Instant now) {
  return now.ns() / std::chrono::duration_cast<Duration>(1min).count();
}

}  // namespace

std::uint64_t ConnectionIds::hash(std::int64_t minute, const Address& whole, IdKind kind) const {
  const Address address = bound_part(whole, kind);
  ByteArray<16 + 2 + 1 + 8> input;
  ByteWriter w(input);
  w.bytes(address.ip);
  w.u16(address.port);
  w.u8(static_cast<std::uint8_t>(kind));
  w.u64(static_cast<std::uint64_t>(minute));
  return crypto::siphash24(key_, input) | kTopBit;
}

std::uint64_t ConnectionIds::issue(Instant now, const Address& to, IdKind kind) const {
  return hash(minute_of(now), to, kind);
}

bool ConnectionIds::valid(Instant now, const Address& from, IdKind kind, std::uint64_t id) const {
  const std::int64_t minute = minute_of(now);
  return id == hash(minute, from, kind) || id == hash(minute - 1, from, kind);
}

}  // namespace peernet::tracker
