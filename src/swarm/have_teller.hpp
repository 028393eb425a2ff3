// What one receiver is still to be told of the chunks that are served: what there was when it joined (as ranges if they
// are few, else as pages of the map), then what came since. Pure: the owner sends what next() says and tells that it
// was queued; with no room it asks again later, and nothing is lost.
//
// Life: kNew -> (kMap ->) kFollowing -> kDone; kDone at any time, once the content is complete.
#pragma once

#include <cstdint>
#include <optional>

#include "base/inplace_vector.hpp"
#include "base/time.hpp"
#include "content/chunk_map.hpp"
#include "swarm/have_log.hpp"

namespace peernet::swarm {

inline constexpr std::size_t kMaxNewsRanges = 64;
/// A receiver is told of new chunks no more often than this; the first one after a pause at once.
inline constexpr Duration kHaveFlushEvery = std::chrono::milliseconds(100);

/// One HAVE or HAVE_MAP to send.
struct HaveNews {
  enum class Kind : std::uint8_t { kRanges, kMapPage, kComplete };
  Kind kind = Kind::kRanges;
  InplaceVector<content::ChunkRange, kMaxNewsRanges> ranges;  ///< ascending, apart from each other
  std::uint32_t page = 0;                                     ///< kMapPage: written as it is when it is sent
  std::uint32_t cursor = 0;                                   ///< where the log has been read up to
};

class HaveTeller {
 public:
  /// The next thing to say, if it is time for it. Work is bounded by kMaxEntries of the log and one look over the map.
  std::optional<HaveNews> next(Instant now, const HaveLog& log) const;
  /// What next() has just returned is queued.
  void on_queued(Instant now, const HaveLog& log, const HaveNews& news);
  /// "Complete" is queued, without a log that would say so.
  void on_complete() { state_ = State::kDone; }
  /// When next() has something to say; never() if the log has nothing new.
  Instant next_deadline(const HaveLog& log) const;
  /// Everything was told: nothing comes any more.
  bool done() const { return state_ == State::kDone; }

 private:
  enum class State : std::uint8_t { kNew, kMap, kFollowing, kDone };
  static constexpr std::uint32_t kMaxEntries = 4096;  // of the log, in one news

  static std::optional<HaveNews> all_ranges(const HaveLog& log);
  static std::uint32_t page_with_chunks(const content::ChunkMap& map, std::uint32_t from);
  HaveNews new_ranges(const HaveLog& log) const;

  State state_ = State::kNew;
  std::uint32_t cursor_ = 0;  // entries of the log that were told
  std::uint32_t page_ = 0;    // the next one to tell
  Instant flush_at_;          // not before
};

}  // namespace peernet::swarm
