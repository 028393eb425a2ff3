// Data out: blocks are read for whoever may send them, and sealed into trains in fair turns (Shard::send_data).
#include <algorithm>
#include <cerrno>

#include "node/shard.hpp"

namespace peernet::node {
namespace {

// A train costs work however little it carries: pieces of a few bytes must not buy more of it than others get.
constexpr std::uint64_t kLeastCharge = 4096;
// Pieces of this size say again that a chunk is being given.
constexpr std::uint32_t kSpreadBytes = 16384;

}  // namespace

void Serving::note(Peer& peer) {
  const bool wants = !peer.dead && peer.session.established() && !idle(peer);
  if (wants == peer.wants_bytes) return;
  peer.wants_bytes = wants;
  wants ? ++wanting_ : --wanting_;
}

// ---------------------------------------------------------------------------------------------- reading

// Blocks are few, so that they stay in the cache. Alone a receiver may have them all; among many each has its share,
// and with more receivers than blocks it has one, for what it can send at once.
std::uint32_t Serving::blocks_allowed() const {
  return std::max(kReadBlocks / std::max(wanting_, 1u), 1u);
}

// A block that is read and cannot leave, because its receiver's window has closed: its bytes are read again later.
bool Serving::take_idle_block(Instant now, const Peer& for_whom) {
  for (std::uint32_t slot = 0; slot < kReadBlocks; ++slot) {
    const SlabHandle handle = blocks_.handle_of(slot);
    const Block* block = handle ? blocks_.get(handle) : nullptr;
    if (block == nullptr || block->reading) continue;
    Peer* owner = shard_.peer(block->peer);
    if (owner == nullptr || owner == &for_whom || owner->session.data_budget(now).packets > 0) continue;
    const auto at = std::ranges::find(owner->ready_blocks, static_cast<std::uint16_t>(slot));
    PN_CHECK(at != owner->ready_blocks.end());
    std::copy(at + 1, owner->ready_blocks.end(), at);
    owner->ready_blocks.pop_back();
    owner->uploads.on_lost(block->request.id, block->offset + block->consumed, block->length - block->consumed);
    free_block(handle);
    shard_.touch(*owner);
    return true;
  }
  return false;
}

Serving::ReadEnd Serving::plan_reads(Instant now, Peer& peer) {
  const bool scarce = wanting_ > kReadBlocks / 2;
  while (peer.uploads.waiting_bytes() > 0 && peer.blocks < blocks_allowed() && !peer.ready_blocks.full()) {
    const transport::DataBudget budget = peer.session.data_budget(now);
    if (budget.payload_per_packet == 0) return ReadEnd::kEnough;
    // Enough for what the window takes now and, unless blocks are scarce, one train so that the next acknowledgement
    // finds bytes to send.
    const std::uint64_t train = std::uint64_t{budget.payload_per_packet} * budget.packets_per_train;
    if (peer.blocks_bytes >= budget.bytes() + (scarce ? 0 : train)) return ReadEnd::kEnough;
    if (!pool_.available() && (budget.packets == 0 || peer.blocks > 0 || !take_idle_block(now, peer)))
      return ReadEnd::kNoBlock;
    const std::uint64_t most = scarce ? std::min(train, budget.bytes() - peer.blocks_bytes) : train;
    const auto piece = peer.uploads.next_piece(static_cast<std::uint32_t>(most));
    if (!piece) return ReadEnd::kEnough;
    if (start_block(now, peer, *piece)) continue;
    peer.uploads.give_back(*piece);
    return ReadEnd::kNoBlock;
  }
  return ReadEnd::kEnough;
}

bool Serving::start_block(Instant now, Peer& peer, const swarm::Piece& piece) {
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
  ++peer.blocks;
  peer.blocks_bytes += piece.length;
  const MutableByteSpan buffer = pool_.bytes(block.slot).first(piece.length);
  if (piece.request.table != content::TableId::kChunks) {
    PN_CHECK(fill_from_table(content, piece, buffer));
    const SlabHandle handle = blocks_.emplace(block);
    peer.ready_blocks.push_back(static_cast<std::uint16_t>(handle.slot));
    return true;
  }
  block.reading = true;
  block.served = &served;
  const SlabHandle handle = blocks_.emplace(block);
  const bool queued = served.reader && served.reader->read(Shard::read_token(handle), ChunkIndex(piece.request.index),
                                                           piece.offset, buffer);
  if (!queued) {
    free_block(handle);
    return false;
  }
  ++served.reads;
  if (content.spread && piece.length >= kSpreadBytes)
    content.spread->on_given(now, ChunkIndex(piece.request.index), receiver_number(peer));
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
  if (Peer* peer = shard_.peer(block->peer)) {
    peer->blocks_bytes -= block->length;
    --peer->blocks;
  }
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
  shard_.touch(*peer);
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

// ---------------------------------------------------------------------------------------------- sealing

swarm::SendResult Serving::send(Instant now, Peer& peer) {
  using End = swarm::SendResult::End;
  if (peer.dead || !peer.session.established()) return {End::kBlocked, 0};
  const ReadEnd reads = plan_reads(now, peer);
  const swarm::SendResult sent = send_train(now, peer);
  if (sent.end != End::kBlocked) return sent;
  shard_.touch(peer);  // its window may open with time
  return {reads == ReadEnd::kNoBlock && peer.blocks == 0 ? End::kWaiting : End::kBlocked, 0};
}

swarm::SendResult Serving::send_train(Instant now, Peer& peer) {
  using End = swarm::SendResult::End;
  while (!peer.ready_blocks.empty()) {
    const SlabHandle handle = blocks_.handle_of(peer.ready_blocks[0]);
    Block& block = *blocks_.get(handle);
    if (!peer.uploads.active(block.request.id)) {
      peer.ready_blocks.erase_front();
      free_block(handle);
      continue;
    }
    const transport::DataBudget budget = peer.session.data_budget(now);
    if (budget.packets == 0) return {End::kBlocked, 0};
    if (!shard_.train_available()) return {End::kStop, 0};
    std::uint64_t grant = shard_.context().limit_up.grant(now);
    if (grant == 0) return {End::kStop, 0};
    if (grant > budget.payload_per_packet) grant -= grant % budget.payload_per_packet;  // whole packets
    const std::size_t left = block.length - block.consumed;
    transport::DataToSeal data;
    data.request = block.request.id;
    data.offset = block.offset + block.consumed;
    data.file_bytes = pool_.bytes(block.slot).subspan(block.consumed, std::min<std::uint64_t>(left, grant));
    data.last = peer.uploads.waiting_bytes() == 0 && peer.blocks_bytes == block.length;
    const std::uint16_t slot = shard_.take_train();
    const transport::SealedTrain train = peer.session.seal_data(now, data, shard_.train_bytes(slot));
    if (train.consumed == 0) {
      shard_.give_back_train(slot);
      return {End::kBlocked, 0};
    }
    shard_.context().limit_up.take(now, train.consumed);
    shard_.submit_train(slot, peer, train);
    block.consumed += static_cast<std::uint32_t>(train.consumed);
    if (const ServedSlot* served = peer.served_slot(block.request.slot))
      served->served->content->transfer->bytes_sent.fetch_add(train.consumed, std::memory_order_relaxed);
    if (block.consumed == block.length) {
      peer.ready_blocks.erase_front();
      free_block(handle);
    }
    return {End::kSent, std::max<std::uint64_t>(train.consumed, kLeastCharge)};
  }
  return {End::kBlocked, 0};
}

}  // namespace peernet::node
