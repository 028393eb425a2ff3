// What arrived for a get: verified and handed to the store. Order of a chunk's way:
// complete -> XXH3-128 (and SHA-256 where its source is not trusted) -> store -> written -> present.
#include <algorithm>
#include <cstring>

#include "content/merkle.hpp"
#include "content/tree_chunks.hpp"
#include "crypto/hash.hpp"
#include "node/fetch.hpp"
#include "node/memory_plan.hpp"
#include "node/send_memory.hpp"
#include "node/shard.hpp"
#include "swarm/mutants.hpp"

namespace peernet::node {

using content::TableId;
using swarm::AssemblyIndex;

namespace {

constexpr std::uint32_t kStrikes = 2;  // wrong chunks before a source is not asked any more

}  // namespace

MutableByteSpan Fetch::buffer(AssemblyIndex assembly) const {
  return buffers_.subspan(assembly.value() * buffer_stride_, buffer_stride_);
}

MutableByteSpan Fetch::data_target(FetchSlot& slot, RequestId request, transport::DataRange range) {
  if (!slot.joined) return {};
  const auto target = download_->target(slot.source, request, range.offset, range.length);
  if (!target) {
    download_->on_unwanted(slot.source, range.length);
    return {};
  }
  if (target->partial) return MutableByteSpan(side_buffer_).first(range.length);
  return buffer(target->assembly).subspan(target->offset, target->room);
}

void Fetch::on_data(FetchSlot& slot, RequestId request, transport::DataRange range) {
  const auto target = download_->target(slot.source, request, range.offset, range.length);
  PN_CHECK(target.has_value());  // nothing has happened since data_target
  made_progress(shard_->now());  // not only whole chunks: on a slow path one takes minutes
  const auto take = [&](Range<std::uint32_t> piece) {
    const bool chunk = download_->item(target->assembly).table == TableId::kChunks;
    Source& source = sources_[slot.source.value()];
    source.last_data = shard_->now();
    if (chunk) source.bytes += piece.size();
    const std::uint32_t life = download_->life(target->assembly);
    const auto whole = download_->on_data(shard_->now(), slot.source, request, piece.first, piece.size());
    // Only what counts as received: anything else will be overwritten.
    if (chunk && download_->life(target->assembly) == life && download_->missing(target->assembly, piece).empty())
      hashes_.on_data(target->assembly.value(), life, piece, buffer(target->assembly));
    if (whole) arrived_.push_back(*whole);
  };
  if (!target->partial) return take({range.offset, range.offset + range.length});
  Range<std::uint32_t> rest{range.offset, range.offset + range.length};
  while (true) {
    const Range<std::uint32_t> piece = download_->missing(target->assembly, rest);
    if (piece.empty()) return;
    std::memcpy(buffer(target->assembly).data() + piece.first, side_buffer_.data() + (piece.first - range.offset),
                piece.size());
    take(piece);
    rest.first = piece.end;
  }
}

void Fetch::on_file(std::uint32_t op, std::int64_t result) {
  store_->on_file(op, result, shard_->now());
}

void Fetch::verify_arrived(Instant now) {
  // A verified page may let chunks through that waited for it, and those may arrive in between: by index.
  for (std::size_t i = 0; i < arrived_.size(); ++i) {
    const AssemblyIndex assembly = arrived_[i];
    made_progress(now);
    switch (download_->item(assembly).table) {
      case TableId::kManifest:
        verify_core(assembly);
        break;
      case TableId::kChunks:
        verify_chunk(now, assembly);
        break;
      default:
        verify_page(assembly);
        break;
    }
    if (ended()) break;
  }
  arrived_.clear();
}

void Fetch::verify_core(AssemblyIndex assembly) {
  const ByteSpan bytes = buffer(assembly).first(download_->length(assembly));
  if (content::content_id_of(bytes) != options_.link.content_id) {
    bad_chunk(shard_->now(), assembly);
    return;
  }
  const auto core = content::decode_manifest(bytes);
  if (!core) {  // its own hash is right: the publisher made it so
    fail(core.error());
    return;
  }
  download_->on_verified(assembly);
  core_ = *core;
  begin_tables();
  serve_core(bytes);
  ask_again_what_was_told_too_early();
  open_when_ready();
}

void Fetch::begin_tables() {
  swarm::Download::Chunks chunks;
  chunks.count = core_->chunk_count;
  chunks.bytes = core_->chunk_bytes;
  chunks.last_bytes = core_->chunk_count == 0 ? 0 : core_->chunk_span(ChunkIndex(core_->chunk_count - 1));
  chunks.assemblies = assemblies_for(core_->chunk_bytes);
  if (core_->kind == content::ContentKind::kTree) {  // how much of a chunk is gap, the entries will tell
    lengths_.assign(core_->chunk_count, core_->chunk_bytes);
    chunks.lengths = lengths_;
  }
  download_->begin_chunks(chunks);
  // Buffers of small chunks keep room for a page; those of large ones are a chunk each.
  buffer_stride_ = std::max<std::size_t>(core_->chunk_bytes, 64 * 1024);
  PN_CHECK(buffer_stride_ * chunks.assemblies <= buffers_.size());
  if (core_->payload_bytes >= kHugePagesFrom) prefer_huge_pages(buffers_.first(buffer_stride_ * chunks.assemblies));
  entries_ = content::PageTable(content::table_shape(*core_, TableId::kEntries));
  xxh3_ = content::PageTable(content::table_shape(*core_, TableId::kXxh3));
  sha256_ = content::PageTable(content::table_shape(*core_, TableId::kSha256));
  for (const content::PageTable* table : {&entries_, &xxh3_}) {
    if (options_.get.metadata_only && table != &entries_) continue;
    for (std::uint32_t page = 0; page < table->shape().pages; ++page)
      download_->want_page({table->shape().id, page}, table->shape().reply_bytes(page));
  }
  want_short_sha256();
}

void Fetch::want_sha256_page(std::uint32_t page) {
  download_->want_page({TableId::kSha256, page}, sha256_.shape().reply_bytes(page));
}

void Fetch::verify_page(AssemblyIndex assembly) {
  const swarm::Item item = download_->item(assembly);
  content::PageTable& table = item.table == TableId::kEntries ? entries_
                              : item.table == TableId::kXxh3  ? xxh3_
                                                              : sha256_;
  const auto verdict = table.accept_page(item.index, buffer(assembly).first(download_->length(assembly)));
  if (verdict != content::PageVerdict::kAccepted && verdict != content::PageVerdict::kDuplicate) {
    bad_chunk(shard_->now(), assembly);
    return;
  }
  download_->on_verified(assembly);
  if (item.table == TableId::kSha256) {
    std::vector<AssemblyIndex> waiting;
    waiting.swap(waiting_for_sha256_);
    for (const AssemblyIndex chunk : waiting) verify_chunk(shard_->now(), chunk);
    return;
  }
  open_when_ready();
}

void Fetch::open_when_ready() {
  const bool tables_complete = entries_.complete() && (options_.get.metadata_only || xxh3_.complete());
  if (store_ || !core_ || !tables_complete) return;
  if (!know_entries()) return;
  stage_ = Stage::kOpening;
  const std::string name = tree_ ? std::string(tree_->listing.name(0)) : entry_->path;
  TransferState& transfer = *options_.transfer;
  transfer.set_name(name);
  transfer.bytes_total.store(wanted_bytes_, std::memory_order_relaxed);
  transfer.push({.kind = EventKind::kStart,
                 .text = name,
                 .number = core_->chunk_count,
                 .bytes = wanted_bytes_,
                 .files = files()});
  if (options_.get.metadata_only) {
    const ContentId& id = options_.link.content_id;
    if (options_.get.info)
      *options_.get.info = tree_ ? describe_tree(*core_, id, tree_->listing, &tree_->selection)
                                 : describe_file(*core_, id, entry_->path);
    if (options_.manifest) *options_.manifest = {*core_, entry_.value_or(content::Entry{}), std::move(entries_), tree_};
    options_.transfer->bytes_done.store(wanted_bytes_, std::memory_order_relaxed);
    done();
    return;
  }
  StoreOptions store;
  store.core = *core_;
  store.id = options_.link.content_id;
  store.name = name;
  store.entries = &entries_;
  store.xxh3 = &xxh3_;
  store.layout = tree_ ? &tree_->layout() : nullptr;
  store.tree = tree_;
  store.output = options_.get.output;
  store.overwrite = options_.get.overwrite;
  store.sync = options_.get.sync == SyncMode::kFile;
  store.max_buffers = assemblies_for(core_->chunk_bytes);
  store.output_fd = options_.get.output_fd;
  store_ = shard_->context().make_store(shard_->context(), shard_->driver(), number_, store);
  store_->open();
}

// False: the get has failed.
bool Fetch::know_entries() {
  wanted_bytes_ = core_->payload_bytes;
  if (core_->kind == content::ContentKind::kFile) {
    const auto entry = content::decode_single_entry(*core_, entries_.page(0));
    if (!entry) return fail(entry.error()), false;
    entry_ = *entry;
    if (options_.get.files.empty()) return true;
    return fail({ErrorCode::kUsage, 0, "the link is for a single file, and --files selects files of a folder"}), false;
  }
  auto plan = TreePlan::make(*core_, entries_, options_.get.files);
  if (!plan) return fail(plan.error().error, describe(plan.error().error), plan.error().path), false;
  tree_ = std::move(*plan);
  wanted_bytes_ = tree_->wanted_bytes();
  if (shared_) shared_->manifest.layout = &tree_->layout();
  const content::ChunkMap& wanted = tree_->selection.wanted;
  for (std::uint32_t c = 0; c < core_->chunk_count; ++c) lengths_[c] = tree_->layout().chunk_payload(ChunkIndex(c));
  for (auto at = wanted.next_clear(ChunkIndex(0)); at; at = wanted.next_clear(*at + 1)) download_->set_unwanted(*at);
  return true;
}

bool Fetch::needs_sha256(AssemblyIndex assembly) const {
  if (swarm::mutant(swarm::Mutant::kTrustFastHashOfAnyone)) return false;
  const auto source = download_->sole_source(assembly);
  if (!source) return any_untrusted_;
  const Source& s = sources_[source->value()];
  return !s.peer || !s.trusted;  // a source that has left is nobody's friend
}

void Fetch::verify_chunk(Instant now, AssemblyIndex assembly) {
  const ChunkIndex chunk(download_->item(assembly).index);
  const MutableByteSpan bytes = buffer(assembly).first(download_->length(assembly));
  if (hashes_.finish(assembly.value(), download_->life(assembly), bytes) != *xxh3_.xxh3_of(chunk)) {
    bad_chunk(now, assembly);
    return;
  }
  if (needs_sha256(assembly)) {
    const auto expected = sha256_.sha256_of(chunk);
    if (!expected) {
      want_sha256_page(content::PageTable::sha256_page(chunk));
      if (waiting_for_sha256_.size() + 1 < assemblies_for(core_->chunk_bytes)) {
        waiting_for_sha256_.push_back(assembly);
      } else {  // the page needs a buffer, too: the last one does not wait, and its chunk comes again
        download_->on_verified(assembly);
        download_->on_write_failed(assembly);
      }
      return;
    }
    const unsigned height = content::chunk_tree_height(*core_);
    const Hash256 found = tree_ ? content::tree_chunk_sha256(tree_->layout(), chunk, bytes, height)
                                : content::chunk_sha256(bytes, height);
    if (found != *expected) {
      bad_chunk(now, assembly);
      return;
    }
  }
  download_->on_verified(assembly);
  if (swarm::mutant(swarm::Mutant::kServeUnwrittenChunk)) serve_chunk(chunk);
  if (!store_->write(chunk, assembly.value(), buffer(assembly))) download_->on_write_failed(assembly);
}

// Bytes under a good seal that are not what the content id says: whoever sent them all is to blame.
void Fetch::bad_chunk(Instant now, AssemblyIndex assembly) {
  const auto source = download_->sole_source(assembly);
  const swarm::Item item = download_->item(assembly);
  options_.transfer->push({.kind = EventKind::kChunkBad,
                           .text = item.table == TableId::kChunks ? "a chunk does not match its hash"
                                                                  : "a table page does not match the content id",
                           .number = item.index});
  download_->on_bad(now, assembly);
  if (!source) return;
  Source& s = sources_[source->value()];
  if (!s.peer || ++s.bad < kStrikes) return;
  wrong_bytes_ = true;
  Peer* peer = shard_->peer(s.peer);
  PN_CHECK(peer != nullptr);
  ban(*peer, "banned: sends wrong bytes");
}

}  // namespace peernet::node
