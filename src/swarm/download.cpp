#include "swarm/download.hpp"

#include <algorithm>

#include "base/check.hpp"

namespace peernet::swarm {

using content::TableId;

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
}

void Download::begin_chunks(const Chunks& chunks) {
  PN_CHECK(!begun_ && chunks.assemblies > 0 && chunks.assemblies <= options_.assemblies);
  begun_ = true;
  usable_assemblies_ = chunks.assemblies;
  chunk_count_ = chunks.count;
  chunk_bytes_ = chunks.bytes;
  last_chunk_bytes_ = chunks.last_bytes;
  present_ = content::ChunkMap(chunks.count);
  busy_ = content::ChunkMap(chunks.count);
  verifiable_ = content::ChunkMap(chunks.count);
  disputed_ = content::ChunkMap(chunks.count);
  unwanted_ = content::ChunkMap(chunks.count);
  wanted_left_ = chunks.count;
  lengths_ = chunks.lengths;
  PN_CHECK(lengths_.empty() || lengths_.size() == chunks.count);
  // Taken now, so that no assembly allocates when it is used for the first time in the middle of a transfer.
  const std::uint32_t longest = chunks.count > 1 ? chunks.bytes : chunks.last_bytes;
  for (std::uint32_t i = 0; i < std::min<std::uint32_t>(chunks.assemblies, chunks.count); ++i)
    make_room(assemblies_[i], longest);
}

// More separate pieces than the smallest honest packets leave.
void Download::make_room(Assembly& assembly, std::uint32_t length) {
  const std::size_t ranges = std::max<std::size_t>(kPageRanges, length / 2048 + 32);
  if (assembly.state != AssemblyState::kFree || assembly.received.capacity() >= ranges) return;
  assembly.received = ByteRanges(ranges);
  assembly.asked = ByteRanges(ranges);
}

void Download::set_verifiable(ChunkIndex first, std::uint32_t count) {
  PN_CHECK(verifiable_.set_range({first, count}));
  search_from_ = std::min(search_from_, first.value());
}

void Download::set_present(ChunkIndex chunk) {
  if (present_.set(chunk) && !unwanted_.test(chunk)) --wanted_left_;
}

void Download::set_unwanted(ChunkIndex chunk) {
  if (unwanted_.set(chunk) && !present_.test(chunk)) --wanted_left_;
}

void Download::set_missing(ChunkIndex chunk) {
  if (!present_.reset(chunk)) return;
  if (!unwanted_.test(chunk)) ++wanted_left_;
  search_from_ = std::min(search_from_, chunk.value());
}

std::optional<SourceIndex> Download::add_source(Instant now) {
  for (std::size_t i = 0; i < sources_.size(); ++i) {
    if (sources_[i].used) continue;
    sources_[i] = Source{};
    sources_[i].used = true;
    sources_[i].score.start(now);
    ++source_count_;
    return SourceIndex(static_cast<std::uint16_t>(i));
  }
  return std::nullopt;
}

void Download::remove_source(SourceIndex source) {
  PN_CHECK(sources_[source.value()].used);
  give_back_all(source, true);
  sources_[source.value()].used = false;
  --source_count_;
}

bool Download::on_have(SourceIndex source, std::uint32_t first, std::uint32_t count) {
  Source& s = sources_[source.value()];
  if (!begun_ || first >= chunk_count_)
    return true;  // a HAVE before the core is known is sent again by the source's map
  if (s.have.size() == 0) s.have = content::ChunkMap(chunk_count_);
  s.have.set_range({ChunkIndex(first), std::min(count, chunk_count_ - first)});
  return true;
}

void Download::on_have_all(SourceIndex source) {
  sources_[source.value()].has_all = true;
}

void Download::set_round_trip(SourceIndex source, Duration smoothed, Duration) {
  sources_[source.value()].score.set_rtt(smoothed);
}

SourceReport Download::describe(SourceIndex source) const {
  const SourceScore& score = sources_[source.value()].score;
  return {.delivered = score.delivered(), .rate = score.rate(), .smoothed_rtt = score.rtt()};
}

const SourceScore& Download::score(SourceIndex source) const {
  return sources_[source.value()].score;
}

bool Download::source_has(const Source& source, Item item) const {
  if (item.table != TableId::kChunks) return true;  // whoever has joined has the tables
  return source.has_all || source.have.test(ChunkIndex(item.index));
}

std::uint32_t Download::chunk_length(ChunkIndex chunk) const {
  if (!lengths_.empty()) return lengths_[chunk.value()];
  return chunk.value() + 1 == chunk_count_ ? last_chunk_bytes_ : chunk_bytes_;
}

// ---------------------------------------------------------------------------------------------- arriving

