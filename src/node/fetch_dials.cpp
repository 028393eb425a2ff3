// Whom a get asks: the nodes of the link and those that trackers name; dialling, dialling again, news from trackers.
#include <algorithm>

#include "node/fetch.hpp"
#include "node/ownership.hpp"
#include "node/publication.hpp"
#include "node/shard.hpp"

namespace peernet::node {
namespace {

constexpr std::size_t kMaxDials = 32;
constexpr std::size_t kFewSources = 4;          // below, trackers are asked for more at once
constexpr Duration kFirstPause = 1s;            // between such questions; doubled up to the beat
constexpr Duration kPatienceWithStranger = 2s;  // with an address from a tracker, while others wait for its place
constexpr Duration kLongestHopefulPause = 4s;
constexpr Duration kTellStateEvery = 1s;
constexpr Duration kRestAfterFailure = 5s;

// Of one host at most: a tracker does not make us talk to groups or to nobody.
bool is_unicast(const Address& address) {
  const auto first = std::to_integer<unsigned>(address.ip[address.is_v4() ? 12 : 0]);
  if (address.is_v4()) return first != 0 && first < 224;  // 224/4 multicast, 240/4 reserved and broadcast
  return first != 0xff && address.ip != ByteArray<16>{};
}

}  // namespace

// ---------------------------------------------------------------------------------------------- dialling

void Fetch::dial(Dial& dial) {
  dial.since = shard_->now();
  if (Peer* peer = shard_->dial(dial.address, *this)) dial.peer = peer->self;
}

void Fetch::dial_all(Instant) {
  for (Dial& d : dials_)
    if (!d.peer && !d.refused) dial(d);
}

/// True if it is dialled now.
bool Fetch::add_address(const Address& address, bool from_link) {
  if (address.port == 0 || !shard_->context().reaches(address)) return false;
  const auto known = std::ranges::find(dials_, address, &Dial::address);
  if (known != dials_.end()) {
    known->from_link = known->from_link || from_link;
    if (known->peer || known->refused || shard_->now() - known->since < kRestAfterFailure) return false;
    dial(*known);
    return true;
  }
  if (dials_.size() == kMaxDials && !make_room_for_dial()) return false;
  dials_.push_back({.address = address, .from_link = from_link});
  dial(dials_.back());
  return true;
}

// What a tracker named and did not answer gives way; the nodes of the link stay.
bool Fetch::make_room_for_dial() {
  auto worst = std::ranges::find_if(dials_, [](const Dial& d) { return !d.from_link && !d.peer; });
  if (worst == dials_.end()) {
    worst = std::ranges::find_if(dials_, [this](const Dial& d) {
      const Peer* peer = shard_->peer(d.peer);
      return !d.from_link && peer != nullptr && !peer->session.established() &&
             shard_->now() - d.since >= kPatienceWithStranger;
    });
    if (worst == dials_.end()) return false;
    Peer* peer = shard_->peer(worst->peer);
    peer->dialled_for = nullptr;
    shard_->close(*peer, wire::CloseCode::kNone, "");
  }
  dials_.erase(worst);
  return true;
}

void Fetch::redial_if_alone(Instant now) {
  if (stage_ == Stage::kDone || stage_ == Stage::kFailed) return;
  const bool trying = std::ranges::any_of(dials_, [](const Dial& d) { return bool(d.peer); });
  if (download_->source_count() > 0 || trying) {
    redial_at_ = Instant::never();
    return;
  }
  if (std::ranges::all_of(dials_, &Dial::refused)) return;
  if (redial_at_.is_never()) {
    const int shift = std::min(redials_++, 5);
    const double seconds = 0.25 * static_cast<double>(1 << shift) * (0.75 + 0.5 * shard_->rng().unit());
    redial_at_ = now + Duration(static_cast<std::int64_t>(seconds * 1e9));
    if (ever_joined_ && !waiting_told_) {
      waiting_told_ = true;
      options_.transfer->push({.kind = EventKind::kNotice, .text = "no source is left; waiting for one to come back"});
    }
  }
  if (now < redial_at_) return;
  redial_at_ = Instant::never();
  dial_all(now);
}

// While a tracker may still name somebody, this is not known.
bool Fetch::everybody_refused() const {
  const bool trackers_silent =
      with_trackers_ && !trackers_answered_ && troubles_.size() < options_.link.trackers.size();
  return download_->source_count() == 0 && !options_.names_wanted && !trackers_silent &&
         std::ranges::all_of(dials_, &Dial::refused);
}

/// Not dialled again.
void Fetch::refuse_dial(const Peer& peer) {
  for (Dial& dial : dials_)
    if (dial.peer == peer.self) dial.refused = true;
}

void Fetch::on_dial_failed(Peer& peer, const transport::CloseReason& reason) {
  const auto dial = std::ranges::find(dials_, peer.self, &Dial::peer);
  if (dial == dials_.end()) return;
  dial->peer = {};
  const bool by_peer = reason.cause == transport::CloseCause::kPeer;
  const bool by_us = reason.cause == transport::CloseCause::kLocal;
  if (by_peer && reason.code == wire::CloseCode::kRefused) dial->refused = true;
  if (by_us && reason.code == wire::CloseCode::kDuplicateSession) dial->refused = true;
  if (by_us && reason.code == wire::CloseCode::kSelf) dial->refused = true;
  // A stranger that never was a source is dialled again only if a tracker names it again.
  if (!dial->from_link && !dial->refused && !dial->joined) dials_.erase(dial);
}

void Fetch::on_names(const std::vector<Address>& addresses) {
  options_.names_wanted = false;
  if (stage_ == Stage::kDone || stage_ == Stage::kFailed) return;
  for (const Address& address : addresses) add_address(address, true);
  check_reachable();
}

void Fetch::check_reachable() {
  if (!dials_.empty() || options_.names_wanted || with_trackers_) return;
  fail({ErrorCode::kUnreachable, 0, "no address of the link can be reached from here"});
}

std::string Fetch::why_nobody_answered() const {
  if (trackers_answered_)
    return "the tracker answered, but no node that serves this content did: is one running, and reached by UDP?";
  const std::string troubles = troubles_.text();
  if (options_.link.peers.empty())
    return "no tracker of the link has named a source" + (troubles.empty() ? "" : ": " + troubles);
  return "no source answered in time" + (troubles.empty() ? "" : " (" + troubles + ")") +
         ": is it running, and does its port let UDP through?";
}

// ---------------------------------------------------------------------------------------------- trackers

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
  if (!core_) return state;
  state.chunks = core_->chunk_count;
  if (store_) state.owned = ownership_of(download_->present());
  return state;
}

