#include "node/serving.hpp"

#include <algorithm>
#include <cerrno>

#include "crypto/join_proof.hpp"
#include "io/address_text.hpp"
#include "node/shard.hpp"
#include "swarm/mutants.hpp"

namespace peernet::node {
namespace {

constexpr Duration kCheckEvery = 1s;
constexpr Duration kUselessFor = 10s;          // sessions that nobody has joined anything over
constexpr std::uint32_t kMaxRefusedJoins = 8;  // guesses in one session
// Requests kept for all receivers together: each takes 8 KiB to remember what was lost and acknowledged.
constexpr std::size_t kUploadsTogether = 4096;
constexpr std::size_t kUploadsAtLeast = 16;
constexpr Duration kSpreadWait = 1s;
constexpr std::uint32_t kSpreadBytes = 16384;

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

Served* Serving::find(const SharedContent& content) {
  for (const auto& served : contents_)
    if (!served->removed && served->content.get() == &content) return served.get();
  return nullptr;
}

void Serving::on_readable(const SharedContent& content) {
  if (Served* served = find(content)) make_reader(*served);
}

void Serving::withdraw(Served& served, wire::LeaveReason reason) {
  while (!served.receivers.empty()) {
    Peer* peer = shard_.peer(served.receivers.back());
    PN_CHECK(peer != nullptr);  // who goes has left first
    for (std::size_t i = 0; i < peer->served.size(); ++i) {
      if (peer->served[i].served != &served) continue;
      say(*peer, wire::LeaveFrame{peer->served[i].slot, reason});
      if (!peer->dead) leave(*peer, i);  // what could not be said has ended the session, and with it all that it joined
      break;
    }
  }
}

void Serving::remove(const SharedContent& content, wire::LeaveReason reason) {
  Served* served = find(content);
  if (served == nullptr) return;
  withdraw(*served, reason);
  served->removed = true;
  release_if_unused(*served);
}

// A content that was removed lives until the last read from its file has ended.
void Serving::release_if_unused(Served& served) {
  if (!served.removed || served.reads > 0) return;
  std::erase_if(contents_, [&](const auto& s) { return s.get() == &served; });
}

void Serving::work(Instant now) {
  for (const auto& served : contents_)
    if (!served->removed && served->tell_at <= now) tell_receivers(now, *served);
  if (now < next_check_) return;
  next_check_ = contents_.empty() ? Instant::never() : now + kCheckEvery;
  for (const auto& served : contents_) {
    SharedContent& content = *served->content;
    if (served->removed || content.withdrawn.load(std::memory_order_relaxed)) continue;
    if (content.bytes && content.bytes->changed()) source_changed(content);
  }
  look_at_sessions(now);
}

Instant Serving::next_deadline() const {
  Instant next = next_check_;
  for (const auto& served : contents_) next = std::min(next, served->tell_at);
  return next;
}

// Strangers who come in and join nothing would hold the places of those who would.
void Serving::look_at_sessions(Instant now) {
  shard_.for_each_peer([&](Peer& peer) {
    const bool useless = peer.session.established() && peer.session.role() == transport::Role::kResponder &&
                         peer.served.empty() && peer.fetches.empty();
    if (!useless) {
      peer.useless_since = Instant::never();
    } else if (peer.useless_since.is_never()) {
      peer.useless_since = now;
    } else if (now - peer.useless_since >= kUselessFor) {
      shard_.close(peer, wire::CloseCode::kNone, "nothing is joined");
    }
  });
}

void Serving::source_changed(SharedContent& content) {
  if (content.withdrawn.exchange(true, std::memory_order_relaxed)) return;
  ShardCounters::bump(shard_.mutable_counters().source_changes);
  content.on_changed();
}

// ---------------------------------------------------------------------------------------------- what peers say

swarm::Spread::Receiver Serving::receiver_number(const Peer& peer) {
  return static_cast<swarm::Spread::Receiver>(peer.self.slot +
                                              41 * (peer.session.local_id().value() & wire::kShardMask));
}

void Serving::report_receiver(const Peer& peer, const SharedContent& content, const char* what, bool joined) {
  auto& receivers = content.transfer->receivers;
  joined ? receivers.fetch_add(1, std::memory_order_relaxed) : receivers.fetch_sub(1, std::memory_order_relaxed);
  content.transfer->push(
      {.kind = EventKind::kReceiver, .text = what, .peer = io::format_address(peer.session.remote())});
}

void Serving::on_join(Peer& peer, const wire::JoinFrame& frame) {
  if (peer.served_slot(frame.slot) != nullptr) return;  // the frame came twice
  if (!peer.patience.spend(swarm::Patience::kJoin))
    return shard_.close(peer, wire::CloseCode::kLimit, "it joins again and again");
  wire::JoinResFrame answer;
  answer.slot = frame.slot;
  answer.status = wire::JoinStatus::kRefused;
  const auto found =
      std::ranges::find_if(contents_, [&](const auto& s) { return !s->removed && s->content->swarm == frame.swarm; });
  if (found != contents_.end() && !peer.served.full() && peer.fetch_slot(frame.slot) == nullptr) {
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
      peer.served.push_back({.slot = frame.slot, .served = found->get()});
      (*found)->receivers.push_back(peer.self);
      if (content.spread) content.spread->on_receiver();
      report_receiver(peer, content, "joined", true);
    }
  }
  say(peer, answer);
  if (answer.status != wire::JoinStatus::kOk) {
    if (++peer.refused_joins >= kMaxRefusedJoins) shard_.close(peer, wire::CloseCode::kRefused, "too many guesses");
    return;
  }
  // Without room for the answer the session is over, and its slots with it.
  if (ServedSlot* slot = peer.served_slot(frame.slot); slot != nullptr && !tell(shard_.now(), peer, *slot))
    peer.have_behind = true;
}

Serving::Verdict Serving::judge(const Served& served, const wire::RequestFrame& frame) const {
  const SharedContent& content = *served.content;
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
    if (!served.reader || !content.has(chunk)) return Verdict::kNotHad;
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

// An answer costs work and brings nobody further: too many of them in a row end the session.
void Serving::refuse(Peer& peer, RequestId request, wire::RejectReason reason, std::uint32_t points) {
  reject(peer, request, reason);
  if (!peer.patience.spend(points)) shard_.close(peer, wire::CloseCode::kLimit, "too many requests in vain");
}

// The more receivers, the fewer requests each may have waiting here.
std::size_t Serving::most_uploads() const {
  return std::clamp<std::size_t>(kUploadsTogether / std::max(wanting_, 1u), kUploadsAtLeast, swarm::kMaxUploads);
}

// A receiver that was given nothing for a second is not told to wait any more: whatever others do with the chunks that
// it still needs, it goes on.
bool Serving::must_wait(Peer& peer, ServedSlot& slot, ChunkIndex chunk) const {
  const swarm::Spread& spread = *slot.served->content->spread;
  if (!spread.refuses(shard_.now(), chunk, receiver_number(peer))) return false;
  if (peer.uploads.serves_chunk(slot.slot, chunk.value())) return false;
  if (slot.spread_since.is_never()) slot.spread_since = shard_.now();
  return shard_.now() - slot.spread_since < kSpreadWait;
}

void Serving::on_request(Peer& peer, const wire::RequestFrame& frame) {
  using swarm::Patience;
  using wire::RejectReason;
  ServedSlot* slot = peer.served_slot(frame.slot);
  if (slot == nullptr) return refuse(peer, frame.request, RejectReason::kNotJoined, Patience::kNotJoined);
  if (peer.uploads.active(frame.request)) return;  // the frame came twice
  const SharedContent& content = *slot->served->content;
  if (content.withdrawn.load(std::memory_order_relaxed))
    return refuse(peer, frame.request, RejectReason::kSourceChanged, Patience::kNotHad);
  const Verdict verdict = judge(*slot->served, frame);
  if (verdict == Verdict::kBadRange) return refuse(peer, frame.request, RejectReason::kBadRange, Patience::kBadRange);
  if (verdict == Verdict::kNotHad) return refuse(peer, frame.request, RejectReason::kNotHad, Patience::kNotHad);
  const bool spreads = content.spread && table_of(frame) == content::TableId::kChunks;
  const ChunkIndex chunk(frame.index);
  if (spreads && must_wait(peer, *slot, chunk))
    return refuse(peer, frame.request, RejectReason::kSpreading, Patience::kNotHad);
  swarm::UploadRequest request;
  request.id = frame.request;
  request.slot = frame.slot;
  request.table = table_of(frame);
  request.index = frame.index;
  request.offset = frame.offset;
  request.length = frame.length;
  if (peer.uploads.active_count() >= most_uploads() ||
      peer.uploads.on_request(request) == swarm::UploadQueue::Answer::kBusy)
    return refuse(peer, frame.request, RejectReason::kBusy, Patience::kTooMany);
  peer.patience.on_good();
  if (spreads) {
    slot->spread_since = Instant::never();
    // Who asks for a few bytes of every chunk keeps none of them from others.
    if (frame.length >= kSpreadBytes || frame.length == content.manifest.chunk_length(chunk))
      content.spread->on_given(shard_.now(), chunk, receiver_number(peer));
  }
  shard_.touch(peer);
}

void Serving::on_cancel(Peer& peer, RequestId request) {
  const bool active = peer.uploads.on_cancel(request);
  if (!swarm::mutant(swarm::Mutant::kCancelNotConfirmed)) say(peer, wire::CancelledFrame{request});
  if (!active && !peer.patience.spend(swarm::Patience::kIdleCancel))
    shard_.close(peer, wire::CloseCode::kLimit, "too many cancels of nothing");
}

void Serving::on_have(Peer& peer, const wire::HaveFrame& frame) {
  ServedSlot* slot = peer.served_slot(frame.slot);
  if (slot == nullptr || !frame.complete || slot->completed) return;
  slot->completed = true;
  if (slot->served->content->spread) slot->served->content->spread->on_receiver_gone();
  TransferState& transfer = *slot->served->content->transfer;
  transfer.completed.fetch_add(1, std::memory_order_relaxed);
  transfer.push({.kind = EventKind::kReceiver,
                 .text = "has the content complete",
                 .peer = io::format_address(peer.session.remote()),
                 .number = 1});
}

void Serving::leave(Peer& peer, std::size_t index) {
  const ServedSlot slot = peer.served[index];
  const SharedContent& content = *slot.served->content;
  report_receiver(peer, content, "left", false);
  if (content.spread && !slot.completed) content.spread->on_receiver_gone();
  auto& receivers = slot.served->receivers;
  *std::ranges::find(receivers, peer.self) = receivers.back();
  receivers.pop_back();
  peer.uploads.drop_slot(slot.slot);
  peer.served[index] = peer.served.back();
  peer.served.pop_back();
  shard_.touch(peer);
}

void Serving::on_leave(Peer& peer, ContentSlot slot) {
  for (std::size_t i = 0; i < peer.served.size(); ++i)
    if (peer.served[i].slot == slot) return leave(peer, i);
}

void Serving::on_closed(Peer& peer) {
  while (!peer.served.empty()) leave(peer, peer.served.size() - 1);
  for (const std::uint16_t slot : peer.ready_blocks) free_block(blocks_.handle_of(slot));
  peer.ready_blocks.clear();
  note(peer);
}

}  // namespace peernet::node
