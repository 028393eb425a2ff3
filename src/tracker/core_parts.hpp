// The inside of a TrackerCore, for its own translation units: tracker_core.cpp (dispatch, the clock hand),
// answers_legacy.cpp (BEP 15), answers_nodes.cpp (the extension), visits.cpp (people and snapshots).
#pragma once

#include <atomic>
#include <memory>
#include <string_view>
#include <vector>

#include "tracker/connection_ids.hpp"
#include "tracker/stripe.hpp"
#include "tracker/tracker_core.hpp"

namespace peernet::tracker {

/// A request under way: valid for one answer().
struct Asked {
  Instant now;
  Moment moment;
  const Address& from;
  ByteSpan datagram;
  MutableByteSpan out;
  Counters& counters;
  wire::TrackerHeader header;
};

struct TrackerCore::Parts {
  static constexpr int kStripeBits = 6;
  static constexpr std::uint32_t kStripes = 1u << kStripeBits;

  explicit Parts(const CoreOptions& options);

  static std::uint32_t stripe_number(const SwarmName& name) {
    return static_cast<std::uint32_t>(name.hash >> (64 - kStripeBits));
  }
  Stripe& stripe_of(const SwarmName& name) { return *stripes[stripe_number(name)]; }
  std::uint32_t beat_ms() const {
    return static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::milliseconds>(times.beat).count());
  }

  std::size_t dispatch(const Asked& asked);
  std::size_t connect(const Asked& asked);
  std::size_t announce(const Asked& asked);
  std::size_t scrape(const Asked& asked);
  std::size_t node_announce(const Asked& asked);
  std::size_t heartbeat(const Asked& asked);
  std::size_t query(const Asked& asked);

  /// The next slice of a walk over all stripes: f(swarm, record) for each living peer, under a lock. In visits.cpp.
  template <class F>
  void visit_slice(Moment now, VisitCursor& cursor, const F& f);

  /// The error reply to an asker whose address is proven.
  static std::size_t refuse(const Asked& asked, wire::TrackerRefusal refusal);
  static std::size_t refuse(const Asked& asked, Listing refusal);
  /// No longer than the request.
  static std::size_t refuse_unproven(const Asked& asked, wire::TrackerRefusal refusal);

  const Times times;
  const std::uint32_t epoch;
  ConnectionIds ids;
  Shared shared;
  std::vector<std::unique_ptr<Stripe>> stripes;

  // The clock hand; all but next_slice is the sweeping thread's.
  std::uint32_t hand_stripe = 0;
  WalkPlace hand;
  Instant round_began;
  Duration slice_every{0};
  std::atomic<std::int64_t> next_slice{0};  // ns; relaxed: next_sweep() may be asked by anybody
};

SwarmSummary summary_of(const Swarm& swarm);

}  // namespace peernet::tracker
