// What is asked next, and its bytes.
#include <algorithm>

#include "packets.hpp"
#include "worker.hpp"

namespace peernet::tracker_load {
namespace {

constexpr std::uint32_t kVerifyHashes = 50;  // per scrape: 1016 bytes there, 608 back
constexpr int kTries = 8;                    // to find a peer without an announce under way

}  // namespace

std::uint32_t Worker::peers_of(const Share& share) const {
  if (share.source >= options_.peers) return 0;
  return (options_.peers - share.source + options_.sources - 1) / options_.sources;
}

wire::TrackerAction Worker::pick_action() {
  const Mix& mix = options_.mix;
  const double x = rng_.unit() * (mix.connect + mix.announce + mix.scrape);
  if (x < mix.connect) return wire::TrackerAction::kConnect;
  return x < mix.connect + mix.announce ? wire::TrackerAction::kAnnounce : wire::TrackerAction::kScrape;
}

bool Worker::plan_populate(Share& share, Request& request) {
  if (!share.again.empty()) {
    request.subject = share.again.back();
    share.again.pop_back();
  } else if (share.populated < peers_of(share)) {
    request.subject = share.populated++ * options_.sources + share.source;
  } else {
    return false;
  }
  request.action = wire::TrackerAction::kAnnounce;
  request.swarm = model_.swarm_of(request.subject);
  request.event = wire::AnnounceEvent::kStarted;
  request.complete = model_.initial_kind(request.subject) == PeerKind::kSeeder;
  model_.set_busy(request.subject);
  return true;
}

bool Worker::plan_verify(Share& share, Request& request) {
  if (!share.again.empty()) {
    request.swarm = share.again.back();
    share.again.pop_back();
  } else {
    const std::uint64_t first = (verify_next_ * options_.threads + number_) * kVerifyHashes;
    if (first >= options_.swarms) return false;
    request.swarm = static_cast<std::uint32_t>(first);
    ++verify_next_;
  }
  request.action = wire::TrackerAction::kScrape;
  request.swarms = std::min(kVerifyHashes, options_.swarms - request.swarm);
  return true;
}

bool Worker::plan_run(const Share& share, wire::TrackerAction action, Request& request) {
  request.action = action;
  if (action == wire::TrackerAction::kScrape) {
    request.swarm = model_.swarm_of(static_cast<std::uint32_t>(rng_.below(options_.peers)));
    request.swarms = std::min(options_.scrape_hashes, options_.swarms);
  }
  return action != wire::TrackerAction::kAnnounce || plan_announce(share, request);
}

bool Worker::plan_announce(const Share& share, Request& request) {
  const std::uint32_t own = peers_of(share);
  if (own == 0) return false;
  Model::PeerState state;
  for (int tries = 0;; ++tries) {
    if (tries == kTries) return false;
    request.subject = static_cast<std::uint32_t>(rng_.below(own)) * options_.sources + share.source;
    state = model_.state_of(request.subject);
    if (!state.busy) break;
  }
  const double x = rng_.unit();
  request.swarm = model_.swarm_of(request.subject);
  request.complete = state.kind == PeerKind::kSeeder;
  if (state.kind == PeerKind::kAbsent) {
    request.event = wire::AnnounceEvent::kStarted;
    request.complete = model_.initial_kind(request.subject) == PeerKind::kSeeder;
  } else if (x < options_.churn) {
    request.event = wire::AnnounceEvent::kStopped;
  } else if (state.kind == PeerKind::kLeecher && x < options_.churn + options_.complete) {
    request.event = wire::AnnounceEvent::kCompleted;
    request.complete = true;
  }
  model_.set_busy(request.subject);
  return true;
}

std::size_t Worker::write(const Share& share, const Request& request, std::uint32_t transaction,
                          MutableByteSpan out) const {
  if (request.action == wire::TrackerAction::kConnect) return write_connect(out, transaction);
  const std::uint64_t id = sources_.connection_id(share.source);
  if (request.action == wire::TrackerAction::kAnnounce)
    return write_announce(out, {.connection_id = id,
                                .transaction = transaction,
                                .client = request.subject,
                                .swarm = swarm_id(options_.seed, request.swarm),
                                .complete = request.complete,
                                .event = request.event,
                                .numwant = request.event == wire::AnnounceEvent::kStopped ? 0 : options_.numwant,
                                .port = sources_.port_of(request.subject)});
  std::size_t size = write_header(out, id, static_cast<std::uint32_t>(request.action), transaction);
  for (std::uint32_t i = 0; i < request.swarms; ++i, size += wire::kInfoHashSize)
    put_hash(out, size, swarm_id(options_.seed, (request.swarm + i) % options_.swarms));
  return size;
}

}  // namespace peernet::tracker_load
