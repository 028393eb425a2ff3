// Nodes and trackers in virtual time, over a network that loses, delays, repeats and reorders as a seed says. The
// trackers are the real core, the nodes real TrackerSets; every turn checks that no deadline stands still.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/check.hpp"
#include "base/rng.hpp"
#include "base/time.hpp"
#include "discovery/tracker_set.hpp"
#include "tracker/tracker_core.hpp"

namespace peernet::discovery {

struct NetworkFaults {
  double loss = 0;
  double repeat = 0;
  Duration delay = 5ms;   ///< of every datagram
  Duration jitter = 0ms;  ///< at most, on top: reorders
};

/// A set and what it has told so far.
struct SimNode {
  std::unique_ptr<TrackerSet> set;
  wire::NodeTag tag{};
  Address address;
  std::vector<DiscoveryEvent> events;
  bool frozen = false;  ///< gets no time and no datagrams

  std::size_t count(DiscoveryEvent::Kind kind) const;
  std::size_t count(DiscoveryEvent::Kind kind, const std::string& tracker) const;
};

struct SimTracker {
  std::string name;
  std::vector<Address> addresses;  ///< only the last answers
  std::unique_ptr<tracker::TrackerCore> core;
  tracker::Counters counters;
  tracker::Times times;
  bool dead = false;
  bool plain = false;  ///< knows BEP 15 only
  std::uint64_t heard = 0;

  TrackerEndpoint endpoint() const { return {name, addresses}; }
};

class World {
 public:
  explicit World(std::uint64_t seed, const NetworkFaults& network = {}) : faults(network), rng_(seed) {}

  std::size_t add_tracker(Duration beat, std::size_t dead_addresses = 0);
  /// Another run of it: a new epoch, and nothing in its tables.
  void restart(std::size_t tracker);
  std::size_t add_node(std::uint16_t port = 9000);

  ContentKey add(std::size_t node, const SwarmId& swarm, const std::vector<std::size_t>& trackers,
                 const ContentState& state = {.flags = wire::kContentServed});
  /// After a call into a node's set.
  void turn(std::size_t node);
  void run_for(Duration time);
  /// False: not within `limit`.
  bool run_until(Duration limit, const std::function<bool()>& condition);
  /// A datagram out of nowhere, at once.
  bool inject(const Address& from, std::size_t node, ByteSpan datagram);

  /// The node in the tracker's table, if it is listed there and alive.
  std::optional<tracker::PeerSummary> listed(std::size_t tracker, const SwarmId& swarm, std::size_t node) const;
  std::size_t listed_count(std::size_t tracker, const std::vector<SwarmId>& swarms, std::size_t node) const;
  std::uint64_t count(std::size_t tracker, tracker::Event event) const;
  /// The trackers by rendezvous rank of this swarm.
  std::vector<std::size_t> ranked(const SwarmId& swarm) const;

  NetworkFaults faults;
  Instant now = Instant::from_ns(1'000'000'000'000);
  std::vector<SimNode> nodes;
  std::vector<std::unique_ptr<SimTracker>> trackers;
  std::uint64_t sent_by_nodes = 0;
  /// Whether this reply of a tracker is lost, whatever the network does.
  std::function<bool(std::size_t tracker, ByteSpan reply)> swallow;

 private:
  struct Flying {
    Address from;
    Address to;
    std::vector<std::byte> bytes;
  };

  void send(const Address& from, const Address& to, ByteSpan bytes);
  void arrive(const Flying& datagram);
  void serve(SimTracker& tracker, std::size_t index, const Flying& datagram);
  Instant next_event() const;
  void step(Instant to);

  Rng rng_;
  std::multimap<Instant, Flying> flying_;
  std::uint32_t epochs_ = 0;
};

SwarmId swarm_of(std::uint32_t number);
std::vector<SwarmId> swarms_of(std::uint32_t count);

}  // namespace peernet::discovery
