// A swarm in virtual time: hosts with links, paths between them, trackers, and what happens to all of them. Plays one
// scenario to its end and says what was violated.
#pragma once

#include <memory>
#include <vector>

#include "sim/swarm_scenario.hpp"
#include "tracker/tracker_core.hpp"

namespace peernet::sim {

struct SwarmReport {
  bool passed = false;
  std::string reason;
  std::uint64_t trace = 0;
  std::uint64_t events = 0;
  std::uint64_t received_bytes = 0;  ///< by all gets
  std::uint64_t duplicate_bytes = 0;
  // Bytes that links carried until the last one was done, with headers.
  std::uint64_t publisher_sent = 0;
  std::uint64_t getters_sent = 0;
  std::vector<Instant> done_at;  ///< of each getter, in order
  std::uint32_t finished = 0;
  std::uint32_t failed_gets = 0;  ///< ended with an error and were begun again
  std::uint32_t banned = 0;
  Instant finished_at;
  Instant over_at;
};

class SwarmWorld {
 public:
  explicit SwarmWorld(const SwarmScenario& scenario, bool verbose = false);
  SwarmReport run();

 private:
  struct Path {
    int cuts = 0;
    double loss = 0;
    Duration more = Duration::zero();
  };
  struct Tracker {
    std::unique_ptr<tracker::TrackerCore> core;
    tracker::Counters counters;
    bool dead = false;
  };

  // swarm_world.cpp: the network
  void play(Happening happening);
  void transmit(std::uint32_t host, Datagram datagram);
  void at_core(std::uint32_t from, Datagram datagram);
  void at_host(std::uint32_t host, Datagram datagram);
  std::uint32_t host_of(const Address& address) const;
  Path& path(std::uint32_t from, std::uint32_t to) { return paths_[from * hosts_ + to]; }
  void make_tracker(std::uint32_t number);

  // swarm_events.cpp: what is done to it
  void schedule();
  void begin(const SwarmEvent& event);
  void cut(std::uint32_t from, std::uint32_t to, Duration lasts);
  void restart(std::uint32_t node, Duration after);
  void heal();
  void mischief();

  // swarm_world.cpp: what is demanded
  bool finished() const;
  void check_bans();
  void check_progress();
  void end();

  const SwarmScenario scenario_;
  Clockwork clockwork_;
  Rng rng_;
  SwarmContent content_;
  peernet::Link link_;
  std::uint32_t hosts_;
  std::vector<std::unique_ptr<SwarmNode>> nodes_;
  std::vector<bool> gone_;  // left for good
  std::vector<Tracker> trackers_;
  std::vector<Link> up_, down_;  // by host
  std::vector<Path> paths_;
  std::vector<Link::Arrival> arrivals_;
  bool healed_ = false;
  Instant healed_at_;
  std::uint64_t progress_ = 0;
  Instant progress_at_;
};

}  // namespace peernet::sim
