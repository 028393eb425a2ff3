// One session per pair of nodes, used both ways. Two come about when both dial at the same moment, when a node is
// reached at two of its addresses, or when one is dialled anew because its session has fallen silent.
//
// Which one stays:
//   - never one that has fallen silent here, if the other has not;
//   - dialled by both: the one whose initiator has the higher node id. Both sides know that, so that they close the
//   same;
//   - both dialled from here: the older one;
//   - both dialled from there: the other side decides.
#include <algorithm>

#include "node/shard.hpp"

namespace peernet::node {
namespace {

constexpr Duration kSilence = 2s;

}  // namespace

bool Shard::silent(const Peer& peer) const {
  return peer.session.established() &&
         now_ - peer.session.last_heard() > std::max<Duration>(kSilence, 4 * peer.session.rtt());
}

// A node that was started again under the same identity is another: its sessions know nothing of each other.
Peer* Shard::other_session(const Peer& peer) {
  Peer* found = nullptr;
  for_each_peer([&](Peer& other) {
    if (found != nullptr || &other == &peer || !other.session.established()) return;
    const bool same_node = other.session.peer() == peer.session.peer();
    if (same_node && other.session.peer_parameters().instance_id == peer.session.peer_parameters().instance_id)
      found = &other;
  });
  return found;
}

void Shard::settle_pair(Peer& fresh) {
  if (fresh.session.peer_parameters().instance_id == context_.instance_id) return;  // this is me
  Peer* old = other_session(fresh);
  if (old == nullptr) return;
  if (silent(*old)) return give_up(*old, fresh);
  const bool fresh_is_ours = fresh.session.role() == transport::Role::kInitiator;
  const bool old_is_ours = old->session.role() == transport::Role::kInitiator;
  if (fresh_is_ours == old_is_ours) {
    if (fresh_is_ours) give_up(fresh, *old);
    return;
  }
  const auto here = std::pair(context_.handshakes->local_id(), context_.instance_id);
  const auto there = std::pair(fresh.session.peer(), fresh.session.peer_parameters().instance_id);
  const bool ours_stays = here > there;
  ours_stays == fresh_is_ours ? give_up(*old, fresh) : give_up(fresh, *old);
}

// What was wanted over the one is wanted over the other. Requests that were under way are asked for again there.
void Shard::give_up(Peer& goes, Peer& stays) {
  for (const auto& fetch : fetches_)
    if (fetch) fetch->on_duplicate(goes, stays);
  close(goes, wire::CloseCode::kDuplicateSession, "another session of this pair stays");
}

}  // namespace peernet::node
