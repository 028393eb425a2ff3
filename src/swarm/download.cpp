// What there is to fetch, and the assemblies that hold it meanwhile.
#include "swarm/download.hpp"

#include <algorithm>

#include "base/check.hpp"
#include "swarm/mutants.hpp"

namespace peernet::swarm {

using content::TableId;

namespace {

// Contents up to this many chunks are fetched from their beginning on.
constexpr std::uint32_t kShortContent = 8;

}  // namespace

Download::Download(const DownloadOptions& options)
    : options_(options),
      rng_(options.seed),
      usable_assemblies_(options.assemblies),
      assemblies_(options.assemblies),
      requests_(kMaxRequests),
      sources_(kMaxSources) {
  PN_CHECK(options.assemblies > 0 && options.number < kMaxDownloads && options.socket_bytes > 0);
  free_requests_.reserve(kMaxRequests);
  for (std::uint32_t i = kMaxRequests; i-- > 0;) free_requests_.push_back(i);
  cancels_.reserve(kMaxRequests);
}

void Download::want_page(Item item, std::uint32_t length) {
  PN_CHECK(item.table != TableId::kChunks);
  for (const Page& page : pages_)
    if (page.item == item) return;
  for (const Assembly& assembly : assemblies_)
    if (assembly.state != AssemblyState::kFree && assembly.item == item) return;
  pages_.push_back({.item = item, .length = length});
  ++work_version_;
}

void Download::begin_chunks(const Chunks& chunks) {
  PN_CHECK(!begun_ && chunks.assemblies > 0 && chunks.assemblies <= options_.assemblies);
  PN_CHECK(chunks.lengths.empty() || chunks.lengths.size() == chunks.count);
  begun_ = true;
  usable_assemblies_ = chunks.assemblies;
  chunk_count_ = chunks.count;
  chunk_bytes_ = chunks.bytes;
  last_chunk_bytes_ = chunks.last_bytes;
  lengths_ = chunks.lengths;
  present_ = content::ChunkMap(chunks.count);
  busy_ = content::ChunkMap(chunks.count);
  verifiable_ = content::ChunkMap(chunks.count);
  disputed_ = content::ChunkMap(chunks.count);
  unwanted_ = content::ChunkMap(chunks.count);
  wanted_left_ = chunks.count;
  availability_ = Availability(chunks.count);
  // Receivers that begin at different places soon have something for each other.
  if (chunks.count > kShortContent) run_at_ = static_cast<std::uint32_t>(rng_.below(chunks.count));
  // Taken now, so that no assembly allocates when it is used for the first time in the middle of a transfer.
  const std::uint32_t longest = chunks.count > 1 ? chunks.bytes : chunks.last_bytes;
  for (std::uint32_t i = 0; i < std::min<std::uint32_t>(chunks.assemblies, chunks.count); ++i)
    make_room(assemblies_[i], longest);
  for (Source& source : sources_)
    if (source.used) take_early(source);
}

// More separate pieces than the smallest honest packets leave.
void Download::make_room(Assembly& assembly, std::uint32_t length) {
  const std::size_t ranges = std::max<std::size_t>(kPageRanges, length / 2048 + 32);
  if (assembly.state != AssemblyState::kFree || assembly.received.capacity() >= ranges) return;
  assembly.received = ByteRanges(ranges);
  assembly.asked = ByteRanges(ranges + kSpareRanges);
}

std::uint32_t Download::chunk_length(ChunkIndex chunk) const {
  if (!lengths_.empty()) return lengths_[chunk.value()];
  return chunk.value() + 1 == chunk_count_ ? last_chunk_bytes_ : chunk_bytes_;
}

// ---------------------------------------------------------------------------------------------- chunks

// Whether a chunk may be begun has changed.
void Download::refresh(ChunkIndex chunk) {
  const bool open = verifiable_.test(chunk) && !present_.test(chunk) && !busy_.test(chunk) && !unwanted_.test(chunk);
  if (open == availability_.is_open(chunk)) return;
  if (open) {
    availability_.open(chunk);
    open_bytes_ += chunk_length(chunk);
    first_missing_ = std::min(first_missing_, chunk.value());
    ++work_version_;
  } else {
    availability_.close(chunk);
    open_bytes_ -= chunk_length(chunk);
  }
}

void Download::set_verifiable(ChunkIndex first, std::uint32_t count) {
  PN_CHECK(verifiable_.set_range({first, count}));
  for (std::uint32_t i = 0; i < count; ++i) refresh(first + i);
}

void Download::set_present(ChunkIndex chunk) {
  if (present_.set(chunk) && !unwanted_.test(chunk)) --wanted_left_;
  refresh(chunk);
}

void Download::set_missing(ChunkIndex chunk) {
  if (!present_.reset(chunk)) return;
  if (!unwanted_.test(chunk)) {
    ++wanted_left_;
    first_missing_ = std::min(first_missing_, chunk.value());
  }
  refresh(chunk);
}

void Download::set_unwanted(ChunkIndex chunk) {
  if (unwanted_.set(chunk) && !present_.test(chunk)) --wanted_left_;
  refresh(chunk);
}

bool Download::complete() const {
  if (mutant(Mutant::kCompleteWithMissing) && wanted_left_ == 1) return begun_;
  return begun_ && wanted_left_ == 0;
}

// ---------------------------------------------------------------------------------------------- assemblies

Item Download::item(AssemblyIndex assembly) const {
  return at(assembly).item;
}
std::uint32_t Download::length(AssemblyIndex assembly) const {
  return at(assembly).length;
}

std::uint32_t Download::life(AssemblyIndex assembly) const {
  return at(assembly).life;
}

std::optional<SourceIndex> Download::sole_source(AssemblyIndex assembly) const {
  if (at(assembly).several_sources && !mutant(Mutant::kBanHonestOnMixedChunk)) return std::nullopt;
  return at(assembly).first_source;
}

void Download::start_anew(Assembly& assembly) {
  PN_CHECK(assembly.live_requests == 0);
  assembly.received.clear();
  assembly.asked.clear();
  assembly.received_bytes = 0;
  assembly.several_sources = false;
  if (++assembly.life == 0) assembly.life = 1;
}

// The chunk may be begun again unless it is present by now.
void Download::free_assembly(Assembly& assembly) {
  PN_CHECK(assembly.live_requests == 0);
  assembly.state = AssemblyState::kFree;
  ++work_version_;
  if (assembly.item.table != TableId::kChunks) return;
  const ChunkIndex chunk(assembly.item.index);
  busy_.reset(chunk);
  if (mutant(Mutant::kRarestNeverOpensAgain) && !present_.test(chunk)) return;
  refresh(chunk);
}

void Download::on_verified(AssemblyIndex index) {
  Assembly& assembly = at(index);
  PN_CHECK(assembly.state == AssemblyState::kVerifying);
  if (assembly.item.table == TableId::kChunks) {
    assembly.state = AssemblyState::kWriting;
  } else {
    free_assembly(assembly);
  }
}

void Download::on_bad(Instant now, AssemblyIndex index) {
  Assembly& assembly = at(index);
  PN_CHECK(assembly.state == AssemblyState::kVerifying);
  const bool known = !assembly.several_sources && sources_[assembly.first_source.value()].used;
  if (known) sources_[assembly.first_source.value()].score.on_failure(now, rng_);
  const Item item = assembly.item;
  const std::uint32_t length = assembly.length;
  const bool disputed = assembly.disputed || assembly.several_sources;
  if (item.table == TableId::kChunks && disputed) disputed_.set(ChunkIndex(item.index));
  if (known) avoid(sources_[assembly.first_source.value()], item, now + kFailedChunk, true);
  free_assembly(assembly);
  if (item.table == TableId::kChunks) return;
  want_page(item, length);
  pages_.back().disputed = disputed;
}

void Download::on_written(AssemblyIndex index) {
  Assembly& assembly = at(index);
  PN_CHECK(assembly.state == AssemblyState::kWriting);
  set_present(ChunkIndex(assembly.item.index));
  free_assembly(assembly);
}

void Download::on_write_failed(AssemblyIndex index) {
  PN_CHECK(at(index).state == AssemblyState::kWriting);
  free_assembly(at(index));
}

}  // namespace peernet::swarm
