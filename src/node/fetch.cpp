// The sources of a get: joining, asking, patience. Who is dialled stands in fetch_dials.cpp, what arrives is verified
// in fetch_verify.cpp.
#include "node/fetch.hpp"

#include <algorithm>

#include "base/log.hpp"
#include "io/address_text.hpp"
#include "node/memory_plan.hpp"
#include "node/shard.hpp"

namespace peernet::node {
namespace {

constexpr Duration kRttSampleEvery = 10ms;

std::uint64_t socket_window(const io::DriverInfo& info) {
  // A lone datagram is charged up to 1.9 times its bytes, a coalesced one 1.01: half of the buffer is safe for both.
  return std::clamp<std::uint64_t>(info.receive_buffer_bytes / 2, 64 * 1024, 4u << 20);
}

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

}  // namespace

Fetch::Fetch(Options options) : options_(std::move(options)), sources_(swarm::kMaxSources) {}
Fetch::~Fetch() {
  store_.reset();
  if (borrowed_) shard_->return_fetch_memory(buffers_);
}

void Fetch::start(Shard& shard, std::uint32_t number) {
  shard_ = &shard;
  number_ = number;
  started_ = last_progress_ = shard.now();
  swarm_ = crypto::swarm_id(options_.link.swarm_key, options_.link.content_id);
  buffers_ = shard.borrow_fetch_memory();
  borrowed_ = !buffers_.empty();
  if (!borrowed_) {  // another fetch has the shard's: memory of its own, not registered
    own_memory_ = PageRegion(kFetchMemory);
    buffers_ = own_memory_.span();
  }
  buffer_stride_ = 1u << 20;
  side_buffer_.resize(wire::kMaxDatagram);
  arrived_.reserve(kMaxAssemblies);
  waiting_for_sha256_.reserve(kMaxAssemblies);
  swarm::DownloadOptions download;
  download.assemblies = kMaxAssemblies;
  download.socket_bytes = socket_window(shard.driver().info());
  download.number = number;
  download.seed = shard.rng().next();
  download.sequential = options_.get.sequential || options_.get.output_fd >= 0;
  download_.emplace(download);
  options_.transfer->phase = Phase::kConnecting;
  for (const Address& address : options_.addresses) add_address(address, true);
  join_trackers();
  check_reachable();
}

std::string Fetch::host_of(const Peer& peer) const {
  return io::format_address(peer.session.remote());
}

void Fetch::note_source(const Peer& peer, const char* text, std::uint64_t bytes) {
  options_.transfer->push({.kind = EventKind::kSource, .text = text, .peer = host_of(peer), .bytes = bytes});
}

// Of sources that leave earlier this was said when they left.
void Fetch::note_sources_at_end() {
  for (const Source& source : sources_) {
    const Peer* peer = source.peer ? shard_->peer(source.peer) : nullptr;
    if (peer != nullptr) note_source(*peer, "stayed to the end", source.bytes);
  }
}

// ---------------------------------------------------------------------------------------------- peers

void Fetch::on_established(Peer& peer) {
  ever_answered_ = true;
  made_progress(shard_->now());
  if (peer.session.peer_parameters().instance_id == shard_->context().instance_id) {
    shard_->close(peer, wire::CloseCode::kSelf, "this is me");
    return;
  }
  for (const Dial& dial : dials_) {
    const Peer* other = dial.peer ? shard_->peer(dial.peer) : nullptr;
    const bool open = other != nullptr && other != &peer && !other->dead && other->session.established();
    if (!open || other->session.peer() != peer.session.peer()) continue;
    // The same node by another of its addresses, perhaps about to join: one session is enough.
    shard_->close(peer, wire::CloseCode::kDuplicateSession, "another session of this pair stays");
    return;
  }
  const ContentSlot slot = fresh_slot(peer);
  peer.fetches.push_back(FetchSlot{.slot = slot, .fetch = this});
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
  peer.session.send(join);
  shard_->touch(peer);
}

// Slots of an initiator are even, those of a responder odd: a number names one content of a session, whoever joined it.
ContentSlot Fetch::fresh_slot(const Peer& peer) {
  const bool initiator = peer.session.role() == transport::Role::kInitiator;
  return ContentSlot(static_cast<std::uint16_t>(2 * next_slot_++ + (initiator ? 0 : 1)));
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
  shard_->close(peer, wire::CloseCode::kRefused, "not the content that was asked for");
}

void Fetch::add_source(Peer& peer, FetchSlot& slot) {
  const Instant now = shard_->now();
  const auto index = download_->add_source(now);
  if (!index) {
    shard_->close(peer, wire::CloseCode::kLimit, "enough sources");
    return;
  }
  slot.joined = true;
  slot.source = *index;
  for (Dial& dial : dials_)
    if (dial.peer == peer.self) dial.joined = true;
  const bool trusted = peer.session.peer() == options_.link.publisher_id ||
                       (options_.get.trust_members && options_.link.swarm_key.has_value());
  sources_[index->value()] = {.peer = peer.self, .trusted = trusted && options_.get.verify != Verify::kSha256};
  any_untrusted_ = any_untrusted_ || !sources_[index->value()].trusted;
  download_->set_round_trip(*index, peer.session.rtt(), peer.session.min_rtt());
  if (slot.complete_told) download_->on_have_all(*index);
  made_progress(now);
  redials_ = 0;
  ever_joined_ = true;
  waiting_told_ = false;
  options_.transfer->sources.store(static_cast<std::uint32_t>(download_->source_count()), std::memory_order_relaxed);
  note_source(peer, "joined");
  if (stage_ == Stage::kConnecting) {
    stage_ = Stage::kTables;
    options_.transfer->phase = Phase::kChecking;
    download_->want_page({content::TableId::kManifest, 0}, content::kManifestBytes);
  }
}

void Fetch::drop_source(Peer& peer, FetchSlot& slot, const char* why) {
  if (slot.joined) {
    download_->remove_source(slot.source);
    const std::uint64_t bytes = std::exchange(sources_[slot.source.value()], {}).bytes;
    options_.transfer->sources.store(static_cast<std::uint32_t>(download_->source_count()), std::memory_order_relaxed);
    note_source(peer, why, bytes);
    ask_for_peers_soon(shard_->now());
  }
  for (std::size_t i = 0; i < peer.fetches.size(); ++i) {
    if (peer.fetches[i].slot != slot.slot) continue;
    peer.fetches[i] = peer.fetches.back();
    peer.fetches.pop_back();
    break;
  }
}

void Fetch::on_have(FetchSlot& slot, const wire::HaveFrame& frame) {
  if (!slot.joined) {
    slot.complete_told = slot.complete_told || frame.complete;  // believed when the proof has come
    return;
  }
  if (frame.complete) download_->on_have_all(slot.source);
  for (const wire::ChunkRange& range : frame.ranges) download_->on_have(slot.source, range.first.value(), range.count);
}

void Fetch::on_have_map(FetchSlot& slot, const wire::HaveMapFrame& frame) {
  if (!slot.joined) return;
  const std::uint64_t first = std::uint64_t{frame.page} * wire::kHaveMapChunks;
  for (std::size_t byte = 0; byte < frame.bitmap.size(); ++byte)
    for (unsigned bit = 0; bit < 8; ++bit)
      if ((static_cast<unsigned>(frame.bitmap[byte]) >> (7 - bit) & 1u) != 0 && first + byte * 8 + bit < UINT32_MAX)
        download_->on_have(slot.source, static_cast<std::uint32_t>(first + byte * 8 + bit), 1);
}

void Fetch::on_reject(Peer& peer, FetchSlot& slot, const wire::RejectFrame& frame) {
  if (!slot.joined) return;
  if (frame.reason == wire::RejectReason::kSourceChanged) {
    source_changed_ = true;
    refuse_dial(peer);  // its LEAVE finds no slot any more
    drop_source(peer, slot, "withdrew: its file has changed");
    return;
  }
  options_.transfer->push({.kind = EventKind::kRetry, .text = "a request was rejected", .peer = host_of(peer)});
  download_->on_reject(shard_->now(), slot.source, frame.request, refusal_of(frame.reason));
}

void Fetch::on_cancelled(FetchSlot& slot, RequestId request) {
  if (slot.joined) download_->on_request_gone(slot.source, request);
}

void Fetch::on_leave(Peer& peer, FetchSlot& slot, wire::LeaveReason reason) {
  if (reason == wire::LeaveReason::kSourceChanged) source_changed_ = true;
  for (Dial& dial : dials_)
    if (dial.peer == peer.self) dial.refused = reason != wire::LeaveReason::kGoodbye;
  drop_source(peer, slot,
              reason == wire::LeaveReason::kSourceChanged ? "withdrew: its file has changed" : "left the swarm");
}

void Fetch::on_closed(Peer& peer, FetchSlot& slot, const transport::CloseReason& reason) {
  drop_source(peer, slot, reason.cause == transport::CloseCause::kIdle ? "fell silent" : "closed the session");
}

// ---------------------------------------------------------------------------------------------- asking

void Fetch::sample_round_trips(Instant now) {
  if (now < rtt_sample_at_) return;
  rtt_sample_at_ = now + kRttSampleEvery;
  for (std::size_t i = 0; i < sources_.size(); ++i) {
    const Peer* peer = sources_[i].peer ? shard_->peer(sources_[i].peer) : nullptr;
    if (peer != nullptr)
      download_->set_round_trip(swarm::SourceIndex(static_cast<std::uint16_t>(i)), peer->session.rtt(),
                                peer->session.min_rtt());
  }
}

void Fetch::ask(Instant now) {
  SharedLimit& limit = shard_->context().limit_down;
  while (limit.ready(now)) {
    const auto plan = download_->next_request(now);
    if (!plan) break;
    limit.take(now, plan->length);
    Peer* peer = shard_->peer(sources_[plan->source.value()].peer);
    PN_CHECK(peer != nullptr);
    FetchSlot* slot = peer->fetch_of(plan->id);
    PN_CHECK(slot != nullptr);
    wire::RequestFrame request;
    request.slot = slot->slot;
    request.request = plan->id;
    request.table = static_cast<wire::Table>(plan->item.table);
    request.index = plan->item.index;
    request.offset = plan->offset;
    request.length = plan->length;
    request.deadline_ms = plan->deadline_ms;
    if (!peer->session.send(request)) {
      download_->on_reject(now, plan->source, plan->id, swarm::Refusal::kBusy);
      break;
    }
    peer->session.set_window_hint(download_->score(plan->source).outstanding());
    shard_->touch(*peer);
  }
  while (const auto cancel = download_->next_cancel()) {
    Peer* peer = shard_->peer(sources_[cancel->first.value()].peer);
    if (peer == nullptr) continue;
    peer->session.send(wire::CancelFrame{cancel->second});
    shard_->touch(*peer);
  }
}

void Fetch::check_patience(Instant now) {
  const bool all_here = store_ && store_->all_written();  // only this host's disk is still needed
  if (!all_here && download_->source_count() == 0 && ever_answered_ && everybody_refused()) {
    if (source_changed_) {
      fail({ErrorCode::kIntegrity, 0, "the file changed at its source and no other source is left"});
    } else if (wrong_bytes_) {
      fail({ErrorCode::kIntegrity, 0, "every source sends wrong bytes"});
    } else if (refused_by_publisher_) {
      fail({ErrorCode::kRefused, 0,
            "the publisher refused us: the key in the link is wrong, or it no longer serves this content"});
    } else {
      fail({ErrorCode::kUnknownContent, 0, "the nodes of the link answered, but none of them serves this content"});
    }
    return;
  }
  if (options_.get.timeout_seconds <= 0) return;
  // Hashing what is there, allocating and the last fsync may take the disk longer than any source may stay silent.
  if (store_ && store_->in_flight() > 0) made_progress(now);
  const auto patience = Duration(static_cast<std::int64_t>(options_.get.timeout_seconds * 1e9));
  if (now - last_progress_ < patience) return;
  if (paused_for_space_) {
    fail({ErrorCode::kNoSpace, ENOSPC, "the disk is full; what was received is kept"});
  } else if (!ever_answered_) {
    fail({ErrorCode::kUnreachable, 0, "no source answered in time"}, why_nobody_answered());
  } else {
    fail({ErrorCode::kNoProgress, 0, "the sources stopped sending; what was received is kept"});
  }
}

void Fetch::work(Instant now) {
  if (stage_ == Stage::kDone || stage_ == Stage::kFailed) {
    if (store_) store_->pump(now);
    return;
  }
  sample_round_trips(now);
  verify_arrived(now);
  if (store_) {
    store_->pump(now);
    take_store_events(now);
  }
  if (stage_ == Stage::kDone || stage_ == Stage::kFailed) return;
  download_->on_timeout(now);
  ask(now);
  redial_if_alone(now);
  talk_to_trackers(now);
  check_patience(now);
  publish_numbers();
}

Instant Fetch::next_deadline(Instant now) const {
  if (stage_ == Stage::kDone || stage_ == Stage::kFailed) return Instant::never();
  Instant next = std::min(download_->next_deadline(now), redial_at_);
  if (with_trackers_) next = std::min(next, ask_peers_at_);
  if (store_) next = std::min(next, store_->next_deadline());
  SharedLimit& limit = shard_->context().limit_down;
  if (!limit.ready(now)) next = std::min(next, limit.ready_at(now));
  if (options_.get.timeout_seconds > 0)
    next = std::min(next, last_progress_ + Duration(static_cast<std::int64_t>(options_.get.timeout_seconds * 1e9)));
  return next;
}

void Fetch::publish_numbers() {
  constexpr auto kRelaxed = std::memory_order_relaxed;
  options_.transfer->bytes_received.store(download_->received_bytes(), kRelaxed);
  options_.transfer->bytes_duplicate.store(download_->duplicate_bytes(), kRelaxed);
  if (!store_) return;
  options_.transfer->bytes_resumed.store(store_->resumed_bytes(), kRelaxed);
  if (stage_ != Stage::kDone) options_.transfer->bytes_done.store(store_->present_bytes(), kRelaxed);
}

// ---------------------------------------------------------------------------------------------- ending

bool Fetch::finished() const {
  return (stage_ == Stage::kDone || stage_ == Stage::kFailed) && (!store_ || store_->in_flight() == 0);
}

void Fetch::end_sessions(wire::CloseCode code) {
  for (Dial& dial : dials_) {
    Peer* peer = dial.peer ? shard_->peer(dial.peer) : nullptr;
    dial.peer = {};
    if (peer == nullptr) continue;
    peer->dialled_for = nullptr;
    for (std::size_t i = peer->fetches.size(); i-- > 0;)
      if (peer->fetches[i].fetch == this) {
        peer->fetches[i] = peer->fetches.back();
        peer->fetches.pop_back();
      }
    if (!peer->fetches.empty() || !peer->served.empty()) continue;
    shard_->flush(*peer);  // "complete" was perhaps queued in this very turn, and a closing session sends nothing else
    shard_->close(*peer, code, "");
  }
}

void Fetch::fail(const Error& error) {
  fail(error, describe(error));
}

void Fetch::fail(const Error& error, std::string text) {
  if (stage_ == Stage::kDone || stage_ == Stage::kFailed) return;
  stage_ = Stage::kFailed;
  if (store_) store_->stop();
  publish_numbers();
  note_sources_at_end();
  end_sessions(wire::CloseCode::kNone);
  leave_trackers();
  options_.transfer->finish({.kind = EventKind::kError, .text = std::move(text), .error = error}, Phase::kFailed);
}

void Fetch::cancel() {
  fail({ErrorCode::kInterrupted, 0, "interrupted; what was received is kept"});
}

void Fetch::done(std::uint64_t bytes) {
  stage_ = Stage::kDone;
  publish_numbers();
  options_.transfer->bytes_done.store(bytes, std::memory_order_relaxed);
  note_sources_at_end();
  end_sessions(wire::CloseCode::kNone);
  leave_trackers();
  const double seconds = static_cast<double>((shard_->now() - started_).count()) * 1e-9;
  Event event{.kind = EventKind::kDone, .bytes = bytes, .seconds = seconds};
  if (store_) event.text = store_->final_path();
  options_.transfer->finish(std::move(event), Phase::kDone);
}

}  // namespace peernet::node
