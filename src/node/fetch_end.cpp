// What the store tells a get, and the ways in which a get ends.
#include "node/fetch.hpp"
#include "node/shard.hpp"

namespace peernet::node {

using swarm::AssemblyIndex;

// ---------------------------------------------------------------------------------------------- the store

void Fetch::begin_running() {
  stage_ = Stage::kRunning;
  options_.transfer->phase = Phase::kRunning;
  for (auto at = store_->hoped().next_set(ChunkIndex(0)); at; at = store_->hoped().next_set(*at + 1))
    download_->set_present(*at);
  if (core_->chunk_count > 0) download_->set_verifiable(ChunkIndex(0), core_->chunk_count);
  serve_bytes();
}

void Fetch::report_complete() {
  if (tree_ && !tree_->whole()) return;  // all that is wanted, not all there is
  for (const Source& source : sources_) {
    Peer* peer = source.peer ? shard_->peer(source.peer) : nullptr;
    if (peer == nullptr) continue;
    for (const FetchSlot& slot : peer->fetches) {
      if (slot.fetch != this) continue;
      wire::HaveFrame have;
      have.slot = slot.slot;
      have.complete = true;
      peer->session.send(have);
      shard_->touch(*peer);
    }
  }
}

void Fetch::take_store_events(Instant now) {
  TransferState& transfer = *options_.transfer;
  while (const auto event = store_->poll_event()) {
    switch (event->kind) {
      case StoreEvent::Kind::kOpened:
        begin_running();
        break;
      case StoreEvent::Kind::kIdentical:
        transfer.push({.kind = EventKind::kNotice, .text = "already complete"});
        report_complete();
        for (std::uint32_t c = 0; c < core_->chunk_count; ++c) download_->set_present(ChunkIndex(c));
        serve_bytes();
        complete(now);
        return;
      case StoreEvent::Kind::kWritten: {
        made_progress(now);
        paused_for_space_ = false;
        if (event->has_slot) download_->on_written(AssemblyIndex(event->slot));
        serve_chunk(event->chunk);
        break;
      }
      case StoreEvent::Kind::kReleased:
        download_->on_write_failed(AssemblyIndex(event->slot));
        break;
      case StoreEvent::Kind::kChecked:
        made_progress(now);
        event->good ? serve_chunk(event->chunk) : download_->set_missing(event->chunk);
        if (!store_->checking())
          transfer.push({.kind = EventKind::kVerify,
                         .text = "what an earlier run left was checked",
                         .bytes = store_->resumed_bytes()});
        break;
      case StoreEvent::Kind::kAllWritten:
        transfer.phase = Phase::kFinishing;
        report_complete();
        break;
      case StoreEvent::Kind::kPaused:
        if (!paused_for_space_)
          transfer.push({.kind = EventKind::kNotice, .text = "the disk is full; waiting for room"});
        paused_for_space_ = true;
        break;
      case StoreEvent::Kind::kPublished:
        if (event->error.what[0] != '\0')
          transfer.push({.kind = EventKind::kNotice,
                         .text = "the old folder could not be removed, what is left of it is in " + event->path + ": " +
                                 describe(event->error)});
        complete(now);
        return;
      case StoreEvent::Kind::kFailed:
        fail(event->error, describe(event->error), event->path);
        return;
    }
  }
  if (stage_ == Stage::kRunning) serve_present();
}

// ---------------------------------------------------------------------------------------------- ends

bool Fetch::finished() const {
  return ended() && (!store_ || store_->in_flight() == 0);
}

// Goodbye to those who are served here and those who were asked, whoever opened the sessions; what is under way is
// dropped, on both sides at once.
void Fetch::end_sessions() {
  std::vector<SlabHandle> left;
  shard_->for_each_peer([&](Peer& peer) {
    bool ours = std::exchange(peer.dialled_for, peer.dialled_for == this ? nullptr : peer.dialled_for) == this;
    ours = ours || std::ranges::any_of(peer.served,
                                       [this](const ServedSlot& s) { return shared_ && s.served->content == shared_; });
    for (std::size_t i = peer.fetches.size(); i-- > 0;) {
      if (peer.fetches[i].fetch != this) continue;
      ours = true;
      peer.session.send(wire::LeaveFrame{peer.fetches[i].slot, wire::LeaveReason::kGoodbye});
      peer.fetches[i] = peer.fetches.back();
      peer.fetches.pop_back();
    }
    if (ours) left.push_back(peer.self);
  });
  stop_serving();
  dials_.clear();
  for (const SlabHandle handle : left) {
    Peer* peer = shard_->peer(handle);
    if (peer == nullptr || peer->dead || !peer->fetches.empty() || !peer->served.empty()) continue;
    shard_->flush(*peer);  // a closing session sends nothing else
    shard_->close(*peer, wire::CloseCode::kNone, "");
  }
}

void Fetch::fail(const Error& error) {
  fail(error, describe(error));
}

void Fetch::fail(const Error& error, std::string text, std::string path) {
  if (ended()) return;
  stage_ = Stage::kFailed;
  if (store_) store_->stop();
  publish_numbers();
  note_sources_at_end();
  end_sessions();
  leave_trackers();
  options_.transfer->finish(
      {.kind = EventKind::kError, .text = std::move(text), .path = std::move(path), .error = error}, Phase::kFailed);
}

void Fetch::cancel() {
  if (stage_ == Stage::kSeeding) return done();
  fail({ErrorCode::kInterrupted, 0, "interrupted; what was received is kept"});
}

// Everything is here, under its final name.
void Fetch::complete(Instant now) {
  serve_present();
  options_.transfer->bytes_done.store(wanted_bytes_, std::memory_order_relaxed);
  seconds_ = static_cast<double>((now - started_).count()) * 1e-9;
  options_.transfer->push({.kind = EventKind::kComplete,
                           .text = store_->final_path(),
                           .bytes = wanted_bytes_,
                           .files = files(),
                           .seconds = seconds_});
  if (options_.get.seed_after_seconds != 0 && shared_ && shared_->bytes) return begin_seeding(now);
  done();
}

void Fetch::done() {
  const bool seeded = stage_ == Stage::kSeeding;
  if (!seeded) seconds_ = static_cast<double>((shard_->now() - started_).count()) * 1e-9;
  stage_ = Stage::kDone;
  publish_numbers();
  if (!seeded) note_sources_at_end();
  end_sessions();
  leave_trackers();
  Event event{.kind = EventKind::kDone, .bytes = wanted_bytes_, .files = files(), .seconds = seconds_};
  if (store_) event.text = store_->final_path();
  options_.transfer->finish(std::move(event), Phase::kDone);
}

}  // namespace peernet::node