RequestId Download::id_of(std::uint32_t slot) const {
  return RequestId((requests_[slot].generation << (kSlotBits + kDownloadBits)) | (options_.number << kSlotBits) | slot);
}

const Download::Request* Download::live_request(SourceIndex source, RequestId id) const {
  const std::uint32_t slot = id.value() % kMaxRequests;
  const Request& request = requests_[slot];
  if (request.state != RequestState::kLive || id_of(slot) != id || request.source != source) return nullptr;
  return &request;
}

Download::Request* Download::live_request(SourceIndex source, RequestId id) {
  return const_cast<Request*>(static_cast<const Download*>(this)->live_request(source, id));
}

std::optional<Target> Download::target(SourceIndex source, RequestId id, std::uint32_t offset,
                                       std::uint32_t length) const {
  const Request* request = live_request(source, id);
  if (request == nullptr || length == 0 || offset < request->offset) return std::nullopt;
  if (std::uint64_t{offset} + length > std::uint64_t{request->offset} + request->length) return std::nullopt;
  const Assembly& assembly = at(request->assembly);
  if (assembly.state != AssemblyState::kFilling) return std::nullopt;
  const Range<std::uint32_t> range{offset, offset + length};
  if (assembly.received.contains(range)) return std::nullopt;
  return Target{request->assembly, offset, assembly.received.intersects(range)};
}

Range<std::uint32_t> Download::missing(AssemblyIndex assembly, Range<std::uint32_t> within) const {
  return at(assembly).received.first_missing(within);
}

std::optional<AssemblyIndex> Download::on_data(Instant now, SourceIndex source, RequestId id, std::uint32_t offset,
                                               std::uint32_t length) {
  Request* request = live_request(source, id);
  if (request == nullptr) return std::nullopt;  // given back by an earlier piece of the same packet
  Assembly& assembly = at(request->assembly);
  const AssemblyIndex index = request->assembly;
  // A set that is full means more separate pieces than packets of honest size can make: the rest of the request is
  // given back and asked for again.
  if (!assembly.received.insert({offset, offset + length})) {
    end_request(*request, true);
    return std::nullopt;
  }
  assembly.received_bytes += length;
  request->missing -= length;
  received_bytes_ += length;
  outstanding_bytes_ -= length;
  sources_[source.value()].score.on_data(now, length);
  if (request->missing == 0) end_request(*request, false);
  if (assembly.received_bytes < assembly.length) return std::nullopt;
  assembly.state = AssemblyState::kVerifying;
  return index;
}

void Download::on_unwanted(SourceIndex, std::uint32_t length) {
  received_bytes_ += length;
  duplicate_bytes_ += length;
}

std::optional<Item> Download::asked_for(SourceIndex source, RequestId id) const {
  const Request* request = live_request(source, id);
  if (request == nullptr) return std::nullopt;
  return at(request->assembly).item;
}

void Download::on_reject(Instant now, SourceIndex source, RequestId id, Refusal why) {
  Request* request = live_request(source, id);
  if (request == nullptr) {
    on_request_gone(source, id);  // it crossed our CANCEL
    return;
  }
  const Item item = at(request->assembly).item;
  Source& s = sources_[source.value()];
  if (why == Refusal::kNotHad && item.table == TableId::kChunks) {
    if (s.have.size() == 0) s.have = content::ChunkMap(chunk_count_);
    if (s.has_all) s.have.set_all();
    s.has_all = false;
    s.have.reset(ChunkIndex(item.index));
  } else {
    s.score.on_failure(now, rng_);
  }
  end_request(*request, true);
}

void Download::on_request_gone(SourceIndex source, RequestId id) {
  const std::uint32_t slot = id.value() % kMaxRequests;
  Request& request = requests_[slot];
  if (request.state != RequestState::kCancelled || id_of(slot) != id || request.source != source) return;
  sources_[source.value()].score.on_forgotten(request.missing);
  outstanding_bytes_ -= request.missing;
  --sources_[source.value()].requests;
  request.state = RequestState::kFree;
  ++request.generation;
  free_requests_.push_back(slot);
}

// What has arrived of the range stays marked; the rest may be asked for again. Refused insertions only cost asking
// again.
void Download::forget_range(const Request& request) {
  Assembly& assembly = at(request.assembly);
  const std::uint32_t end = request.offset + request.length;
  assembly.asked.subtract({request.offset, end});
  for (const Range<std::uint32_t>& had : assembly.received.ranges())
    if (had.end > request.offset && had.first < end)
      assembly.asked.insert({std::max(had.first, request.offset), std::min(had.end, end)});
}

