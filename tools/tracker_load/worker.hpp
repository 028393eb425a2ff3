// One thread of load: it owns some sources, sends what the phase wants and judges what comes back.
#pragma once

#include <cstdint>
#include <vector>

#include "base/rng.hpp"
#include "batch.hpp"
#include "model.hpp"
#include "reply_checker.hpp"
#include "request_table.hpp"
#include "sources.hpp"
#include "stats.hpp"

namespace peernet::tracker_load {

enum class Phase : std::uint8_t {
  kPopulate,  ///< every peer announces "started" once
  kRun,       ///< the mix, for a time
  kVerify,    ///< every swarm is scraped once
};

/// Sockets are polled without blocking: a reader that sleeps would cost the tracker's sends a wake-up each. Requests
/// lost in populate and verify are sent again.
class Worker {
 public:
  Worker(const Options& options, Model& model, Sources& sources, std::uint32_t number);

  /// Runs a phase to its end; `end` matters to kRun. Statistics start from zero.
  void run(Phase phase, Instant end);
  const Stats& stats() const { return stats_; }
  const Verified& verified() const { return checker_.verified(); }

 private:
  // What is still to do for one of this worker's sources.
  struct Share {
    std::uint32_t source = 0;
    std::uint32_t under_way = 0;
    std::uint32_t populated = 0;  ///< of its peers, in order
    std::vector<std::uint32_t> again;
  };

  // worker_requests.cpp: what is asked next
  bool plan_populate(Share& share, Request& request);
  bool plan_verify(Share& share, Request& request);
  bool plan_run(const Share& share, wire::TrackerAction action, Request& request);
  bool plan_announce(const Share& share, Request& request);
  wire::TrackerAction pick_action();
  std::size_t write(const Share& share, const Request& request, std::uint32_t transaction, MutableByteSpan out) const;
  std::uint32_t peers_of(const Share& share) const;

  // worker.cpp: sending and receiving
  std::uint32_t send(Phase phase, Share& share, std::uint32_t wanted, Instant due, double step_ns);
  bool append_request(Phase phase, Share& share, wire::TrackerAction action, Instant due, std::size_t& size);
  void receive(Phase phase, Share& share);
  void on_reply(Phase phase, Share& share, ByteSpan reply, Instant at);
  bool judge(Phase phase, Share& share, const Request& request, ByteSpan reply);
  void expire(Phase phase, Instant at);
  bool nothing_left() const;

  const Options& options_;
  Model& model_;
  Sources& sources_;
  std::uint32_t number_;
  Rng rng_;
  ReplyChecker checker_;
  RequestTable requests_;
  std::vector<Share> shares_;
  SendBatch out_;
  ReceiveBatch in_;
  Stats stats_;
  std::uint64_t verify_next_ = 0;
  std::uint64_t done_ = 0;
};

}  // namespace peernet::tracker_load
