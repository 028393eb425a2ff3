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
/// part (so that full and half full buckets are drawn from alike; of small buckets all), then what is left.
template <class Record>
class CandidateWalk {
 public:
  CandidateWalk(const PeerSet<Record>& set, Rng& rng)
      : set_(set), first_(static_cast<std::uint32_t>(rng.below(set.bucket_count()))), seed_(rng.next()) {
    for (std::uint32_t n = 0; n < 2 * kAhead; ++n) prefetch_bucket(n);
  }

  /// see(record) for one after another until it returns false, `buckets` buckets are looked at, or all were seen. Goes
  /// on behind the last record seen when called again.
  template <class See>
  void run(Part part, std::uint32_t buckets, const See& see) {
    const std::uint32_t count = set_.bucket_count();
    for (const bool second : {false, true}) {
      Place& place = places_[static_cast<std::size_t>(part)][second ? 1 : 0];
      for (std::uint32_t n = 0; n < kAhead; ++n) prefetch_records(part, place.bucket + n);
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

  /// A part of a bucket, and where in it the laps begin: the same in both, without remembering it.
  struct Piece {
    std::uint32_t front = 0;  // of the part, in the bucket
    std::uint32_t length = 0;
    std::uint32_t start = 0;
  };
  Piece piece_of(Part part, std::uint32_t bucket) const {
    const std::uint32_t front = set_.front_of(bucket);
    Piece out;
    if (part == Part::kFront) {
      out.length = front;
    } else {
      out.front = front;
      out.length = static_cast<std::uint32_t>(set_.records(bucket).size()) - front;
    }
    const std::uint64_t mixed = (seed_ ^ bucket) * 0x9e3779b97f4a7c15ULL;
    out.start = static_cast<std::uint32_t>(((mixed >> 32) * out.length) >> 32);
    return out;
  }
  static std::uint32_t first_lap(const Piece& piece) {
    return Record::kPerBucket <= 8 ? piece.length : piece.length / 4 + 1;
  }

  /// Memory is asked some buckets ahead: first for the bucket, then for the records in it that a first lap takes.
  void prefetch_bucket(std::uint32_t nth) const {
    if (nth < set_.bucket_count()) set_.prefetch_bucket_number(bucket_number(nth));
  }
  void prefetch_records(Part part, std::uint32_t nth) const {
    if (nth >= set_.bucket_count()) return;
    const std::uint32_t bucket = bucket_number(nth);
    const Piece piece = piece_of(part, bucket);
    if (piece.length != 0) set_.prefetch_piece(bucket, piece.front + piece.start, first_lap(piece));
  }

  template <class See>
  bool walk_bucket(Part part, bool second, Place& place, const See& see) {
    prefetch_bucket(place.bucket + 2 * kAhead);
    prefetch_records(part, place.bucket + kAhead);
    const std::uint32_t bucket = bucket_number(place.bucket);
    const Piece piece = piece_of(part, bucket);
    if (piece.length == 0) return true;
    const std::span<const Record> records = set_.records(bucket).subspan(piece.front, piece.length);
    const std::uint32_t border = first_lap(piece);
    const std::uint32_t end = second ? piece.length : border;
    for (std::uint32_t k = (second ? border : 0) + place.at; k < end; ++k) {
      std::uint32_t i = piece.start + k;
      if (i >= piece.length) i -= piece.length;
      ++place.at;
      if (!see(records[i])) return false;
    }
    return true;
  }

  static constexpr std::uint32_t kAhead = 6;

  const PeerSet<Record>& set_;  // outlives the walk
  std::uint32_t first_;
  std::uint64_t seed_;
  std::array<std::array<Place, 2>, 2> places_{};  // by part and lap
};

}  // namespace peernet::tracker
