// The sources: what each has, what it is not asked for, how it failed, and what is told about it.
#include <algorithm>

#include "base/check.hpp"
#include "swarm/download.hpp"
#include "swarm/mutants.hpp"

namespace peernet::swarm {

using content::TableId;

namespace {

// A source may tell of each chunk this often before it is thought to keep us busy: once as it comes, again in maps.
constexpr std::uint64_t kHaveRepeats = 8;
constexpr std::uint64_t kHaveGrace = 65'536;
constexpr Duration kSpreadingPause = 1s;
constexpr Duration kSpreadingPauseAlone = 125ms;  // with nobody else to get it from
constexpr Duration kBusyPause = 100ms;
constexpr Duration kPageNotHad = 1s;
// A source that refuses one chunk after the other is left alone for a moment.
constexpr Duration kRefusesAll = 100ms;

}  // namespace

Download::Source& Download::source_at(SourceIndex source) {
  PN_CHECK(sources_[source.value()].used);
  return sources_[source.value()];
}

std::optional<SourceIndex> Download::add_source(Instant now) {
  for (std::size_t i = 0; i < sources_.size(); ++i) {
    if (sources_[i].used) continue;
    sources_[i] = Source{};
    sources_[i].used = true;
    sources_[i].score.start(now);
    sources_[i].asked_at = now;
    ++source_count_;
    return SourceIndex(static_cast<std::uint16_t>(i));
  }
  return std::nullopt;
}

void Download::remove_source(SourceIndex source) {
  Source& s = source_at(source);
  give_back_all(last_now_, source, true);
  drop_map(s);
  s = Source{};
  --source_count_;
  // Its number may be another's soon, who is not to blame for its bytes.
  for (Assembly& assembly : assemblies_)
    if (assembly.state != AssemblyState::kFree && assembly.first_source == source && assembly.received_bytes > 0)
      assembly.several_sources = true;
  ++work_version_;
  if (source_count_ == 1) forget_spreading();
}

/// What one source would not give because others should have it first is asked of it again: the others are gone.
void Download::forget_spreading() {
  for (Source& s : sources_) {
    if (!s.used) continue;
    for (Avoided& avoided : s.avoided)
      if (!avoided.failed && avoided.item.table == TableId::kChunks) avoided.until = std::min(avoided.until, last_now_);
    s.idle_version = 0;
  }
}

// ---------------------------------------------------------------------------------------------- what they have

bool Download::on_have(SourceIndex source, std::uint32_t first, std::uint32_t count) {
  Source& s = source_at(source);
  if (!begun_) {
    if (first >= kEarlyHave || count > kEarlyHave - first) return false;
    if (s.early.size() == 0) s.early = content::ChunkMap(kEarlyHave);
    return s.early.set_range({ChunkIndex(first), count});
  }
  if (first > chunk_count_ || count > chunk_count_ - first) return false;
  s.have_told += count;
  if (s.have_told > kHaveRepeats * chunk_count_ + kHaveGrace) return false;
  for (std::uint32_t i = 0; i < count; ++i) add_have(s, ChunkIndex(first + i));
  return true;
}

void Download::add_have(Source& source, ChunkIndex chunk) {
  if (source.has_all) {
    const auto end = source.lacks.begin() + source.lack_count;
    const auto it = std::find(source.lacks.begin(), end, chunk.value());
    if (it == end) return;
    *it = source.lacks[--source.lack_count];
    ++work_version_;
    return;
  }
  if (source.have.size() == 0) source.have = content::ChunkMap(chunk_count_);
  if (!source.have.set(chunk)) return;
  if (source.have.count() == 1) ++partial_count_;
  availability_.raise(chunk);
  if (availability_.is_open(chunk) || busy_.test(chunk)) source.idle_version = 0;
  if (source.have.full() && !source.all_revoked) become_all(source);
}

void Download::take_early(Source& source) {
  for (auto c = source.early.next_set(ChunkIndex(0)); c && c->value() < chunk_count_; c = source.early.next_set(*c + 1))
    add_have(source, *c);
  source.early = {};
}

void Download::drop_map(Source& source) {
  if (!has_map(source)) return;
  for (auto c = source.have.next_set(ChunkIndex(0)); c; c = source.have.next_set(*c + 1)) availability_.lower(*c);
  source.have.clear();
  --partial_count_;
}

void Download::become_all(Source& source) {
  drop_map(source);
  source.has_all = true;
  source.lack_count = 0;
  source.idle_version = 0;
}

void Download::on_have_all(SourceIndex source) {
  Source& s = source_at(source);
  if (!s.has_all && !s.all_revoked) become_all(s);
}

void Download::forget_have(Source& source, ChunkIndex chunk) {
  if (!source.has_all) {
    if (source.have.size() == 0 || !source.have.reset(chunk)) return;
    if (source.have.none()) --partial_count_;
    availability_.lower(chunk);
    return;
  }
  if (source.lack_count < source.lacks.size()) {
    source.lacks[source.lack_count++] = chunk.value();
    return;
  }
  // It said "everything" and lacks more than an unlucky disk explains: from now on it has what it names.
  source.has_all = false;
  source.all_revoked = true;
}

bool Download::source_has(const Source& source, const Item& item) const {
  if (item.table != TableId::kChunks) return true;  // whoever has joined has the tables, or says no
  if (!source.has_all) return source.have.test(ChunkIndex(item.index));
  const auto end = source.lacks.begin() + source.lack_count;
  return std::find(source.lacks.begin(), end, item.index) == end;
}

// ---------------------------------------------------------------------------------------------- what is not asked

void Download::avoid(Source& source, const Item& item, Instant until, bool failed) {
  for (Avoided& avoided : source.avoided)
    if (avoided.item == item && avoided.until >= until - kSpreadingPause && avoided.failed == failed) {
      avoided.until = std::max(avoided.until, until);
      return;
    }
  source.avoided[source.next_avoided] = {.item = item, .until = until, .failed = failed};
  source.next_avoided = static_cast<std::uint8_t>((source.next_avoided + 1u) % source.avoided.size());
}

// Somebody else who can be asked for it, and with whom it has not failed as well.
bool Download::others_able(Instant now, const Source& except, const Item& item) const {
  const auto avoided = [&](const Source& s) {
    return std::ranges::any_of(s.avoided, [&](const Avoided& a) { return now < a.until && a.item == item; });
  };
  return std::ranges::any_of(sources_, [&](const Source& s) {
    return &s != &except && s.used && !s.score.suspended(now) && source_has(s, item) && !avoided(s);
  });
}

// Who has no chunk yet hardly has the tables either: asked only while nobody else can be.
bool Download::others_have_told(Instant now, const Source& except, const Item& item) const {
  if (item.table == TableId::kChunks || except.has_told()) return false;
  return std::ranges::any_of(
      sources_, [&](const Source& s) { return &s != &except && s.used && s.has_told() && !s.score.suspended(now); });
}

bool Download::may_ask(Instant now, const Source& source, const Item& item) const {
  if (!source_has(source, item) || others_have_told(now, source, item)) return false;
  for (const Avoided& avoided : source.avoided)
    if (now < avoided.until && avoided.item == item && (!avoided.failed || others_able(now, source, item)))
      return false;
  return true;
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
  Source& s = source_at(source);
  ++s.refused;
  const bool chunk = item.table == TableId::kChunks;
  if (why == Refusal::kNotHad && chunk) {
    if (!mutant(Mutant::kHaveNeverForgotten)) forget_have(s, ChunkIndex(item.index));
  } else if (why == Refusal::kNotHad) {
    avoid(s, item, now + kPageNotHad, false);
  } else if (why == Refusal::kBusy) {
    s.score.pause(now, kBusyPause);
  } else if (why == Refusal::kSpreading && !mutant(Mutant::kSpreadingIsAFailure)) {
    ++s.spread;
    avoid(s, item, now + (source_count_ > 1 ? kSpreadingPause : kSpreadingPauseAlone), false);
    if (std::ranges::all_of(s.avoided, [now](const Avoided& a) { return now < a.until && !a.failed; }))
      s.score.pause(now, kRefusesAll);
    // The run of consecutive chunks has met another receiver's.
    if (chunk_count_ > 0) run_at_ = static_cast<std::uint32_t>(rng_.below(chunk_count_));
  } else {
    s.score.on_failure(now, rng_);
    avoid(s, item, now + kFailedChunk, true);
  }
  end_request(*request, true);
}

// ---------------------------------------------------------------------------------------------- time

void Download::on_timeout(Instant now) {
  last_now_ = std::max(last_now_, now);
  for (std::size_t i = 0; i < sources_.size(); ++i) {
    Source& s = sources_[i];
    if (!s.used || s.score.stall_at() > now || s.score.suspended(now)) continue;
    s.score.on_failure(now, rng_);
    give_back_all(now, SourceIndex(static_cast<std::uint16_t>(i)), false);
  }
  take_overdue(now);
}

Instant Download::next_deadline(Instant now) const {
  Instant next = overdue_at_;
  for (const Source& s : sources_) {
    if (!s.used) continue;
    next = std::min(next, s.score.suspended(now) ? s.score.suspended_until() : s.score.stall_at());
    if (s.idle_version == work_version_ && s.idle_until > now) next = std::min(next, s.idle_until);
  }
  return next;
}

// ---------------------------------------------------------------------------------------------- telling

void Download::set_round_trip(SourceIndex source, Duration smoothed, Duration minimum) {
  source_at(source).score.set_rtt(smoothed, minimum);
}

const SourceScore& Download::score(SourceIndex source) const {
  return sources_[source.value()].score;
}

SourceReport Download::describe(SourceIndex source) const {
  const Source& s = sources_[source.value()];
  SourceReport report{.delivered = s.score.delivered(),
                      .duplicates = s.duplicates,
                      .rate = s.score.rate(),
                      .smoothed_rtt = s.score.rtt(),
                      .minimum_rtt = s.score.min_rtt(),
                      .requests = s.asked,
                      .explored = s.explored,
                      .refused = s.refused,
                      .failures = static_cast<std::uint32_t>(s.score.total_failures()),
                      .suspensions = s.score.suspensions()};
  double best_rate = 0;
  for (const Source& other : sources_)
    if (other.used) best_rate = std::max(best_rate, other.score.rate());
  const auto use = [&] {
    if (s.asked == 0) return SourceUse::kNothingAsked;
    if (s.score.failures() > 0 || s.score.total_failures() > 3) return SourceUse::kSuspended;
    if (s.score.delivered() == 0) return s.spread > 0 ? SourceUse::kSpreading : SourceUse::kNeverAnswered;
    if (s.far_ticks * 3 > s.ticks) return SourceUse::kFar;
    if (s.full_ticks * 2 > s.ticks) return SourceUse::kFullRate;
    if (s.spread * 2 > s.asked) return SourceUse::kSpreading;
    if (s.score.rate() * 4 < best_rate) return SourceUse::kSlow;
    return SourceUse::kPartly;
  };
  report.use = use();
  return report;
}

}  // namespace peernet::swarm
