// One get: its start, its turns, what it asks for and how long it waits. Whom it asks stands in fetch_dials.cpp and
// fetch_sources.cpp, what arrives is verified in fetch_verify.cpp, what it serves in fetch_serve.cpp.
#include "node/fetch.hpp"

#include <algorithm>

#include "node/memory_plan.hpp"
#include "node/shard.hpp"

namespace peernet::node {
namespace {

std::uint64_t socket_window(const io::DriverInfo& info) {
  // A lone datagram is charged up to 1.9 times its bytes, a coalesced one 1.01: half of the buffer is safe for both.
  return std::clamp<std::uint64_t>(info.receive_buffer_bytes / 2, 64 * 1024, 4u << 20);
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
  start_serving();  // before anybody hears of this node
  for (const Address& address : options_.addresses) add_address(address, true);
  join_trackers();
  check_reachable();
}

// ---------------------------------------------------------------------------------------------- a turn

void Fetch::work(Instant now) {
  if (ended()) {
    if (store_) store_->pump(now);
    return;
  }
  watch_sources(now);
  verify_arrived(now);
  if (store_) {
    store_->pump(now);
    take_store_events(now);
  }
  if (ended()) return;
  download_->on_timeout(now);
  ask(now);
  look_after_dials(now);
  talk_to_trackers(now);
  tell_have_grown();
  stage_ == Stage::kSeeding ? seed_on(now) : check_patience(now);
  publish_numbers();
}

Instant Fetch::next_deadline(Instant now) const {
  if (ended()) return Instant::never();
  Instant next = download_->next_deadline(now);
  if (store_) next = std::min(next, store_->next_deadline());
  if (with_trackers_ && have_ && have_->count() != told_chunks_) next = std::min(next, tell_state_at_);
  if (stage_ == Stage::kSeeding) return std::min(next, seed_until_);
  next = std::min(next, dials_at_);
  if (with_trackers_) next = std::min(next, ask_peers_at_);
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
  if (options_.transfer->sources_wanted() || ended()) tell_sources();
  if (!store_) return;
  options_.transfer->bytes_resumed.store(store_->resumed_bytes(), kRelaxed);
  const bool all = stage_ == Stage::kDone || stage_ == Stage::kSeeding;
  if (!all) options_.transfer->bytes_done.store(store_->present_bytes(), kRelaxed);
}

// ---------------------------------------------------------------------------------------------- asking

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
      continue;
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
  if (!all_here && ever_answered_ && everybody_refused()) {
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
  if (store_ && store_->in_flight() > 0 && !paused_for_space_) made_progress(now);
  const auto patience = Duration(static_cast<std::int64_t>(options_.get.timeout_seconds * 1e9));
  if (now - last_progress_ < patience) return;
  if (paused_for_space_) {
    fail({ErrorCode::kNoSpace, ENOSPC, "the disk is full; what was received is kept"});
  } else if (!ever_answered_) {
    fail({ErrorCode::kUnreachable, 0, "no source answered in time"}, why_nobody_answered());
  } else if (download_->source_count() == 0 && wrong_bytes_) {
    fail({ErrorCode::kIntegrity, 0, "the sources that were left sent wrong bytes; what was received is kept"});
  } else if (download_->source_count() == 0 && source_changed_) {
    fail({ErrorCode::kIntegrity, 0, "the file changed at its source and no other source is left"});
  } else {
    fail({ErrorCode::kNoProgress, 0, "the sources stopped sending; what was received is kept"});
  }
}

}  // namespace peernet::node