void Fetch::talk_to_trackers(Instant now) {
  if (!with_trackers_) return;
  if (core_) {
    const std::uint32_t have = download_->present().count();
    const std::uint32_t step = std::max(core_->chunk_count / 16, 1u);
    if (have >= told_chunks_ + step || (have != told_chunks_ && now >= tell_state_at_) || tell_state_at_.is_never()) {
      told_chunks_ = have;
      tell_state_at_ = now + kTellStateEvery;
      shard_->discovery().update(*this, tracker_state());
    }
  }
  if (now < ask_peers_at_) return;
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

bool Fetch::knows_node(const wire::NodeTag& tag) const {
  return std::ranges::any_of(sources_, [&](const Source& source) {
    const Peer* peer = source.peer ? shard_->peer(source.peer) : nullptr;
    return peer != nullptr && std::ranges::equal(std::span(peer->session.peer()).first(tag.size()), tag);
  });
}

void Fetch::on_tracker_peers(const wire::NodeAnnounceReply& reply) {
  trackers_answered_ = true;
  tracker_beat_ = std::clamp(Duration(std::chrono::milliseconds(reply.beat_ms)), Duration(100ms), Duration(1h));
  if (stage_ == Stage::kDone || stage_ == Stage::kFailed) return;
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
  troubles_.clear(tracker);
  report_tracker(*options_.transfer, tracker, "announced to tracker " + tracker, true);
}

void Fetch::on_tracker_down(const std::string& tracker) {
  const std::string sentence = "tracker " + tracker + " does not answer";
  troubles_.note(tracker, sentence);
  report_tracker(*options_.transfer, tracker, sentence);
}

void Fetch::on_tracker_refused(const std::string& tracker, const std::string& text) {
  const std::string sentence = "tracker " + tracker + " refuses: " + text;
  troubles_.note(tracker, sentence);
  report_tracker(*options_.transfer, tracker, sentence);
}

}  // namespace peernet::node
