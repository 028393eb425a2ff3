// What a get says to trackers and hears from them: who else is in the swarm, what of the content is here.
#include <algorithm>

#include "node/fetch.hpp"
#include "node/ownership.hpp"
#include "node/shard.hpp"
#include "swarm/mutants.hpp"

namespace peernet::node {
namespace {

constexpr std::size_t kFewSources = 4;  // below, trackers are asked for more at once
constexpr Duration kFirstPause = 1s;    // between such questions; doubled up to the beat
constexpr Duration kLongestBeat = 60s;  // as Discovery cuts it
constexpr Duration kLongestHopefulPause = 4s;
constexpr Duration kTellStateEvery = 1s;

// Of one host at most: a tracker does not make us talk to groups or to nobody.
bool is_unicast(const Address& address) {
  const auto first = std::to_integer<unsigned>(address.ip[address.is_v4() ? 12 : 0]);
  if (address.is_v4()) return first != 0 && first < 224;  // 224/4 multicast, 240/4 reserved and broadcast
  return first != 0xff && address.ip != ByteArray<16>{};
}

}  // namespace

std::string Fetch::why_nobody_answered() const {
  if (trackers_answered_)
    return "the tracker answered, but no node that serves this content did: is one running, and reached by UDP?";
  const std::string troubles = troubles_.text();
  if (options_.link.peers.empty())
    return "no tracker of the link has named a source" + (troubles.empty() ? "" : ": " + troubles);
  return "no source answered in time" + (troubles.empty() ? "" : " (" + troubles + ")") +
         ": is it running, and does its port let UDP through?";
}

void Fetch::join_trackers() {
  if (options_.link.trackers.empty()) return;
  with_trackers_ = true;
  ask_peers_at_ = shard_->now() + kFirstPause;
  shard_->discovery().join(
      *this,
      {.swarm = swarm_, .trackers = options_.link.trackers, .state = tracker_state(), .numwant = wire::kMaxNodePeers});
}

void Fetch::leave_trackers() {
  if (!with_trackers_) return;
  with_trackers_ = false;
  shard_->discovery().leave(*this);
}

discovery::ContentState Fetch::tracker_state() const {
  discovery::ContentState state;
  // Sessions that others open reach any shard of a node; a get is served by its own.
  if (shared_ && shard_->context().shard_count == 1) state.flags = wire::kContentServed;
  if (!core_) return state;
  state.chunks = core_->chunk_count;
  if (have_) state.owned = ownership_of(have_->map());
  if (have_ && have_->complete()) state.flags |= wire::kContentComplete;
  return state;
}

void Fetch::talk_to_trackers(Instant now) {
  if (!with_trackers_) return;
  if (core_ && have_) {
    const std::uint32_t have = have_->count();
    const std::uint32_t step = std::max(core_->chunk_count / 16, 1u);
    if (have >= told_chunks_ + step || (have != told_chunks_ && now >= tell_state_at_) || tell_state_at_.is_never()) {
      told_chunks_ = have;
      tell_state_at_ = now + kTellStateEvery;
      shard_->discovery().update(*this, tracker_state());
    }
  }
  if (now < ask_peers_at_ || stage_ == Stage::kSeeding) return;
  shard_->discovery().want_peers(*this);
  if (download_->source_count() >= kFewSources) ask_peers_pause_ = tracker_beat_;
  // Somebody was named and none of them answers: others may be among those that the next reply names.
  const bool hopeful = download_->source_count() == 0 && strangers_named_;
  if (hopeful) ask_peers_pause_ = std::min(ask_peers_pause_, kLongestHopefulPause);
  ask_peers_at_ = now + ask_peers_pause_;
  ask_peers_pause_ = std::min(2 * ask_peers_pause_, std::max(tracker_beat_, kFirstPause));
}

// A source less: others are wanted soon.
void Fetch::ask_for_peers_soon(Instant now) {
  if (!with_trackers_ || download_->source_count() >= kFewSources) return;
  ask_peers_pause_ = kFirstPause;
  ask_peers_at_ = std::min(ask_peers_at_, now);
}

/// Somebody whose session is alive, whoever opened it; over it is asked for what is wanted.
bool Fetch::knows_node(const wire::NodeTag& tag) const {
  bool known = std::ranges::any_of(
      banned_, [&](const NodeId& node) { return std::ranges::equal(std::span(node).first(tag.size()), tag); });
  shard_->for_each_peer([&](Peer& peer) {
    const bool alive = peer.session.established() && !shard_->silent(peer);
    known = known || (alive && std::ranges::equal(std::span(peer.session.peer()).first(tag.size()), tag));
  });
  return known;
}

void Fetch::on_tracker_peers(const wire::NodeAnnounceReply& reply) {
  if (swarm::mutant(swarm::Mutant::kIgnoreTrackerPeers)) return;
  trackers_answered_ = true;
  tracker_beat_ =
      std::clamp(Duration(std::chrono::milliseconds(reply.beat_ms)), Duration(100ms), Duration(kLongestBeat));
  if (ended() || stage_ == Stage::kSeeding) return;
  for (std::size_t i = 0; i < reply.peers.size(); ++i) {
    const wire::NodePeer& peer = reply.peers[i];
    if ((peer.flags & wire::kContentServed) == 0 || peer.node == shard_->context().tag() || knows_node(peer.node))
      continue;
    if (!is_unicast(peer.address)) continue;
    strangers_named_ = true;
    add_address(peer.address, false);
  }
}

void Fetch::on_tracker_announced(const std::string& tracker) {
  troubles_.announced(*options_.transfer, tracker);
}

void Fetch::on_tracker_down(const std::string& tracker) {
  troubles_.down(*options_.transfer, tracker);
}

void Fetch::on_tracker_unusable(const std::string& tracker, const std::string& reason) {
  troubles_.unusable(*options_.transfer, tracker, reason);
}

void Fetch::on_tracker_refused(const std::string& tracker, const std::string& text) {
  troubles_.refused(*options_.transfer, tracker, text);
}

}  // namespace peernet::node
