// The tracker as a pure machine: a datagram in, at most one reply out. Who reads the sockets is not its business: the
// epoll server's workers, a sharing node's shard, or a test in virtual time.
//
// answer(), announce_local(), the visits and set_limits() may be called from several threads at once: the swarms lie in
// stripes by swarm id, each under a lock that is held for one datagram's work in it or one slice of a visit.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "base/address.hpp"
#include "base/time.hpp"
#include "base/types.hpp"
#include "tracker/settings.hpp"
#include "wire/tracker_messages.hpp"

namespace peernet::tracker {

struct CoreOptions {
  Hash256 secret{};         ///< random; connection ids and table hashes come from it
  std::uint32_t epoch = 0;  ///< random: names this run
  Times times;
  Limits limits;
};

/// A swarm as it is listed for people.
struct SwarmSummary {
  SwarmId swarm{};
  std::uint32_t nodes_complete = 0;
  std::uint32_t nodes_partial = 0;
  std::uint32_t legacy_seeders = 0;
  std::uint32_t legacy_leechers = 0;
  std::uint32_t completed = 0;  ///< "completed" events of legacy clients since the start
};

/// A legacy peer or a node of a swarm, as it is listed for people and kept in a snapshot.
struct PeerSummary {
  bool legacy = false;
  bool seeder = false;             ///< legacy: announced left = 0
  wire::ListedNode node;           ///< address and age_ms hold for both; the rest for nodes only
};

struct Totals {
  std::uint64_t contents = 0;
  std::uint64_t nodes = 0;
  std::uint64_t legacy_v4 = 0;
  std::uint64_t legacy_v6 = 0;
};

/// A place in a walk over everything that is listed. Default: the start. Survives changes in between: what was there all
/// the time is visited at least once.
struct VisitCursor {
  std::uint32_t stripe = 0;
  std::uint32_t swarm = 0;
  std::uint32_t part = 0;
  bool done = false;
};

class TrackerCore {
 public:
  explicit TrackerCore(const CoreOptions& options);
  ~TrackerCore();
  TrackerCore(const TrackerCore&) = delete;
  TrackerCore& operator=(const TrackerCore&) = delete;

  /// Handles one datagram; writes the reply into out (at least wire::kMaxTrackerReply bytes) and returns its size, 0 for
  /// none. The reply is never longer than the datagram unless its connection id proves the address.
  std::size_t answer(Instant now, const Address& from, ByteSpan datagram, MutableByteSpan out, Counters& counters);

  /// Forgets peers that have fallen silent. Call it when next_sweep() has come; does a bounded piece of work (below 1 ms),
  /// so that next_sweep() may be now again. One thread.
  void sweep(Instant now, Counters& counters);
  Instant next_sweep() const;

  /// A node inside this process, by an address that others reach it at: no connection id. flags with kContentLeft: gone.
  void announce_local(Instant now, const Address& address, const wire::NodeAnnounce& announce);

  /// The goodbye for each node of the next slice of the walk: send(address, datagram). Nodes of several contents are told
  /// several times (a walk remembers nothing).
  void goodbyes(Instant now, VisitCursor& cursor, const std::function<void(const Address&, ByteSpan)>& send);

  // --- for people and snapshots; each call visits one slice (at most some 4,096 peers, some 100 us) under one lock

  void visit_swarms(VisitCursor& cursor, const std::function<void(const SwarmSummary&)>& visit) const;
  void visit_peers(Instant now, VisitCursor& cursor,
                   const std::function<void(const SwarmSummary&, const PeerSummary&)>& visit) const;
  /// All slices of one swarm; false if it is not known.
  bool visit_peers_of(Instant now, const SwarmId& swarm, const std::function<void(const PeerSummary&)>& visit) const;
  /// Puts a peer of a snapshot back; its age counts on. False: a limit is reached, or it would be dead.
  bool restore(Instant now, const SwarmId& swarm, const PeerSummary& peer);
  void restore_completed(const SwarmId& swarm, std::uint32_t completed);

  Totals totals() const;
  void set_limits(const Limits& limits);
  Limits limits() const;
  std::uint32_t epoch() const;
  Times times() const;
  /// Counts agree with each other; for tests.
  void check_invariants() const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace peernet::tracker
