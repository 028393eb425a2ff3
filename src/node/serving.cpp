#include "node/serving.hpp"

#include <algorithm>
#include <cerrno>

#include "crypto/join_proof.hpp"
#include "io/address_text.hpp"
#include "node/shard.hpp"

namespace peernet::node {
namespace {

constexpr Duration kCheckEvery = 1s;
constexpr std::uint32_t kMaxRefusedJoins = 8;  // guesses in one session

content::TableId table_of(const wire::RequestFrame& frame) {
  return static_cast<content::TableId>(frame.table);
}

}  // namespace

Serving::Serving(Shard& shard, MutableByteSpan block_memory)
    : shard_(shard), blocks_(kReadBlocks), pool_(block_memory, kTrainBytes, kReadBlocks) {}

// ---------------------------------------------------------------------------------------------- contents

void Serving::add(std::shared_ptr<SharedContent> content) {
  contents_.push_back(std::make_unique<Served>(Served{.content = std::move(content)}));
  make_reader(*contents_.back());
  next_check_ = std::min(next_check_, shard_.now() + kCheckEvery);
}

void Serving::make_reader(Served& served) {
  SharedContent& content = *served.content;
  if (served.reader || !content.bytes) return;
  auto reader = content.bytes->open(shard_.driver());
  if (reader) {
    served.reader = std::move(*reader);
  } else {
    content.transfer->finish({.kind = EventKind::kError, .text = describe(reader.error()), .error = reader.error()},
                             Phase::kFailed);
  }
}

void Serving::on_readable(const SharedContent& content) {
  for (const auto& served : contents_)
    if (!served->removed && served->content.get() == &content) make_reader(*served);
}

void Serving::withdraw(Served& served, wire::LeaveReason reason) {
  shard_.for_each_peer([&](Peer& peer) {
    for (std::size_t i = peer.served.size(); i-- > 0;) {
      if (peer.served[i].served != &served) continue;
      const ContentSlot slot = peer.served[i].slot;
      say(peer, wire::LeaveFrame{slot, reason});
      peer.uploads.drop_slot(slot);
      peer.served[i] = peer.served.back();
      peer.served.pop_back();
      shard_.touch(peer);
    }
  });
}

void Serving::remove(const SharedContent& content, wire::LeaveReason reason) {
  const auto found =
      std::ranges::find_if(contents_, [&](const auto& s) { return !s->removed && s->content.get() == &content; });
  if (found == contents_.end()) return;
  withdraw(**found, reason);
  (*found)->removed = true;
  release_if_unused(**found);
}

// A content that was removed lives until the last read from its file has ended.
void Serving::release_if_unused(Served& served) {
  if (!served.removed || served.reads > 0) return;
  std::erase_if(contents_, [&](const auto& s) { return s.get() == &served; });
}

void Serving::check_sources(Instant now) {
  if (now < next_check_) return;
  next_check_ = contents_.empty() ? Instant::never() : now + kCheckEvery;
  for (const auto& served : contents_) {
    SharedContent& content = *served->content;
    if (served->removed || content.withdrawn.load(std::memory_order_relaxed)) continue;
    if (content.bytes && content.bytes->changed()) source_changed(content);
  }
}

void Serving::source_changed(SharedContent& content) {
  if (content.withdrawn.exchange(true, std::memory_order_relaxed)) return;
  ShardCounters::bump(shard_.mutable_counters().source_changes);
  content.on_changed();
}

// ---------------------------------------------------------------------------------------------- what peers say

void Serving::report_receiver(const Peer& peer, const SharedContent& content, const char* what, bool joined) {
  auto& receivers = content.transfer->receivers;
  joined ? receivers.fetch_add(1, std::memory_order_relaxed) : receivers.fetch_sub(1, std::memory_order_relaxed);
  content.transfer->push(
      {.kind = EventKind::kReceiver, .text = what, .peer = io::format_address(peer.session.remote())});
}

void Serving::on_join(Peer& peer, const wire::JoinFrame& frame) {
  if (peer.served_slot(frame.slot) != nullptr) return;  // the frame came twice
  wire::JoinResFrame answer;
  answer.slot = frame.slot;
  answer.status = wire::JoinStatus::kRefused;
  const auto found =
      std::ranges::find_if(contents_, [&](const auto& s) { return !s->removed && s->content->swarm == frame.swarm; });
  if (found != contents_.end() && !peer.served.full()) {
    const SharedContent& content = *(*found)->content;
    crypto::JoinClaim claim;
    claim.role = crypto::JoinRole::kJoin;
    claim.binding = peer.session.binding();
    claim.prover = peer.session.peer();
    claim.verifier = shard_.context().handshakes->local_id();
    claim.content = content.id;
    if (crypto::check_join_proof(content.key, claim, frame.mac)) {
      claim.role = crypto::JoinRole::kJoinResponse;
      std::swap(claim.prover, claim.verifier);
      answer.status = wire::JoinStatus::kOk;
      answer.mac = crypto::join_proof(content.key, claim);
      peer.served.push_back({frame.slot, found->get()});
      report_receiver(peer, content, "joined", true);
    }
  }
  say(peer, answer);
  if (answer.status != wire::JoinStatus::kOk) {
    if (++peer.refused_joins >= kMaxRefusedJoins) shard_.close(peer, wire::CloseCode::kRefused, "too many guesses");
    return;
  }
  tell_have(peer, *peer.served_slot(frame.slot));
}

void Serving::tell_have(Peer& peer, ServedSlot& slot) {
  const swarm::HaveLog* log = slot.served->content->have;
  wire::HaveFrame have;
  have.slot = slot.slot;
  if (log == nullptr || log->complete()) {
    have.complete = true;
    return say(peer, have);
  }
  while (slot.told < log->count() && peer.session.frame_room() > 16) {
    while (slot.told < log->count() && !have.ranges.full()) have.ranges.push_back({log->at(slot.told++), 1});
    say(peer, have);
    have.ranges.clear();
  }
}

void Serving::on_have_grown(const SharedContent& content) {
  shard_.for_each_peer([&](Peer& peer) {
    for (ServedSlot& slot : peer.served)
      if (slot.served->content.get() == &content) tell_have(peer, slot);
  });
}

Serving::Verdict Serving::judge(const SharedContent& content, const wire::RequestFrame& frame) const {
  const ManifestView& manifest = content.manifest;
  const std::uint64_t end = std::uint64_t{frame.offset} + frame.length;
  const auto within = [&](std::uint64_t length) { return end <= length ? Verdict::kGood : Verdict::kBadRange; };
  if (table_of(frame) > content::TableId::kSha256) return Verdict::kBadRange;
  if (manifest.core == nullptr) return Verdict::kNotHad;
  if (table_of(frame) == content::TableId::kManifest)
    return frame.index == 0 ? within(manifest.core_bytes.size()) : Verdict::kBadRange;
  if (table_of(frame) == content::TableId::kChunks) {
    const ChunkIndex chunk(frame.index);
    if (frame.index >= manifest.core->chunk_count) return Verdict::kBadRange;
    if (!content.bytes || !content.has(chunk)) return Verdict::kNotHad;
    return within(manifest.chunk_length(chunk));
  }
  const content::PageTable* table = manifest.table(table_of(frame));
  if (table == nullptr) return Verdict::kNotHad;
  if (frame.index >= table->shape().pages) return Verdict::kBadRange;
  return table->has_page(frame.index) ? within(table->shape().reply_bytes(frame.index)) : Verdict::kNotHad;
}

// An answer that cannot be queued would leave the other side waiting for ever: a peer that lets the bounded store of
// frames fill up (it acknowledges nothing and asks on) loses its session instead.
void Serving::say(Peer& peer, const wire::Frame& frame) {
  if (!peer.session.send(frame)) shard_.close(peer, wire::CloseCode::kLimit, "too many frames are unacknowledged");
  shard_.touch(peer);
}

void Serving::reject(Peer& peer, RequestId request, wire::RejectReason reason) {
  say(peer, wire::RejectFrame{request, reason});
}

void Serving::on_request(Peer& peer, const wire::RequestFrame& frame) {
  const ServedSlot* slot = peer.served_slot(frame.slot);
  if (slot == nullptr) return reject(peer, frame.request, wire::RejectReason::kNotJoined);
  const SharedContent& content = *slot->served->content;
  if (content.withdrawn.load(std::memory_order_relaxed))
    return reject(peer, frame.request, wire::RejectReason::kSourceChanged);
  const Verdict verdict = judge(content, frame);
  if (verdict == Verdict::kBadRange) return reject(peer, frame.request, wire::RejectReason::kBadRange);
  if (verdict == Verdict::kNotHad) return reject(peer, frame.request, wire::RejectReason::kNotHad);
  swarm::UploadRequest request;
  request.id = frame.request;
  request.slot = frame.slot;
  request.table = table_of(frame);
  request.index = frame.index;
  request.offset = frame.offset;
  request.length = frame.length;
  if (peer.uploads.on_request(request) == swarm::UploadQueue::Answer::kBusy)
    return reject(peer, frame.request, wire::RejectReason::kBusy);
  shard_.mark_sending(peer);
}

void Serving::on_cancel(Peer& peer, RequestId request) {
  peer.uploads.on_cancel(request);
  say(peer, wire::CancelledFrame{request});
}

void Serving::on_have(Peer& peer, const wire::HaveFrame& frame) {
  ServedSlot* slot = peer.served_slot(frame.slot);
  if (slot == nullptr || !frame.complete || slot->completed) return;
  slot->completed = true;
  TransferState& transfer = *slot->served->content->transfer;
  transfer.completed.fetch_add(1, std::memory_order_relaxed);
  transfer.push({.kind = EventKind::kReceiver,
                 .text = "has the content complete",
                 .peer = io::format_address(peer.session.remote()),
                 .number = 1});
}

void Serving::on_leave(Peer& peer, ContentSlot slot) {
  for (std::size_t i = 0; i < peer.served.size(); ++i) {
    if (peer.served[i].slot != slot) continue;
    report_receiver(peer, *peer.served[i].served->content, "left", false);
    peer.uploads.drop_slot(slot);
    peer.served[i] = peer.served.back();
    peer.served.pop_back();
    return;
  }
}

void Serving::on_closed(Peer& peer) {
  while (!peer.served.empty()) on_leave(peer, peer.served.back().slot);
  for (const std::uint16_t slot : peer.ready_blocks) free_block(blocks_.handle_of(slot));
  peer.ready_blocks.clear();
}

// ---------------------------------------------------------------------------------------------- data out

void Serving::plan_reads(Instant now, Peer& peer) {
  while (peer.uploads.waiting_bytes() > 0 && pool_.available() && !peer.ready_blocks.full()) {
    const transport::DataBudget budget = peer.session.data_budget(now);
    if (budget.payload_per_packet == 0) return;
    // Enough for what the window takes now, and one train so that the next acknowledgement finds bytes to send.
    const std::uint64_t train = std::uint64_t{budget.payload_per_packet} * budget.packets_per_train;
    if (peer.blocks_bytes >= budget.bytes() + train) return;
    const auto piece = peer.uploads.next_piece(static_cast<std::uint32_t>(train));
    if (!piece) return;
    if (start_block(now, peer, *piece)) continue;
    peer.uploads.on_lost(piece->request.id, piece->offset, piece->length);
    return;
  }
}

bool Serving::start_block(Instant, Peer& peer, const swarm::Piece& piece) {
  const ServedSlot* slot = peer.served_slot(piece.request.slot);
  PN_CHECK(slot != nullptr);
  Served& served = *slot->served;
  const SharedContent& content = *served.content;
  Block block;
  block.peer = peer.self;
  block.request = piece.request;
  block.offset = piece.offset;
  block.length = piece.length;
  block.slot = pool_.take();
  const MutableByteSpan buffer = pool_.bytes(block.slot).first(piece.length);
  if (piece.request.table != content::TableId::kChunks) {
    PN_CHECK(fill_from_table(content, piece, buffer));
    const SlabHandle handle = blocks_.emplace(block);
    peer.ready_blocks.push_back(static_cast<std::uint16_t>(handle.slot));
    peer.blocks_bytes += piece.length;
    return true;
  }
  block.reading = true;
  block.served = &served;
  const SlabHandle handle = blocks_.emplace(block);
  const bool queued = served.reader && served.reader->read(Shard::read_token(handle), ChunkIndex(piece.request.index),
                                                           piece.offset, buffer);
  if (!queued) {
    pool_.give_back(block.slot);
    blocks_.erase(handle);
    return false;
  }
  ++served.reads;
  peer.blocks_bytes += piece.length;
  return true;
}

bool Serving::fill_from_table(const SharedContent& content, const swarm::Piece& piece, MutableByteSpan out) const {
  const ManifestView& manifest = content.manifest;
  if (piece.request.table == content::TableId::kManifest) {
    if (std::uint64_t{piece.offset} + piece.length > manifest.core_bytes.size()) return false;
    std::ranges::copy(manifest.core_bytes.subspan(piece.offset, piece.length), out.begin());
    return true;
  }
  const content::PageTable& table = *manifest.table(piece.request.table);
  ByteArray<content::kMaxPageReplyBytes> reply;
  const std::uint32_t length = table.write_reply(piece.request.index, reply);
  if (std::uint64_t{piece.offset} + piece.length > length) return false;
  std::ranges::copy(ByteSpan(reply).subspan(piece.offset, piece.length), out.begin());
  return true;
}

void Serving::free_block(SlabHandle handle) {
  Block* block = blocks_.get(handle);
  PN_CHECK(block != nullptr);
  if (Peer* peer = shard_.peer(block->peer)) peer->blocks_bytes -= block->length;
  pool_.give_back(block->slot);
  blocks_.erase(handle);
}

void Serving::on_read(SlabHandle token, std::int64_t result) {
  const SlabHandle handle = blocks_.handle_of(token.slot);
  Block* block = blocks_.get(handle);
  PN_CHECK(block != nullptr && block->reading && (handle.generation & 0xffffff) == token.generation);
  block->reading = false;
  --block->served->reads;
  release_if_unused(*block->served);
  Peer* peer = shard_.peer(block->peer);
  if (peer == nullptr || peer->dead || !peer->uploads.active(block->request.id)) {
    free_block(handle);
    return;
  }
  if (result != static_cast<std::int64_t>(block->length)) {
    // The file has become shorter, or cannot be read: it is not what was hashed any more.
    const bool changed = result >= 0 || result == -ESTALE;
    if (const ServedSlot* slot = peer->served_slot(block->request.slot)) {
      if (changed) source_changed(*slot->served->content);
    }
    peer->uploads.on_cancel(block->request.id);
    reject(*peer, block->request.id, changed ? wire::RejectReason::kSourceChanged : wire::RejectReason::kIoError);
    free_block(handle);
    return;
  }
  peer->ready_blocks.push_back(static_cast<std::uint16_t>(handle.slot));
  shard_.mark_sending(*peer);
}

void Serving::take_reads() {
  for (std::size_t i = contents_.size(); i-- > 0;) {  // from behind: the last read of a removed one takes it away
    PieceReader* reader = contents_[i]->reader.get();
    if (reader == nullptr) continue;
    const Served* served = contents_[i].get();
    while (i < contents_.size() && contents_[i].get() == served) {
      const auto done = reader->take();
      if (!done) break;
      shard_.on_read(done->token, done->result);
    }
  }
}

bool Serving::send_train(Instant now, Peer& peer) {
  while (!peer.ready_blocks.empty()) {
    const SlabHandle handle = blocks_.handle_of(peer.ready_blocks[0]);
    Block& block = *blocks_.get(handle);
    const bool active = peer.uploads.active(block.request.id);
    if (active) {
      if (!shard_.train_available() || peer.session.data_budget(now).packets == 0) return false;
      if (!shard_.context().limit_up.ready(now)) return false;
      const std::uint16_t slot = shard_.take_train();
      const ByteSpan bytes = pool_.bytes(block.slot).subspan(block.consumed, block.length - block.consumed);
      transport::DataToSeal data;
      data.request = block.request.id;
      data.offset = block.offset + block.consumed;
      data.file_bytes = bytes;
      data.last = peer.uploads.waiting_bytes() == 0 && peer.blocks_bytes == block.length;
      const transport::SealedTrain train = peer.session.seal_data(now, data, shard_.train_bytes(slot));
      if (train.consumed == 0) {
        shard_.give_back_train(slot);
        return false;
      }
      shard_.context().limit_up.take(now, train.consumed);
      shard_.submit_train(slot, peer, train);
      block.consumed += static_cast<std::uint32_t>(train.consumed);
      if (const ServedSlot* served = peer.served_slot(block.request.slot))
        served->served->content->transfer->bytes_sent.fetch_add(train.consumed, std::memory_order_relaxed);
      if (block.consumed < block.length) return true;
    }
    peer.ready_blocks.erase_front();
    free_block(handle);
    if (active) return true;
  }
  return false;
}

}  // namespace peernet::node
