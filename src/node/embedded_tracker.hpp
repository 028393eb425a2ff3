// A tracker inside a sharing node, on the node's own port: two commands on two hosts are then enough. It lists the
// contents that this node shares; whoever has the link finds the other nodes of the swarm here.
#pragma once

#include <functional>
#include <vector>

#include "base/random_source.hpp"
#include "node/context.hpp"
#include "tracker/tracker_core.hpp"

namespace peernet::node {

class EmbeddedTracker {
 public:
  EmbeddedTracker(Duration beat, RandomSource& random);

  /// A datagram that is no PN/1 packet; the reply's size, 0: none.
  std::size_t answer(Instant now, const Address& from, ByteSpan datagram, MutableByteSpan out,
                     tracker::Counters& counters) {
    return core_.answer(now, from, datagram, out, counters);
  }

  struct Listing {
    SwarmId swarm{};
    std::vector<Address> addresses;  ///< where others reach this node
    wire::NodeTag node{};
    std::uint32_t chunks = 0;
  };
  /// This node serves all of a content, until unlist().
  void list(Instant now, Listing listing);
  /// More addresses of a content that is listed.
  void add_addresses(Instant now, const SwarmId& swarm, const std::vector<Address>& addresses);
  void unlist(Instant now, const SwarmId& swarm);
  /// What this node's entries say of its upload rate, from the next beat on.
  void set_rate(std::uint32_t kib_per_second) { rate_kib_ = kib_per_second; }

  /// Forgets who has fallen silent, and says that this node is alive.
  void work(Instant now, tracker::Counters& counters);
  Instant next_deadline() const;
  /// To those who are listed, as far as there is room for it: this tracker goes away.
  void say_goodbye(Instant now, const std::function<void(const Address&, ByteSpan)>& send);

 private:
  void announce(Instant now, const Listing& listing, std::uint8_t more_flags);

  tracker::TrackerCore core_;
  std::vector<Listing> listings_;
  std::uint64_t ever_listed_ = 0;
  Instant refresh_at_ = Instant::never();
  std::uint32_t rate_kib_ = 0;
};

}  // namespace peernet::node
