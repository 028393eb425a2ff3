// A get as it is served: JOIN is accepted from its start, chunks are given from the first one on that is written, and
// after the final name is there it goes on for as long as the user wants (seeding).
#include <fmt/format.h>

#include <algorithm>

#include "node/fetch.hpp"
#include "node/shard.hpp"

namespace peernet::node {
namespace {

constexpr std::uint32_t kPagesAtOnce = 4;  // of SHA-256, beside the chunks

}  // namespace

void Fetch::start_serving() {
  if (options_.get.metadata_only || options_.get.output_fd >= 0) return;  // nothing that others could read
  shared_ = std::make_shared<SharedContent>();
  shared_->id = options_.link.content_id;
  shared_->key = options_.link.swarm_key;
  shared_->swarm = swarm_;
  shared_->name = options_.link.name;
  shared_->transfer = options_.transfer;
  have_ = std::make_unique<swarm::HaveLog>(1);  // no log at all would mean every chunk
  shared_->have = have_.get();
  shared_->on_changed = [this] { bytes_changed_ = true; };
  shard_->serving().add(shared_);
}

// Also of what a file promises there may be nothing to give: a log of no chunks is complete.
void Fetch::serve_core(ByteSpan bytes) {
  if (!shared_) return;
  core_bytes_.assign(bytes.begin(), bytes.end());
  have_ = std::make_unique<swarm::HaveLog>(core_->chunk_count);
  shared_->have = have_.get();
  shared_->manifest = {
      .core = &*core_, .core_bytes = core_bytes_, .entries = &entries_, .xxh3 = &xxh3_, .sha256 = &sha256_};
}

void Fetch::serve_bytes() {
  if (!shared_ || shared_->bytes) return;
  shared_->bytes = store_->bytes();
  if (shared_->bytes) shard_->serving().on_readable(*shared_);
}

void Fetch::serve_chunk(ChunkIndex chunk) {
  if (!shared_ || !shared_->bytes || !store_->servable(chunk)) return;
  have_grown_ = have_->add(chunk) || have_grown_;
  pages_to_serve_ = true;
}

// What an earlier run left is served chunk by chunk as it is read back; when all of that is done, whatever counts as
// present is sure, chunks of zeros in holes included.
void Fetch::serve_present() {
  if (present_served_ || !shared_ || !shared_->bytes || store_->checking()) return;
  present_served_ = true;
  const content::ChunkMap& present = download_->present();
  for (auto at = present.next_set(ChunkIndex(0)); at; at = present.next_set(*at + 1)) serve_chunk(*at);
  if (core_->chunk_count == 0) have_grown_ = true;
}

// Of a short table all is asked for before the chunks: what comes from others than the publisher can be neither kept
// nor passed on before its SHA-256 is here, and behind requests for chunks it would be late.
void Fetch::want_short_sha256() {
  if (!shared_ || sha256_.shape().pages > kPagesAtOnce) return;
  for (; next_page_ < sha256_.shape().pages; ++next_page_) want_sha256_page(next_page_);
}

// Whoever asks us for a chunk may want its SHA-256, too, and the publisher may be gone by then. They come a few at a
// time, after the first chunk: no chunk waits for thousands of pages.
void Fetch::want_pages_to_serve() {
  if (!pages_to_serve_) return;
  for (std::uint32_t n = 0; n < kPagesAtOnce && next_page_ < sha256_.shape().pages; ++next_page_) {
    if (sha256_.has_page(next_page_)) continue;
    if (n == 0 && next_page_ > 0 && !sha256_.has_page(next_page_ - 1)) return;  // the last ones are on their way
    want_sha256_page(next_page_);
    ++n;
  }
}

void Fetch::tell_have_grown() {
  want_pages_to_serve();
  if (!have_grown_) return;
  have_grown_ = false;
  shard_->serving().on_have_grown(*shared_);
}

void Fetch::stop_serving() {
  if (!shared_) return;
  shard_->serving().remove(*shared_, wire::LeaveReason::kGoodbye);
  // Reads that are under way keep it for a moment longer than this get.
  shared_->on_changed = [] {};
  shared_->manifest = {};
  shared_->have = nullptr;
  shared_.reset();
}

// ---------------------------------------------------------------------------------------------- seeding

void Fetch::begin_seeding(Instant now) {
  const double seconds = options_.get.seed_after_seconds;
  note_sources_at_end();
  stage_ = Stage::kSeeding;
  options_.transfer->phase = Phase::kSeeding;
  if (seconds > 0) seed_until_ = now + Duration(static_cast<std::int64_t>(std::min(seconds, 1e9) * 1e9));
  options_.transfer->push({.kind = EventKind::kNotice,
                           .text = seconds > 0 ? fmt::format("complete; serving it to others for {:g} s", seconds)
                                               : "complete; serving it to others until interrupted"});
  pages_to_serve_ = true;
  // Attempts that are under way have no use any more.
  for (Dial& dial : dials_) {
    for (const SlabHandle handle : {dial.peer, dial.again}) {
      Peer* peer = handle ? shard_->peer(handle) : nullptr;
      if (peer == nullptr || peer->session.established()) continue;
      peer->dialled_for = nullptr;
      shard_->close(*peer, wire::CloseCode::kNone, "");
    }
    dial.again = {};
  }
}

void Fetch::seed_on(Instant now) {
  if (bytes_changed_) {
    options_.transfer->push({.kind = EventKind::kNotice, .text = "the file has been changed: it is served no longer"});
    return done();
  }
  if (now >= seed_until_) return done();
  if (sha256_.complete() && download_->source_count() > 0) leave_sources();
}

// Nothing more is wanted of them; those that want something of us stay. LEAVE may overtake a JOIN that was lost once:
// whoever has not answered yet is left when he has.
void Fetch::leave_sources() {
  shard_->for_each_peer([&](Peer& peer) {
    const auto slot = std::ranges::find(peer.fetches, this, &FetchSlot::fetch);
    if (slot == peer.fetches.end() || !slot->joined) return;
    FetchSlot copy = *slot;
    peer.session.send(wire::LeaveFrame{copy.slot, wire::LeaveReason::kGoodbye});
    drop_source(peer, copy, "");
    shard_->touch(peer);
    if (peer.dialled_for == this) peer.dialled_for = nullptr;
    if (!peer.fetches.empty() || !peer.served.empty()) return;
    shard_->flush(peer);
    shard_->close(peer, wire::CloseCode::kNone, "");
  });
}

}  // namespace peernet::node
