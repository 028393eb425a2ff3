#include "swarm/have_teller.hpp"

#include <algorithm>

#include "base/check.hpp"
#include "swarm/mutants.hpp"

namespace peernet::swarm {
namespace {

using Ranges = InplaceVector<content::ChunkRange, kMaxNewsRanges>;

// False: one range more than fits would be needed, and nothing has changed.
bool add_chunk(Ranges& ranges, ChunkIndex chunk) {
  std::size_t at = ranges.size();  // of the first range behind the chunk
  while (at > 0 && ranges[at - 1].first > chunk) --at;
  const bool joins_left = at > 0 && ranges[at - 1].first.value() + ranges[at - 1].count == chunk.value();
  const bool joins_right = at < ranges.size() && chunk.value() + 1 == ranges[at].first.value();
  if (joins_left) {
    ++ranges[at - 1].count;
    if (!joins_right) return true;
    ranges[at - 1].count += ranges[at].count;
    for (std::size_t i = at + 1; i < ranges.size(); ++i) ranges[i - 1] = ranges[i];
    ranges.pop_back();
    return true;
  }
  if (joins_right) {
    ranges[at].first = chunk;
    ++ranges[at].count;
    return true;
  }
  if (!ranges.try_push_back({chunk, 1})) return false;
  for (std::size_t i = ranges.size() - 1; i > at; --i) std::swap(ranges[i], ranges[i - 1]);
  return true;
}

}  // namespace

std::optional<HaveNews> HaveTeller::all_ranges(const HaveLog& log) {
  HaveNews news;
  news.cursor = log.count();
  for (auto run = log.map().next_run(ChunkIndex(0)); run;
       run = log.map().next_run(ChunkIndex(run->first.value() + run->count)))
    if (!news.ranges.try_push_back(*run)) return std::nullopt;
  return news;
}

// Empty pages are not worth a frame.
std::uint32_t HaveTeller::page_with_chunks(const content::ChunkMap& map, std::uint32_t from) {
  if (from >= map.map_pages()) return map.map_pages();
  const auto chunk = map.next_set(ChunkIndex(from * content::kChunksPerMapPage));
  return chunk ? chunk->value() / content::kChunksPerMapPage : map.map_pages();
}

HaveNews HaveTeller::new_ranges(const HaveLog& log) const {
  HaveNews news;
  news.cursor = cursor_;
  const std::uint32_t end = cursor_ + std::min(log.count() - cursor_, kMaxEntries);
  while (news.cursor < end && add_chunk(news.ranges, log.at(news.cursor))) ++news.cursor;
  if (mutant(Mutant::kHaveCursorSkips) && news.cursor < log.count()) ++news.cursor;
  return news;
}

std::optional<HaveNews> HaveTeller::next(Instant now, const HaveLog& log) const {
  if (next_deadline(log) > now) return std::nullopt;
  HaveNews news;
  if (log.complete()) {
    news.kind = HaveNews::Kind::kComplete;
    return news;
  }
  if (state_ == State::kFollowing) return new_ranges(log);
  if (state_ == State::kNew) {
    if (auto few = all_ranges(log)) return few;
  }
  news.kind = HaveNews::Kind::kMapPage;
  news.page = page_with_chunks(log.map(), page_);
  news.cursor = state_ == State::kNew ? log.count() : cursor_;
  return news;
}

void HaveTeller::on_queued(Instant now, const HaveLog& log, const HaveNews& news) {
  switch (news.kind) {
    case HaveNews::Kind::kComplete:
      state_ = State::kDone;
      return;
    case HaveNews::Kind::kMapPage:
      // What the log gains while pages go out is told behind them, where a page has not told it already.
      cursor_ = news.cursor;
      page_ = page_with_chunks(log.map(), news.page + 1);
      state_ = page_ < log.map().map_pages() ? State::kMap : State::kFollowing;
      break;
    case HaveNews::Kind::kRanges:
      cursor_ = news.cursor;
      state_ = State::kFollowing;
      break;
  }
  if (cursor_ >= log.count()) flush_at_ = now + kHaveFlushEvery;
}

Instant HaveTeller::next_deadline(const HaveLog& log) const {
  switch (state_) {
    case State::kDone:
      return Instant::never();
    case State::kNew:
      return log.count() > 0 ? Instant::from_ns(0) : Instant::never();
    case State::kMap:
      return Instant::from_ns(0);
    case State::kFollowing:
      break;
  }
  // The end of a download is waited for by others: it is told at once.
  if (log.complete()) return Instant::from_ns(0);
  return cursor_ < log.count() ? flush_at_ : Instant::never();
}

}  // namespace peernet::swarm
