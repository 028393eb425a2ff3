// Which request is sent next: how much a source may hold, which source has room, which item it is asked for.
#include <algorithm>

#include "base/check.hpp"
#include "swarm/download.hpp"

namespace peernet::swarm {

using content::TableId;

namespace {

// Requests are cut at multiples of this, so that pieces of one chunk stay few and disk reads at the source are aligned.
constexpr std::uint32_t kPieceBytes = 16 * 1024;
// What one source may have outstanding before its rate is known to need more: a sleeping receiver costs 170 to 440 us a
// round trip, and below 2 MiB that shows (measured by a sweep of the credit window on loopback).
constexpr std::uint64_t kWindowFloor = 2u << 20;
constexpr double kWindowOfRate = 2.0;  // times rate x RTT: room for the congestion window to double in a round trip
constexpr std::uint64_t kFirstWindow = 256 * 1024;  // a source that has not delivered yet holds one range

constexpr Duration kNear = 2ms;

bool near(const SourceScore& score) {
  return score.rtt() < kNear;
}

}  // namespace

std::uint64_t Download::window_bytes(const SourceScore& score) const {
  std::uint64_t window = kFirstWindow;
  if (score.delivered() != 0) {
    const double of_rate = kWindowOfRate * score.rate() * (static_cast<double>(score.rtt().count()) * 1e-9);
    window = std::max(kWindowFloor, static_cast<std::uint64_t>(of_rate));
  }
  return std::min(window, near(score) ? options_.socket_bytes : options_.max_outstanding_bytes);
}

// A quarter of what may be outstanding, so that credit returns in quarters of the window and never all at once.
std::uint32_t Download::request_bytes(const Source& source) const {
  const std::uint64_t piece = std::max<std::uint64_t>(window_bytes(source.score) / 4, kPieceBytes);
  return static_cast<std::uint32_t>(piece / kPieceBytes * kPieceBytes);
}

// ---------------------------------------------------------------------------------------------- choosing

std::optional<SourceIndex> Download::pick_source(Instant now) const {
  std::uint64_t near_outstanding = 0;
  for (const Source& s : sources_)
    if (s.used && near(s.score)) near_outstanding += s.score.outstanding();
  std::optional<SourceIndex> best;
  double best_fill = 1.0;
  for (std::size_t i = 0; i < sources_.size(); ++i) {
    const Source& s = sources_[i];
    if (!s.used || s.score.suspended(now)) continue;
    if (near(s.score) && near_outstanding >= options_.socket_bytes) continue;
    const double fill = static_cast<double>(s.score.outstanding()) / static_cast<double>(window_bytes(s.score));
    if (fill >= best_fill) continue;
    best_fill = fill;
    best = SourceIndex(static_cast<std::uint16_t>(i));
  }
  return best;
}

// A disputed one belongs to whoever began it, until that source cannot go on.
bool Download::may_continue(Instant now, const Assembly& assembly, SourceIndex source) const {
  if (assembly.state != AssemblyState::kFilling || !source_has(sources_[source.value()], assembly.item)) return false;
  const bool untouched = assembly.received_bytes == 0 && assembly.live_requests == 0;
  if (!assembly.disputed || untouched || assembly.first_source == source)
    return !assembly.asked.contains({0, assembly.length});
  const Source& first = sources_[assembly.first_source.value()];
  const bool able = first.used && source_has(first, assembly.item) && !first.score.suspended(now);
  return assembly.live_requests == 0 && !able;
}

std::optional<AssemblyIndex> Download::assembly_to_continue(Instant now, SourceIndex source) {
  for (std::size_t i = 0; i < assemblies_.size(); ++i) {
    Assembly& assembly = assemblies_[i];
    if (!may_continue(now, assembly, source)) continue;
    if (assembly.disputed && assembly.first_source != source) start_anew(assembly);
    return AssemblyIndex(static_cast<std::uint16_t>(i));
  }
  return std::nullopt;
}

std::optional<ChunkIndex> Download::pick_chunk(const Source& source) {
  bool all_before_settled = true;
  for (std::uint32_t c = search_from_; c < chunk_count_; ++c) {
    const bool settled = present_.test(ChunkIndex(c)) || busy_.test(ChunkIndex(c)) || unwanted_.test(ChunkIndex(c));
    if (all_before_settled && settled) {
      search_from_ = c + 1;
      continue;
    }
    all_before_settled = false;
    if (!settled && verifiable_.test(ChunkIndex(c)) && source_has(source, {TableId::kChunks, c})) return ChunkIndex(c);
  }
  return std::nullopt;
}

std::optional<AssemblyIndex> Download::start_assembly(const Source& source) {
  const auto usable = std::span(assemblies_).first(usable_assemblies_);
  const auto free = std::ranges::find(usable, AssemblyState::kFree, &Assembly::state);
  if (free == usable.end()) return std::nullopt;
  Item item;
  std::uint32_t length = 0;
  bool disputed = false;
  if (!pages_.empty()) {
    item = pages_.front().item;
    length = pages_.front().length;
    disputed = pages_.front().disputed;
    pages_.erase(pages_.begin());
  } else {
    if (!begun_) return std::nullopt;
    const std::optional<ChunkIndex> chunk = pick_chunk(source);
    if (!chunk) return std::nullopt;
    item = {TableId::kChunks, chunk->value()};
    length = chunk_length(*chunk);
    disputed = disputed_.test(*chunk);
    busy_.set(*chunk);
  }
  make_room(*free, length);
  free->state = AssemblyState::kFilling;
  free->item = item;
  free->length = length;
  free->disputed = disputed;
  free->live_requests = 0;
  start_anew(*free);
  return AssemblyIndex(static_cast<std::uint16_t>(free - usable.begin()));
}

std::optional<RequestPlan> Download::next_request(Instant now) {
  if (free_requests_.empty() || outstanding_bytes_ >= options_.max_outstanding_bytes) return std::nullopt;
  const std::optional<SourceIndex> source = pick_source(now);
  if (!source) return std::nullopt;
  return request_from(now, *source);
}

std::optional<RequestPlan> Download::request_from(Instant now, SourceIndex source_index) {
  Source& source = sources_[source_index.value()];
  std::optional<AssemblyIndex> index = assembly_to_continue(now, source_index);
  if (!index) index = start_assembly(source);
  if (!index) return std::nullopt;
  Assembly& assembly = at(*index);

  const Range<std::uint32_t> gap = assembly.asked.first_missing({0, assembly.length});
  PN_CHECK(!gap.empty());
  const std::uint32_t length = std::min(gap.size(), request_bytes(source));

  const std::uint32_t slot = free_requests_.back();
  free_requests_.pop_back();
  Request& request = requests_[slot];
  request.state = RequestState::kLive;
  request.cancel_queued = false;
  request.assembly = *index;
  request.source = source_index;
  request.offset = gap.first;
  request.length = length;
  request.missing = length;

  PN_CHECK(assembly.asked.insert({gap.first, gap.first + length}));
  if (assembly.received_bytes == 0 && assembly.live_requests == 0) assembly.first_source = source_index;
  if (assembly.first_source != source_index) assembly.several_sources = true;
  ++assembly.live_requests;
  ++source.requests;
  source.score.on_request(now, length);
  outstanding_bytes_ += length;
  const auto patience = std::chrono::duration_cast<std::chrono::milliseconds>(source.score.stall_patience());
  return RequestPlan{source_index, id_of(slot), assembly.item,
                     gap.first,    length,      static_cast<std::uint32_t>(patience.count())};
}

std::optional<std::pair<SourceIndex, RequestId>> Download::next_cancel() {
  while (!cancels_.empty()) {
    const RequestId id = cancels_.back();
    cancels_.pop_back();
    const Request& request = requests_[id.value() % kMaxRequests];
    if (request.state == RequestState::kCancelled && id_of(id.value() % kMaxRequests) == id)
      return std::pair(request.source, id);
  }
  return std::nullopt;
}

}  // namespace peernet::swarm
