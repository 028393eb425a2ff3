#include "tracker/stripe.hpp"

namespace peernet::tracker {

template <class Record>
void Stripe::count([[maybe_unused]] const Record& peer, std::int64_t change) {
  const auto by = static_cast<std::uint64_t>(change);  // wraps: one number less
  if constexpr (std::is_same_v<Record, LegacyV4>) totals_.legacy_v4 += by;
  if constexpr (std::is_same_v<Record, LegacyV6>) totals_.legacy_v6 += by;
  if constexpr (std::is_same_v<Record, Node>) totals_.nodes += by;
}

void Stripe::remove_if_empty(Swarm& swarm) {
  if (swarm.peers() != 0) return;
  swarms.remove(shared_.name(SwarmId(swarm.id)));  // a copy: the swarm's own goes away
  shared_.contents.fetch_sub(1, std::memory_order_relaxed);
}

template <class Record>
void Stripe::expire(PeerSet<Record>& set, std::uint32_t bucket, Moment now) {
  set.remove_dead(bucket, [&](const Record& peer) {
    if (!shared_.ages.dead(peer, now)) return false;
    shared_.addresses.remove(address_of(peer));
    count(peer, -1);
    ++expired_;
    return true;
  });
}
template void Stripe::expire(PeerSet<LegacyV4>&, std::uint32_t, Moment);
template void Stripe::expire(PeerSet<LegacyV6>&, std::uint32_t, Moment);
template void Stripe::expire(PeerSet<Node>&, std::uint32_t, Moment);

Swarm* Stripe::look(const SwarmName& name, Moment now) {
  Swarm* swarm = swarms.find(name);
  if (swarm == nullptr) return nullptr;
  if (swarm->legacy_v4.bucket_count() == 1) expire(swarm->legacy_v4, 0, now);
  if (swarm->legacy_v6.bucket_count() == 1) expire(swarm->legacy_v6, 0, now);
  if (swarm->nodes.bucket_count() == 1) expire(swarm->nodes, 0, now);
  if (swarm->peers() != 0) return swarm;
  remove_if_empty(*swarm);
  return nullptr;
}

template <class Record>
Listed Stripe::list(const SwarmName& name, const Record& peer, Moment now) {
  Swarm* swarm = look(name, now);
  const std::uint32_t hash = shared_.hash(peer);
  if (swarm == nullptr) return add(name, swarm, peer, hash);
  PeerSet<Record>& set = swarm->of<Record>();
  Record* old = set.find(peer, hash);
  if (old == nullptr) return add(name, swarm, peer, hash);
  const bool was_front = old->in_front() && !shared_.ages.dead(*old, now);
  set.replace(old, hash, peer);
  return {Listing::kListed, swarm, was_front};
}
template Listed Stripe::list(const SwarmName&, const LegacyV4&, Moment);
template Listed Stripe::list(const SwarmName&, const LegacyV6&, Moment);
template Listed Stripe::list(const SwarmName&, const Node&, Moment);

template <class Record>
Listed Stripe::add(const SwarmName& name, Swarm* swarm, const Record& peer, std::uint32_t hash) {
  if (swarm != nullptr && swarm->peers() >= shared_.max_peers.load(std::memory_order_relaxed))
    return {Listing::kTooManyPeers, nullptr, false};
  if constexpr (!std::is_same_v<Record, Node>) {
    if (swarm != nullptr && swarm->peers() - swarm->nodes.size() >= shared_.max_legacy.load(std::memory_order_relaxed))
      return {Listing::kTooManyPeers, nullptr, false};
  }
  if (swarm == nullptr && shared_.contents.fetch_add(1, std::memory_order_relaxed) >=
                              shared_.max_contents.load(std::memory_order_relaxed)) {
    shared_.contents.fetch_sub(1, std::memory_order_relaxed);
    return {Listing::kTooManyContents, nullptr, false};
  }
  if (!shared_.addresses.add(address_of(peer), shared_.max_of_address.load(std::memory_order_relaxed))) {
    if (swarm == nullptr) shared_.contents.fetch_sub(1, std::memory_order_relaxed);
    return {Listing::kTooManyPeersOfAddress, nullptr, false};
  }
  if (swarm == nullptr) swarm = &swarms.add(name);
  swarm->of<Record>().insert(peer, hash, shared_.hash);
  count(peer, 1);
  return {Listing::kListed, swarm, false};
}

template <class Record>
Record* Stripe::find(const SwarmName& name, const Record& like, Moment now) {
  Swarm* swarm = swarms.find(name);
  if (swarm == nullptr) return nullptr;
  Record* peer = swarm->of<Record>().find(like, shared_.hash(like));
  return peer == nullptr || shared_.ages.dead(*peer, now) ? nullptr : peer;
}
template LegacyV4* Stripe::find(const SwarmName&, const LegacyV4&, Moment);
template LegacyV6* Stripe::find(const SwarmName&, const LegacyV6&, Moment);
template Node* Stripe::find(const SwarmName&, const Node&, Moment);

template <class Record>
bool Stripe::unlist(const SwarmName& name, const Record& like) {
  Swarm* swarm = swarms.find(name);
  if (swarm == nullptr) return false;
  PeerSet<Record>& set = swarm->of<Record>();
  const std::uint32_t hash = shared_.hash(like);
  Record* peer = set.find(like, hash);
  if (peer == nullptr) return false;
  shared_.addresses.remove(address_of(*peer));
  count(*peer, -1);
  set.remove(peer, hash);
  remove_if_empty(*swarm);
  return true;
}
template bool Stripe::unlist(const SwarmName&, const LegacyV4&);
template bool Stripe::unlist(const SwarmName&, const LegacyV6&);
template bool Stripe::unlist(const SwarmName&, const Node&);

bool Stripe::say_goodbye(const SwarmName& name, const Node& like, const wire::NodeTag& who) {
  Swarm* swarm = swarms.find(name);
  const Node* listed = swarm == nullptr ? nullptr : swarm->nodes.find(like, shared_.hash(like));
  return listed != nullptr && listed->node == who && unlist(name, like);
}

void Stripe::add_to(Totals& totals) const {
  totals.contents += swarms.size();
  totals.nodes += totals_.nodes;
  totals.legacy_v4 += totals_.legacy_v4;
  totals.legacy_v6 += totals_.legacy_v6;
}

void Stripe::check_invariants() const {
  swarms.check_invariants();
  Totals counted;
  for (std::uint32_t i = 0; i < swarms.size(); ++i) {
    const Swarm& swarm = swarms.at(i);
    counted.legacy_v4 += swarm.legacy_v4.size();
    counted.legacy_v6 += swarm.legacy_v6.size();
    counted.nodes += swarm.nodes.size();
  }
  PN_CHECK(counted.legacy_v4 == totals_.legacy_v4 && counted.legacy_v6 == totals_.legacy_v6 &&
           counted.nodes == totals_.nodes);
}

}  // namespace peernet::tracker
