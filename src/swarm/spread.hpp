// Distinct chunks first: what a complete source has given to whom lately, so that its receivers have something to give
// each other. A chunk that another receiver was given less than a second ago is refused as long as there are chunks
// that nobody was given. Two bytes a chunk, nothing per receiver and chunk.
//
// Shared by all shards that serve the content. Every value is a hint that stands for itself, so all is relaxed: two
// shards that look at the same moment may give one chunk twice, which costs what spreading would have saved, once.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "base/time.hpp"
#include "base/types.hpp"

namespace peernet::swarm {

class Spread {
 public:
  /// How receivers are told apart: one byte of whatever numbers them. Two that share it are not kept apart.
  using Receiver = std::uint8_t;

  explicit Spread(std::uint32_t chunks);

  /// Somebody who wants chunks came, or needs none any more.
  void on_receiver() { receivers_.fetch_add(1, std::memory_order_relaxed); }
  void on_receiver_gone() { receivers_.fetch_sub(1, std::memory_order_relaxed); }

  /// Whether this receiver should ask others for this chunk, or here again later.
  bool refuses(Instant now, ChunkIndex chunk, Receiver receiver) const;
  /// The receiver is being given bytes of this chunk: told at each request and piece of it.
  void on_given(Instant now, ChunkIndex chunk, Receiver receiver);

  std::uint32_t receivers() const { return receivers_.load(std::memory_order_relaxed); }
  /// Chunks that nobody was given yet.
  std::uint32_t fresh() const { return fresh_.load(std::memory_order_relaxed); }

  /// A chunk is refused for one tick less than this, or longer by less than a tick.
  static constexpr Duration kTick = std::chrono::milliseconds(125);
  static constexpr std::uint8_t kRefusedTicks = 8;

 private:
  // Times run in a circle of 255 ticks, 32 s: a chunk given that long ago, to the tick, may be refused once more.
  static constexpr std::uint8_t kTicks = 255;
  static std::uint8_t tick_of(Instant now);

  // Bytes of an entry: tick (1 to 255; 0: nobody was given it), receiver.
  using Given = std::atomic<std::uint16_t>;
  struct Release {
    void operator()(Given* entries) const;
  };

  std::uint32_t chunks_;
  std::unique_ptr<Given[], Release> given_;
  std::atomic<std::uint32_t> fresh_;
  std::atomic<std::uint32_t> receivers_{0};
};

}  // namespace peernet::swarm
