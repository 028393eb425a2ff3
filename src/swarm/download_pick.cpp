// Which chunk or page a source is asked for: one that it has begun, one that was left behind, a new one, or what
// another is slow with.
#include <algorithm>

#include "base/check.hpp"
#include "swarm/download.hpp"

namespace peernet::swarm {

using content::TableId;

namespace {

// Nothing asked of or received for an assembly for this long, beyond its owner's round trip: another goes on with it.
constexpr Duration kLeftBehind = 50ms;
constexpr std::uint32_t kRunTries = 32;

}  // namespace

// A disputed one belongs to whoever began it, until that source cannot go on.
bool Download::may_continue(Instant now, const Assembly& assembly, SourceIndex source) const {
  if (assembly.state != AssemblyState::kFilling) return false;
  const bool untouched = assembly.received_bytes == 0 && assembly.live_requests == 0;
  if (!assembly.disputed || untouched || assembly.owner == source)
    return assembly.asked.total() < assembly.length && may_ask(now, sources_[source.value()], assembly.item);
  return assembly.live_requests == 0 && abandoned(now, assembly) &&
         may_ask(now, sources_[source.value()], assembly.item);
}

// Its owner does not go on with it.
bool Download::abandoned(Instant now, const Assembly& assembly) const {
  if (assembly.live_requests > 0) return false;
  const Source& owner = sources_[assembly.owner.value()];
  if (!owner.used || owner.score.suspended(now) || !may_ask(now, owner, assembly.item)) return true;
  return now >= assembly.touched + kLeftBehind + owner.score.rtt();
}

// help: also one whose owner is still asked for parts of it; the one of which most is left.
std::optional<AssemblyIndex> Download::assembly_to_continue(Instant now, SourceIndex source, bool help) {
  std::optional<AssemblyIndex> left_behind;
  std::optional<AssemblyIndex> most_left;
  std::uint32_t left = 0;
  for (std::size_t i = 0; i < assemblies_.size(); ++i) {
    const Assembly& assembly = assemblies_[i];
    if (assembly.state != AssemblyState::kFilling || (!help && assembly.owner != source && assembly.live_requests > 0))
      continue;
    if (!may_continue(now, assembly, source)) continue;
    const AssemblyIndex index(static_cast<std::uint16_t>(i));
    if (assembly.owner == source) return index;
    if (!left_behind && abandoned(now, assembly)) left_behind = index;
    const std::uint32_t rest = assembly.length - assembly.asked.total();
    if (rest <= left) continue;
    most_left = index;
    left = rest;
  }
  return left_behind || !help ? left_behind : most_left;
}

// ---------------------------------------------------------------------------------------------- a new chunk

// The window ends as many wanted chunks after the first missing one as there are buffers for chunks: each of them may
// hold one, so that the first always finds one free.
std::optional<ChunkIndex> Download::pick_in_order(Instant now, const Source& source) {
  const auto passed = [this](std::uint32_t c) { return present_.test(ChunkIndex(c)) || unwanted_.test(ChunkIndex(c)); };
  while (first_missing_ < chunk_count_ && passed(first_missing_)) ++first_missing_;
  std::uint32_t room = usable_assemblies_ - spare_assemblies();
  for (std::uint32_t c = first_missing_; c < chunk_count_ && room > 0; --room) {
    if (availability_.is_open(ChunkIndex(c)) && may_ask(now, source, {TableId::kChunks, c})) return ChunkIndex(c);
    const auto next = unwanted_.next_clear(ChunkIndex(c + 1));
    if (!next) break;
    c = next->value();
  }
  return std::nullopt;
}

// Rarest first, ties at random. Where nothing distinguishes chunks, because every source has everything, runs of
// consecutive ones, which disks and page caches like best.
std::optional<ChunkIndex> Download::pick_chunk(Instant now, const Source& source) {
  if (availability_.open_count() == 0) return std::nullopt;
  if (options_.sequential) return pick_in_order(now, source);
  const auto may = [&](ChunkIndex chunk) { return may_ask(now, source, {TableId::kChunks, chunk.value()}); };
  const content::ChunkMap& open = availability_.open_chunks();
  if (partial_count_ == 0) {
    if (!source.has_all) return std::nullopt;
    for (std::uint32_t i = 0; i < kRunTries; ++i) {
      auto chunk = open.next_set(ChunkIndex(run_at_));
      if (!chunk) chunk = open.next_set(ChunkIndex(0));
      run_at_ = chunk->value() + 1;
      if (may(*chunk)) return chunk;
    }
    return std::nullopt;
  }
  if (const auto chunk = availability_.rarest(rng_, may)) return chunk;
  if (!source.has_all && source.have.size() == 0) return std::nullopt;
  // What it has is rare among what is open: look through the maps, from a random place on.
  const content::ChunkMap& had = source.has_all ? open : source.have;
  ChunkIndex from(static_cast<std::uint32_t>(rng_.below(chunk_count_)));
  for (std::uint32_t i = 0; i < kRunTries; ++i) {
    auto chunk = open.next_common(had, from);
    if (!chunk) chunk = open.next_common(had, ChunkIndex(0));
    if (!chunk) return std::nullopt;
    if (may(*chunk)) return chunk;
    from = *chunk + 1;
  }
  return std::nullopt;
}

std::optional<AssemblyIndex> Download::start_assembly(Instant now, SourceIndex source_index) {
  const Source& source = sources_[source_index.value()];
  const auto usable = std::span(assemblies_).first(usable_assemblies_);
  const auto free = std::ranges::find(usable, AssemblyState::kFree, &Assembly::state);
  if (free == usable.end()) return std::nullopt;
  Item item;
  std::uint32_t length = 0;
  bool disputed = false;
  const auto page = std::ranges::find_if(pages_, [&](const Page& p) { return may_ask(now, source, p.item); });
  if (page != pages_.end()) {
    item = page->item;
    length = page->length;
    disputed = page->disputed;
    pages_.erase(page);
  } else {
    if (!begun_) return std::nullopt;
    // The last free buffer is for pages: chunks may wait for the page that holds their hash.
    const auto left = std::ranges::count(usable, AssemblyState::kFree, &Assembly::state);
    if (left <= spare_assemblies()) return std::nullopt;
    const std::optional<ChunkIndex> chunk = pick_chunk(now, source);
    if (!chunk) return std::nullopt;
    item = {TableId::kChunks, chunk->value()};
    length = chunk_length(*chunk);
    disputed = disputed_.test(*chunk);
    busy_.set(*chunk);
    refresh(*chunk);
  }
  PN_CHECK(length > 0);
  make_room(*free, length);
  free->state = AssemblyState::kFilling;
  free->item = item;
  free->length = length;
  free->disputed = disputed;
  free->live_requests = 0;
  free->owner = free->first_source = source_index;
  free->touched = now;
  start_anew(*free);
  return AssemblyIndex(static_cast<std::uint16_t>(free - usable.begin()));
}

}  // namespace peernet::swarm
