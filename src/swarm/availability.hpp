// How many sources have each chunk, and the chunks that may be begun ("open"), ordered by it: rarest first.
// Every change is a few swaps, whatever the size of the content: the open chunks stand in one array, cut into a bucket
// for each number of holders, and a chunk moves between neighbouring buckets across their border.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/rng.hpp"
#include "base/types.hpp"
#include "content/chunk_map.hpp"
#include "swarm/source_score.hpp"

namespace peernet::swarm {

class Availability {
 public:
  Availability() = default;
  /// Takes its memory here (9 bytes a chunk) and never again.
  explicit Availability(std::uint32_t chunks);

  /// One source more / less has this chunk. Sources that have everything are not counted here: they would raise all.
  void raise(ChunkIndex chunk);
  void lower(ChunkIndex chunk);
  std::uint32_t holders(ChunkIndex chunk) const { return holders_[chunk.value()]; }

  /// The chunk may be begun / not any more. Twice is harmless.
  void open(ChunkIndex chunk);
  void close(ChunkIndex chunk);
  bool is_open(ChunkIndex chunk) const { return open_.test(chunk); }
  const content::ChunkMap& open_chunks() const { return open_; }
  std::uint32_t open_count() const { return open_.count(); }

  /// A chunk with few holders that `may` accepts, ties at random: looks at a bounded number of chunks, from the rarest
  /// bucket on, so that nothing may be found although there is one.
  template <class May>
  std::optional<ChunkIndex> rarest(Rng& rng, const May& may) const {
    std::uint32_t looks = kMaxLooks;
    for (std::uint32_t holders = 0; holders <= highest_ && looks > 0; ++holders) {
      const std::uint32_t first = begin_[holders];
      const std::uint32_t size = begin_[holders + 1] - first;
      if (size == 0) continue;
      const auto start = static_cast<std::uint32_t>(rng.below(size));
      for (std::uint32_t i = 0; i < std::min(size, kLooksInBucket) && looks > 0; ++i, --looks) {
        // A small bucket is looked through, of a large one a few are drawn.
        const std::uint32_t at = size <= kLooksInBucket
                                     ? (start + i) % size
                                     : (i == 0 ? start : static_cast<std::uint32_t>(rng.below(size)));
        const ChunkIndex chunk(order_[first + at]);
        if (may(chunk)) return chunk;
      }
    }
    return std::nullopt;
  }

  void check_invariants() const;

 private:
  static constexpr std::uint32_t kMaxLooks = 64;
  static constexpr std::uint32_t kLooksInBucket = 16;

  void swap_places(std::uint32_t a, std::uint32_t b);
  void put(std::uint32_t place, std::uint32_t chunk) {
    order_[place] = chunk;
    place_[chunk] = place;
  }

  content::ChunkMap open_;
  std::vector<std::uint8_t> holders_;
  std::vector<std::uint32_t> order_;  // open chunks, by holders; its first open_.count() entries
  std::vector<std::uint32_t> place_;  // of an open chunk in order_
  // Where the bucket of each number of holders begins; those above highest_ are empty and not kept.
  std::array<std::uint32_t, kMaxSources + 2> begin_{};
  std::uint32_t highest_ = 0;
};

}  // namespace peernet::swarm
