// One stripe of the swarms: its table under its lock, and every way in which a peer comes and goes. What all stripes
// share (limits, counts per address) is behind Shared.
//
// Dead peers are found by a clock hand (walk() with sweep's function) instead of a timing wheel: a wheel costs two
// pointers a peer and moves the peer in it with each announce; the hand costs nothing between its rounds, and 5
// (legacy) to 50 ns (node) a peer a round. Meanwhile ages are looked at wherever peers are given out, and small swarms
// are tidied when touched.
#pragma once

#include <atomic>
#include <cstdint>
#include <utility>

#include "base/rng.hpp"
#include "tracker/address_counts.hpp"
#include "tracker/spin_lock.hpp"
#include "tracker/swarm_table.hpp"
#include "tracker/tracker_core.hpp"

namespace peernet::tracker {

struct Shared {
  Shared(const TableHash& table_hash, const Times& times, const Limits& limits)
      : hash(table_hash), ages(times), addresses(table_hash) {
    set(limits);
  }
  void set(const Limits& limits) {
    max_contents.store(limits.contents, std::memory_order_relaxed);
    max_peers.store(limits.peers_per_content, std::memory_order_relaxed);
    max_legacy.store(limits.legacy_per_content, std::memory_order_relaxed);
    max_of_address.store(limits.peers_per_address, std::memory_order_relaxed);
  }
  SwarmName name(const SwarmId& id) const { return {id, hash.of(id)}; }

  TableHash hash;
  Ages ages;
  AddressCounts addresses;
  // Relaxed: each number stands for itself; a limit that changes meanwhile may be met by one more or one less.
  std::atomic<std::uint32_t> contents{0};
  std::atomic<std::uint32_t> max_contents{0};
  std::atomic<std::uint32_t> max_peers{0};
  std::atomic<std::uint32_t> max_legacy{0};
  std::atomic<std::uint32_t> max_of_address{0};
};

enum class Listing : std::uint8_t { kListed, kTooManyContents, kTooManyPeers, kTooManyPeersOfAddress };

struct Listed {
  Listing result = Listing::kListed;
  Swarm* swarm = nullptr;  ///< good until the stripe's next change; none if refused
  bool was_front = false;  ///< was listed before, and as seeder or complete
};

/// Where a walk over a stripe's buckets is: swarms from the highest number down (SwarmTable), in each its three sets,
/// in each the buckets by their place (PeerSet).
struct WalkPlace {
  std::uint32_t swarm = 0;  ///< number + 1; 0: not begun
  std::uint32_t part = 0;   ///< set in the high 2 bits, high 30 bits of the place
};

class alignas(64) Stripe {
 public:
  Stripe(Shared& shared, std::uint64_t seed) : swarms(shared.hash), rng(seed), shared_(shared) {}

  SpinLock lock;  ///< everything below is under it
  SwarmTable swarms;
  Rng rng;

  /// The swarm; if it is small, without its dead.
  Swarm* look(const SwarmName& name, Moment now);
  /// Lists a peer or refreshes it.
  template <class Record>
  Listed list(const SwarmName& name, const Record& peer, Moment now);
  /// The living peer with this address, or nullptr.
  template <class Record>
  Record* find(const SwarmName& name, const Record& like, Moment now);
  /// False if it was not listed.
  template <class Record>
  bool unlist(const SwarmName& name, const Record& like);
  /// The same for a node that says so: another one that has its address by now stays.
  bool say_goodbye(const SwarmName& name, const Node& like, const wire::NodeTag& who);

  /// Removes the dead of one bucket.
  template <class Record>
  void expire(PeerSet<Record>& set, std::uint32_t bucket, Moment now);
  /// How many died since the last call.
  std::uint64_t take_expired() { return std::exchange(expired_, 0); }

  /// Calls f(swarm, set, bucket) for bucket after bucket until `budget` records are looked at; false: the stripe's end.
  template <class F>
  bool walk(WalkPlace& place, std::uint32_t& budget, const F& f);
  /// The same for one bucket of one swarm: returns the next part, 0 at its end.
  template <class F>
  static std::uint32_t step(Swarm& swarm, std::uint32_t part, const F& f);

  void add_to(Totals& totals) const;
  void check_invariants() const;

 private:
  void remove_if_empty(Swarm& swarm);
  template <class Record>
  void count(const Record& peer, std::int64_t change);
  template <class Record>
  Listed add(const SwarmName& name, Swarm* swarm, const Record& peer, std::uint32_t hash);
  template <class Record, class F>
  static std::uint32_t step_in(Swarm& swarm, std::uint32_t kind, std::uint32_t part, const F& f);

  Shared& shared_;  // outlives the stripe
  Totals totals_;   // contents are counted by the table
  std::uint64_t expired_ = 0;
};

template <class Record, class F>
std::uint32_t Stripe::step_in(Swarm& swarm, std::uint32_t kind, std::uint32_t part, const F& f) {
  PeerSet<Record>& set = swarm.of<Record>();
  const std::uint32_t next_kind = (kind + 1) % 3 << 30;
  if (set.empty()) return next_kind;
  const std::uint32_t bucket = set.bucket_at(part << 2);
  const std::uint32_t end = set.end_of(bucket);  // before f changes the set
  f(swarm, set, bucket);
  return end == 0 ? next_kind : (kind << 30) | (end >> 2);
}

template <class F>
std::uint32_t Stripe::step(Swarm& swarm, std::uint32_t part, const F& f) {
  const std::uint32_t kind = part >> 30;
  if (kind == 0) return step_in<LegacyV4>(swarm, kind, part, f);
  if (kind == 1) return step_in<LegacyV6>(swarm, kind, part, f);
  return step_in<Node>(swarm, kind, part, f);
}

template <class F>
bool Stripe::walk(WalkPlace& place, std::uint32_t& budget, const F& f) {
  while (budget > 0) {
    const std::uint32_t size = swarms.size();
    if (place.swarm == 0 || place.swarm > size) place = {size, 0};
    if (place.swarm == 0) return false;
    Swarm& swarm = swarms.at(place.swarm - 1);
    const auto counted = [&](Swarm& s, auto& set, std::uint32_t bucket) {
      budget -= std::min(budget, static_cast<std::uint32_t>(set.records(bucket).size()));
      f(s, set, bucket);
    };
    place.part = step(swarm, place.part, counted);
    if (swarm.peers() == 0) {
      remove_if_empty(swarm);
      place.part = 0;
    }
    if (place.part != 0) continue;
    budget -= std::min(budget, 1u);
    if (--place.swarm == 0) return false;
  }
  return true;
}

}  // namespace peernet::tracker
