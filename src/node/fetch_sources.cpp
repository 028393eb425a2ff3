// The sources of a get: joining nodes over sessions that either side dialled, what they have, who is given up, banned
// or suspended, and what the user hears of it.
#include <fmt/format.h>

#include <algorithm>

#include "io/address_text.hpp"
#include "node/fetch.hpp"
#include "node/shard.hpp"

namespace peernet::node {
namespace {

constexpr std::size_t kMaxEarlyHaves = 256;
constexpr std::size_t kMaxBanned = 256;
constexpr std::uint32_t kFalseHaves = 16;  // chunks announced and then not had, before a source is banned
constexpr Duration kWatchEvery = 10ms;
constexpr Duration kTellEvery = 1s;  // of one source's standing
constexpr Duration kTellRetryEvery = 250ms;
constexpr Duration kUselessAfter = 5s;  // a source that had nothing for us may then give its place to another

swarm::Refusal refusal_of(wire::RejectReason reason) {
  switch (reason) {
    case wire::RejectReason::kNotHad:
      return swarm::Refusal::kNotHad;
    case wire::RejectReason::kBusy:
      return swarm::Refusal::kBusy;
    case wire::RejectReason::kSpreading:
      return swarm::Refusal::kSpreading;
    default:
      return swarm::Refusal::kOther;
  }
}

double seconds_of(Duration d) {
  return static_cast<double>(d.count()) * 1e-9;
}

swarm::SourceIndex index_of(std::size_t i) {
  return swarm::SourceIndex(static_cast<std::uint16_t>(i));
}

}  // namespace

std::string Fetch::host_of(const Peer& peer) const {
  return io::format_address(peer.session.remote());
}

void Fetch::note_source(const Peer& peer, std::string text, std::uint64_t bytes) {
  options_.transfer->push({.kind = EventKind::kSource, .text = std::move(text), .peer = host_of(peer), .bytes = bytes});
}

// Of sources that leave earlier this was said when they left.
void Fetch::note_sources_at_end() {
  for (std::size_t i = 0; i < sources_.size(); ++i) {
    const Peer* peer = sources_[i].peer ? shard_->peer(sources_[i].peer) : nullptr;
    if (peer == nullptr) continue;
    note_source(*peer, "stayed to the end: " + swarm::to_text(download_->describe(index_of(i))), sources_[i].bytes);
  }
}

void Fetch::tell_sources() {
  for (const Source& source : sources_) {
    const Peer* peer = source.peer ? shard_->peer(source.peer) : nullptr;
    if (peer != nullptr) options_.transfer->tell_source(host_of(*peer), source.bytes, false);
  }
}

// ---------------------------------------------------------------------------------------------- joining

void Fetch::on_established(Peer& peer) {
  ever_answered_ = true;
  made_progress(shard_->now());
  if (peer.session.peer_parameters().instance_id == shard_->context().instance_id) {
    shard_->close(peer, wire::CloseCode::kSelf, "this is me");
    return;
  }
  if (banned(peer.session.peer())) {
    refuse_dial(peer);
    shard_->close(peer, wire::CloseCode::kRefused, "banned");
    return;
  }
  for (Dial& dial : dials_) {
    if (dial.again != peer.self) continue;
    dial.again = {};
    if (Peer* old = shard_->peer(dial.peer)) {
      // It runs anew at the same address, or the old session's path is dead.
      old->dialled_for = nullptr;
      dial.peer = peer.self;
      shard_->close(*old, wire::CloseCode::kDuplicateSession, "given up for a new session");
    }
    dial.peer = peer.self;
  }
  join_over(peer);
}

// JOIN is answered by whoever serves the content; over a session that the other side dialled just as well.
void Fetch::join_over(Peer& peer) {
  const bool asked = std::ranges::any_of(peer.fetches, [this](const FetchSlot& s) { return s.fetch == this; });
  if (asked || peer.fetches.full() || peer.dead || banned(peer.session.peer())) return;
  const ContentSlot slot = peer.fresh_slot();
  crypto::JoinClaim claim;
  claim.role = crypto::JoinRole::kJoin;
  claim.binding = peer.session.binding();
  claim.prover = shard_->context().handshakes->local_id();
  claim.verifier = peer.session.peer();
  claim.content = options_.link.content_id;
  wire::JoinFrame join;
  join.slot = slot;
  join.swarm = swarm_;
  join.mac = crypto::join_proof(options_.link.swarm_key, claim);
  if (!peer.session.send(join)) return;
  peer.fetches.push_back(FetchSlot{.slot = slot, .fetch = this});
  shard_->touch(peer);
}

void Fetch::on_receiver_joined(Peer& peer) {
  if (ended() || stage_ == Stage::kSeeding) return;
  ever_answered_ = true;
  join_over(peer);
}

void Fetch::on_join_response(Peer& peer, FetchSlot& slot, const wire::JoinResFrame& frame) {
  if (slot.joined) return;
  crypto::JoinClaim claim;
  claim.role = crypto::JoinRole::kJoinResponse;
  claim.binding = peer.session.binding();
  claim.prover = peer.session.peer();
  claim.verifier = shard_->context().handshakes->local_id();
  claim.content = options_.link.content_id;
  const bool accepted = frame.status == wire::JoinStatus::kOk;
  if (accepted && crypto::check_join_proof(options_.link.swarm_key, claim, frame.mac)) {
    add_source(peer, slot);
    return;
  }
  note_source(peer, accepted ? "does not know the key of this swarm" : "does not serve this content");
  refuse_dial(peer);
  if (!accepted && options_.link.swarm_key && peer.session.peer() == options_.link.publisher_id)
    refused_by_publisher_ = true;
  drop_slot(peer, slot.slot);
  if (peer.fetches.empty() && peer.served.empty())
    shard_->close(peer, wire::CloseCode::kRefused, "not the content that was asked for");
}

// Where all places are taken, one that had nothing for us gives way.
std::optional<swarm::SourceIndex> Fetch::place_for_source(Instant now) {
  if (const auto index = download_->add_source(now)) return index;
  for (std::size_t i = 0; i < sources_.size(); ++i) {
    Source& source = sources_[i];
    Peer* peer = source.peer ? shard_->peer(source.peer) : nullptr;
    if (peer == nullptr || source.bytes > 0 || now - source.since < kUselessAfter) continue;
    if (download_->describe(index_of(i)).use != swarm::SourceUse::kNothingAsked) continue;
    for (const FetchSlot& slot : peer->fetches) {
      if (slot.fetch != this) continue;
      FetchSlot copy = slot;
      peer->session.send(wire::LeaveFrame{copy.slot, wire::LeaveReason::kGoodbye});
      shard_->touch(*peer);
      drop_source(*peer, copy, "gave its place to another");
      break;
    }
    return download_->add_source(now);
  }
  return std::nullopt;
}

void Fetch::add_source(Peer& peer, FetchSlot& slot) {
  const Instant now = shard_->now();
  const ContentSlot number = slot.slot;
  const auto index = place_for_source(now);
  if (!index) {
    drop_slot(peer, number);
    if (peer.fetches.empty() && peer.served.empty()) shard_->close(peer, wire::CloseCode::kLimit, "enough sources");
    return;
  }
  slot.joined = true;
  slot.source = *index;
  if (Dial* dial = dial_of(peer)) {
    dial->joined = true;
    dial->failures = 0;
  }
  const bool trusted = peer.session.peer() == options_.link.publisher_id ||
                       (options_.get.trust_members && options_.link.swarm_key.has_value());
  sources_[index->value()] = {
      .peer = peer.self, .trusted = trusted && options_.get.verify != Verify::kSha256, .since = now, .last_data = now};
  any_untrusted_ = any_untrusted_ || !sources_[index->value()].trusted;
  download_->set_round_trip(*index, peer.session.rtt(), peer.session.min_rtt());
  made_progress(now);
  ever_joined_ = true;
  waiting_told_ = false;
  options_.transfer->sources.store(static_cast<std::uint32_t>(download_->source_count()), std::memory_order_relaxed);
  note_source(peer, "joined");
  if (stage_ == Stage::kConnecting) {
    stage_ = Stage::kTables;
    options_.transfer->phase = Phase::kChecking;
    download_->want_page({content::TableId::kManifest, 0}, content::kManifestBytes);
  }
  take_early_haves(peer, slot);
}

// ---------------------------------------------------------------------------------------------- leaving

void Fetch::drop_slot(Peer& peer, ContentSlot slot) {
  std::erase_if(early_haves_, [&](const EarlyHave& e) { return e.peer == peer.self && e.slot == slot; });
  for (std::size_t i = 0; i < peer.fetches.size(); ++i) {
    if (peer.fetches[i].slot != slot) continue;
    peer.fetches[i] = peer.fetches.back();
    peer.fetches.pop_back();
    return;
  }
}

// The last source has gone: nobody waits for the long pauses of those that did not answer.
void Fetch::look_for_others() {
  dials_at_ = shard_->now();
  if (download_->source_count() > 0) return;
  for (Dial& dial : dials_) {
    dial.failures = 0;
    if (!dial.peer) dial.not_before = std::min(dial.not_before, shard_->now() + pause_after(0, true));
  }
}

void Fetch::drop_source(Peer& peer, FetchSlot& slot, std::string why) {
  const FetchSlot gone = slot;  // it may stand in the list that loses it
  if (gone.joined) {
    why += "; " + swarm::to_text(download_->describe(gone.source));
    download_->remove_source(gone.source);
    const std::uint64_t bytes = std::exchange(sources_[gone.source.value()], {}).bytes;
    options_.transfer->tell_source(host_of(peer), bytes, true);
    options_.transfer->sources.store(static_cast<std::uint32_t>(download_->source_count()), std::memory_order_relaxed);
    if (stage_ != Stage::kSeeding) note_source(peer, std::move(why), bytes);  // else it was said at the end of the get
    ask_for_peers_soon(shard_->now());
    look_for_others();
  }
  drop_slot(peer, gone.slot);
}

void Fetch::on_leave(Peer& peer, FetchSlot& slot, wire::LeaveReason reason) {
  const bool changed = reason == wire::LeaveReason::kSourceChanged;
  source_changed_ = source_changed_ || changed;
  if (reason != wire::LeaveReason::kGoodbye) refuse_dial(peer);
  if (Dial* dial = dial_of(peer)) dial->joined = dial->joined && dial->from_link;  // a tracker tells if it is back
  drop_source(peer, slot, changed ? "withdrew: its file has changed" : "left the swarm");
}

void Fetch::on_closed(Peer& peer, FetchSlot& slot, const transport::CloseReason& reason) {
  const bool duplicate = reason.code == wire::CloseCode::kDuplicateSession;
  drop_source(peer, slot,
              reason.cause == transport::CloseCause::kIdle ? "fell silent"
              : duplicate                                  ? "goes on over another session"
                                                           : "closed the session");
  Peer* other = duplicate ? shard_->other_session(peer) : nullptr;
  if (other != nullptr) return on_duplicate(peer, *other);
  if (peer.dialled_for == this) return;  // on_dial_failed follows
  if (Dial* dial = dial_of(peer)) {
    dial->peer = {};
    dial->not_before = shard_->now() + pause_after(dial->failures++, download_->source_count() == 0);
  }
}

bool Fetch::banned(const NodeId& node) const {
  return std::ranges::find(banned_, node) != banned_.end();
}

// By its id, for this get: neither dialled again nor believed when it comes by itself.
void Fetch::ban(Peer& peer, const char* why) {
  if (banned_.size() == kMaxBanned) banned_.erase(banned_.begin());
  banned_.push_back(peer.session.peer());
  refuse_dial(peer);
  for (const FetchSlot& slot : peer.fetches) {
    if (slot.fetch != this) continue;
    FetchSlot copy = slot;
    drop_source(peer, copy, why);
    break;
  }
  shard_->close(peer, wire::CloseCode::kProtocol, why);
}

// ---------------------------------------------------------------------------------------------- what they have

// JOIN_RES and HAVE may overtake each other: what is told before the proof is believed when that has come.
void Fetch::keep_early_have(Peer& peer, const FetchSlot& slot, EarlyHave have) {
  if (early_haves_.size() == kMaxEarlyHaves) {
    shard_->close(peer, wire::CloseCode::kLimit, "too much is told before the answer to JOIN");
    return;
  }
  have.peer = peer.self;
  have.slot = slot.slot;
  early_haves_.push_back(std::move(have));
}

void Fetch::take_early_haves(Peer& peer, FetchSlot& slot) {
  bool good = true;
  for (const EarlyHave& early : early_haves_) {
    if (early.peer != peer.self || early.slot != slot.slot) continue;
    good = good && (early.bitmap.empty() ? take_have(slot, early.have) : take_have_map(slot, early.page, early.bitmap));
  }
  std::erase_if(early_haves_, [&](const EarlyHave& e) { return e.peer == peer.self && e.slot == slot.slot; });
  if (!good) on_too_many_haves(peer, slot);
}

// Before the core has come nobody knows how many chunks there are, and not all that an honest source has is remembered:
// it is joined once more when it is known.
void Fetch::on_too_many_haves(Peer& peer, const FetchSlot& slot) {
  if (core_) return shard_->close(peer, wire::CloseCode::kLimit, "more chunks are announced than there can be");
  sources_[slot.source.value()].told_too_early = true;
}

void Fetch::ask_again_what_was_told_too_early() {
  for (const Source& source : sources_) {
    Peer* peer = source.told_too_early ? shard_->peer(source.peer) : nullptr;
    if (peer == nullptr || peer->dead) continue;
    const auto slot = std::ranges::find(peer->fetches, this, &FetchSlot::fetch);
    PN_CHECK(slot != peer->fetches.end());
    FetchSlot copy = *slot;
    peer->session.send(wire::LeaveFrame{copy.slot, wire::LeaveReason::kGoodbye});
    drop_source(*peer, copy, "is joined anew: it had told more than was remembered before the core was known");
    join_over(*peer);
  }
}

bool Fetch::take_have(FetchSlot& slot, const wire::HaveFrame& frame) {
  if (frame.complete) download_->on_have_all(slot.source);
  return std::ranges::all_of(frame.ranges, [&](const wire::ChunkRange& range) {
    return download_->on_have(slot.source, range.first.value(), range.count);
  });
}

bool Fetch::take_have_map(FetchSlot& slot, std::uint32_t page, ByteSpan bitmap) {
  const std::uint64_t first = std::uint64_t{page} * wire::kHaveMapChunks;
  const std::size_t bits = bitmap.size() * 8;
  const auto set = [&](std::size_t bit) {
    return (std::to_integer<unsigned>(bitmap[bit / 8]) >> (7 - bit % 8) & 1) != 0;
  };
  for (std::size_t at = 0; at < bits;) {
    if (!set(at)) {
      ++at;
      continue;
    }
    const std::size_t begin = at;
    while (at < bits && set(at)) ++at;
    if (first + begin > UINT32_MAX) return false;
    if (!download_->on_have(slot.source, static_cast<std::uint32_t>(first + begin),
                            static_cast<std::uint32_t>(at - begin)))
      return false;
  }
  return true;
}

void Fetch::on_have(Peer& peer, FetchSlot& slot, const wire::HaveFrame& frame) {
  if (!slot.joined) return keep_early_have(peer, slot, {.have = frame});
  if (!take_have(slot, frame)) on_too_many_haves(peer, slot);
}

void Fetch::on_have_map(Peer& peer, FetchSlot& slot, const wire::HaveMapFrame& frame) {
  if (!slot.joined)
    return keep_early_have(peer, slot, {.page = frame.page, .bitmap = {frame.bitmap.begin(), frame.bitmap.end()}});
  if (!take_have_map(slot, frame.page, frame.bitmap)) on_too_many_haves(peer, slot);
}

void Fetch::on_reject(Peer& peer, FetchSlot& slot, const wire::RejectFrame& frame) {
  if (!slot.joined) return;
  if (frame.reason == wire::RejectReason::kSourceChanged) {
    source_changed_ = true;
    refuse_dial(peer);  // its LEAVE finds no slot any more
    drop_source(peer, slot, "withdrew: its file has changed");
    return;
  }
  const Instant now = shard_->now();
  const auto item = download_->asked_for(slot.source, frame.request);
  download_->on_reject(now, slot.source, frame.request, refusal_of(frame.reason));
  if (!item || frame.reason == wire::RejectReason::kSpreading) return;
  if (now >= retry_told_at_) {
    retry_told_at_ = now + kTellRetryEvery;
    options_.transfer->push({.kind = EventKind::kRetry, .text = "a request was rejected", .peer = host_of(peer)});
  }
  // What was announced is never taken back; tables are not announced.
  const bool lie = frame.reason == wire::RejectReason::kNotHad && item->table == content::TableId::kChunks;
  if (lie && ++sources_[slot.source.value()].not_had >= kFalseHaves)
    ban(peer, "banned: announces chunks that it does not have");
}

void Fetch::on_cancelled(FetchSlot& slot, RequestId request) {
  if (slot.joined) download_->on_request_gone(slot.source, request);
}

// ---------------------------------------------------------------------------------------------- standing

// Round trips for the download, and news of who is suspended for the user.
void Fetch::watch_sources(Instant now) {
  if (now < watch_at_) return;
  watch_at_ = now + kWatchEvery;
  for (std::size_t i = 0; i < sources_.size(); ++i) {
    Source& source = sources_[i];
    const Peer* peer = source.peer ? shard_->peer(source.peer) : nullptr;
    if (peer == nullptr) continue;
    const swarm::SourceIndex index = index_of(i);
    download_->set_round_trip(index, peer->session.rtt(), peer->session.min_rtt());
    const bool suspended = download_->score(index).suspended(now);
    if (suspended == source.suspended || now < source.tell_at) continue;
    source.suspended = suspended;
    source.tell_at = now + kTellEvery;
    const Duration silence = now - source.last_data;
    note_source(*peer, !suspended         ? "is asked again"
                       : silence >= 500ms ? fmt::format("suspended: sent nothing for {:.1f} s", seconds_of(silence))
                                          : "suspended: it refuses what it is asked for");
  }
}

}  // namespace peernet::node
