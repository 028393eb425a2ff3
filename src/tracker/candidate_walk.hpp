// A walk over a peer set that sees every record at most once, starts anywhere, and takes contiguous runs from several
// buckets before it takes all of one: few cache lines, and yet a different mixture each time. Which bucket a peer lies
// in is random (a keyed hash), so neighbouring buckets are as random a choice as any.
#pragma once

#include <array>
#include <cstdint>

#include "base/rng.hpp"
#include "tracker/peer_set.hpp"

namespace peernet::tracker {

enum class Part : std::uint8_t { kFront = 0, kBack = 1 };

/// The set may not change while it is walked. Each part is gone through in two laps: about a quarter of each bucket's
/// part (so that full and half full buckets are drawn from alike), then what is left.
template <class Record>
class CandidateWalk {
 public:
  CandidateWalk(const PeerSet<Record>& set, Rng& rng)
      : set_(set), first_(static_cast<std::uint32_t>(rng.below(set.bucket_count()))), seed_(rng.next()) {}

  /// see(record) for one after another until it returns false, `buckets` buckets are looked at, or all were seen. Goes
  /// on behind the last record seen when called again.
  template <class See>
  void run(Part part, std::uint32_t buckets, const See& see) {
    const std::uint32_t count = set_.bucket_count();
    for (const bool second : {false, true}) {
      Place& place = places_[static_cast<std::size_t>(part)][second ? 1 : 0];
      for (; place.bucket < count; ++place.bucket, place.at = 0) {
        if (buckets-- == 0) return;
        if (!walk_bucket(part, second, place, see)) return;
      }
    }
  }

 private:
  struct Place {
    std::uint32_t bucket = 0;  // counted from first_
    std::uint32_t at = 0;
  };

  std::uint32_t bucket_number(std::uint32_t nth) const {
    const std::uint64_t i = std::uint64_t{first_} + nth;
    return static_cast<std::uint32_t>(i < set_.bucket_count() ? i : i - set_.bucket_count());
  }

  template <class See>
  bool walk_bucket(Part part, bool second, Place& place, const See& see) {
    const std::uint32_t bucket = bucket_number(place.bucket);
    if (place.bucket + 1 < set_.bucket_count()) {
      const std::uint32_t next = bucket_number(place.bucket + 1);
      set_.prefetch_piece(next, part == Part::kFront ? 0 : set_.front_of(next));
    }
    std::span<const Record> records = set_.records(bucket);
    const std::uint32_t front = set_.front_of(bucket);
    records = part == Part::kFront ? records.first(front) : records.subspan(front);
    const auto length = static_cast<std::uint32_t>(records.size());
    if (length == 0) return true;
    // The same start in both laps, without remembering it.
    const std::uint64_t mixed = (seed_ ^ bucket) * 0x9e3779b97f4a7c15ULL;
    const auto start = static_cast<std::uint32_t>(((mixed >> 32) * length) >> 32);
    const std::uint32_t border = length / 4 + 1;
    const std::uint32_t end = second ? length : border;
    for (std::uint32_t k = (second ? border : 0) + place.at; k < end; ++k) {
      std::uint32_t i = start + k;
      if (i >= length) i -= length;
      ++place.at;
      if (!see(records[i])) return false;
    }
    return true;
  }

  const PeerSet<Record>& set_;  // outlives the walk
  std::uint32_t first_;
  std::uint64_t seed_;
  std::array<std::array<Place, 2>, 2> places_{};  // by part and lap
};

}  // namespace peernet::tracker
