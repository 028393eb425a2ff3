// Where packets go and how large they may be.
#include <algorithm>

#include "transport/session_parts.hpp"

namespace peernet::transport {
namespace {

/// Probe timeout of a path nothing is known about (RFC 9000 8.2.4, 9002 6.2.2): three of these cover a round trip of 2
/// s. A shorter wait than the round trip falls back before the answer can be there, and the peer's next packet moves
/// the path again.
constexpr Duration kNewPathProbe = 1s;

}  // namespace

std::uint32_t Session::Parts::datagram_limit(const Address& to) const {
  const std::uint32_t header = to.header_bytes();
  const std::uint32_t payload = config.max_datagram > header ? config.max_datagram - header : 0;
  return std::clamp(payload, MtuSearch::kBase, static_cast<std::uint32_t>(wire::kMaxDatagram));
}

void Session::Parts::set_datagram_size() {
  congestion->set_datagram_bytes(mtu.current());
}

void Session::Parts::maybe_move_path(Instant now, std::size_t bytes, const Address& from) {
  if (from == path.remote() || state != SessionState::kEstablished) return;
  const std::uint64_t challenge = secret.next();
  const Duration patience = 3 * std::max<Duration>(rtt.probe_timeout(peer_ack_delay()), kNewPathProbe);
  const bool other_host = path.move({.to = from, .bytes = bytes, .challenge = challenge, .deadline = now + patience});
  ++stats.path_changes;
  if (path.challenge()) {
    push_frame(wire::PathChallengeFrame{challenge}, FrameStore::For::kSession);
    ack_now_next = true;
  }
  if (!other_host) return;
  // Another way through the network: nothing that was learned holds (RFC 9000 9.4).
  path_changed_at = now;
  congestion->reset();
  rtt.reset();
  rate.reset();
  ecn.reset();
  mtu.reset(now);
  set_datagram_size();
  recovery.reset_pto();
}

void Session::Parts::on_path_deadline(Instant now) {
  if (path.fall_back()) return;
  finish(now, CloseCause::kPathFailed, wire::CloseCode::kNone, "the peer's new address did not answer");
}

}  // namespace peernet::transport