// Ends a live request. give_back: the bytes that did not come may be asked of others.
void Download::end_request(Request& request, bool give_back) {
  Assembly& assembly = at(request.assembly);
  --assembly.live_requests;
  if (give_back) {
    forget_range(request);
  }
  sources_[request.source.value()].score.on_forgotten(request.missing);
  outstanding_bytes_ -= request.missing;
  --sources_[request.source.value()].requests;
  request.state = RequestState::kFree;
  ++request.generation;
  free_requests_.push_back(static_cast<std::uint32_t>(&request - requests_.data()));
}

// session_ended: nothing of it can come any more; else each is cancelled and its credit waits for the confirmation.
void Download::give_back_all(SourceIndex source, bool session_ended) {
  for (std::uint32_t slot = 0; slot < kMaxRequests; ++slot) {
    Request& request = requests_[slot];
    if (request.state == RequestState::kFree || request.source != source) continue;
    if (request.state == RequestState::kCancelled) {
      if (session_ended) on_request_gone(source, id_of(slot));
      continue;
    }
    if (session_ended) {
      end_request(request, true);
      continue;
    }
    Assembly& assembly = at(request.assembly);
    --assembly.live_requests;
    forget_range(request);
    request.state = RequestState::kCancelled;
    cancels_.push_back(id_of(slot));
  }
  if (!session_ended) return;
  for (Assembly& assembly : assemblies_)  // the rest would be another's
    if (assembly.state == AssemblyState::kFilling && assembly.disputed && assembly.first_source == source)
      start_anew(assembly);
}

// ---------------------------------------------------------------------------------------------- assemblies

Item Download::item(AssemblyIndex assembly) const {
  return at(assembly).item;
}
std::uint32_t Download::length(AssemblyIndex assembly) const {
  return at(assembly).length;
}

std::optional<SourceIndex> Download::sole_source(AssemblyIndex assembly) const {
  if (at(assembly).several_sources) return std::nullopt;
  return at(assembly).first_source;
}

void Download::start_anew(Assembly& assembly) {
  PN_CHECK(assembly.live_requests == 0);
  assembly.received.clear();
  assembly.asked.clear();
  assembly.received_bytes = 0;
  assembly.several_sources = false;
}

void Download::free_assembly(Assembly& assembly) {
  PN_CHECK(assembly.live_requests == 0);
  if (assembly.item.table == TableId::kChunks) busy_.reset(ChunkIndex(assembly.item.index));
  assembly.state = AssemblyState::kFree;
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
  if (!assembly.several_sources && sources_[assembly.first_source.value()].used)
    sources_[assembly.first_source.value()].score.on_failure(now, rng_);
  const Item item = assembly.item;
  const std::uint32_t length = assembly.length;
  const bool disputed = assembly.disputed || assembly.several_sources;
  free_assembly(assembly);
  if (item.table == TableId::kChunks) {
    search_from_ = std::min(search_from_, item.index);
    if (disputed) disputed_.set(ChunkIndex(item.index));
  } else {
    want_page(item, length);
    pages_.back().disputed = disputed;
  }
}

void Download::on_written(AssemblyIndex index) {
  Assembly& assembly = at(index);
  PN_CHECK(assembly.state == AssemblyState::kWriting);
  const ChunkIndex chunk(assembly.item.index);
  free_assembly(assembly);
  set_present(chunk);
}

void Download::on_write_failed(AssemblyIndex index) {
  Assembly& assembly = at(index);
  PN_CHECK(assembly.state == AssemblyState::kWriting);
  search_from_ = std::min(search_from_, assembly.item.index);
  free_assembly(assembly);
}

// ---------------------------------------------------------------------------------------------- time

void Download::on_timeout(Instant now) {
  for (std::size_t i = 0; i < sources_.size(); ++i) {
    Source& s = sources_[i];
    if (!s.used || s.score.stall_at() > now || s.score.suspended(now)) continue;
    s.score.on_failure(now, rng_);
    // With nobody else to ask, what is outstanding may still come: retransmission is the session's business.
    if (source_count_ > 1) give_back_all(SourceIndex(static_cast<std::uint16_t>(i)), false);
  }
}

Instant Download::next_deadline(Instant now) const {
  Instant next = Instant::never();
  for (const Source& s : sources_) {
    if (!s.used) continue;
    next = std::min(next, s.score.suspended(now) ? s.score.suspended_until() : s.score.stall_at());
  }
  return next;
}

void Download::check_invariants() const {
  std::uint64_t outstanding = 0;
  std::uint32_t live = 0;
  for (const Request& request : requests_) {
    if (request.state == RequestState::kFree) continue;
    outstanding += request.missing;
    live += request.state == RequestState::kLive ? 1 : 0;
  }
  PN_CHECK(outstanding == outstanding_bytes_);
  std::uint32_t held = 0;
  for (const Assembly& assembly : assemblies_)
    held += assembly.state == AssemblyState::kFree ? 0u : assembly.live_requests;
  PN_CHECK(held == live);
}

}  // namespace peernet::swarm
