#include "reply_checker.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "wire/tracker_spec.hpp"

namespace peernet::tracker_load {
namespace {

// One word per listed peer is enough memory: nobody lists more in a datagram that arrives.
constexpr std::size_t kMostListed = 1024;

}  // namespace

void Verified::merge(const Verified& other) {
  swarms += other.swarms;
  exact += other.exact;
  within_unsure += other.within_unsure;
  wrong += other.wrong;
  if (first_wrong.empty()) first_wrong = other.first_wrong;
}

bool ReplyChecker::check_announce(const Request& request, ByteSpan reply, Stats& stats) {
  const std::size_t peer_size = sources_.peer_size();
  if (reply.size() < wire::kAnnounceReplyHeader || (reply.size() - wire::kAnnounceReplyHeader) % peer_size != 0) {
    stats.invalid(Count::kBadLength, "length of an announce reply");
    return false;
  }
  ByteReader reader(reply.subspan(12));
  const std::uint32_t leechers = reader.u32();
  const std::uint32_t seeders = reader.u32();
  const ByteSpan list = reader.rest();
  const std::size_t listed = list.size() / peer_size;
  const std::uint64_t counted = std::uint64_t{leechers} + seeders;
  if (listed > options_.numwant) stats.invalid(Count::kOverNumwant, "more peers than numwant");
  if (options_.check_every == 0) return true;
  if (counted > model_.size_of(request.swarm))
    stats.invalid(Count::kBadCount, "more seeders and leechers than the swarm ever had");
  else if (listed > counted && request.event != wire::AnnounceEvent::kStopped)
    stats.invalid(Count::kBadCount, "more peers listed than counted");
  if (++replies_ % options_.check_every != 0) return true;
  check_list(request, list, stats);
  if (listed < options_.numwant && counted > 2 * std::uint64_t{options_.numwant} &&
      request.event != wire::AnnounceEvent::kStopped)
    stats.add(Count::kShortLists);
  return true;
}

void ReplyChecker::check_list(const Request& request, ByteSpan peers, Stats& stats) const {
  const std::size_t size = sources_.peer_size();
  std::array<std::uint32_t, kMostListed> seen;
  std::size_t known = 0;
  stats.add(Count::kListsChecked);
  stats.add(Count::kPeersListed, peers.size() / size);
  if (!peers.empty()) stats.add(Count::kListsNonempty);
  for (std::size_t at = 0; at < peers.size(); at += size) {
    const auto peer = sources_.peer_of(peers.subspan(at, size), model_.peers());
    if (!peer) {
      stats.invalid(Count::kAlien, "a listed peer that is none of ours");
    } else if (*peer < model_.first_of(request.swarm) || *peer >= model_.end_of(request.swarm)) {
      stats.invalid(Count::kWrongSwarm, "a listed peer of another swarm");
    } else {
      check_listed(request, *peer, stats);
      if (known < kMostListed) seen[known++] = *peer;
    }
  }
  std::sort(seen.begin(), seen.begin() + static_cast<std::ptrdiff_t>(known));
  for (std::size_t i = 1; i < known; ++i)
    if (seen[i] == seen[i - 1]) stats.invalid(Count::kDuplicate, "a peer listed twice");
}

void ReplyChecker::check_listed(const Request& request, std::uint32_t peer, Stats& stats) const {
  if (peer == request.subject) stats.add(Count::kSelfListed);
  const Model::PeerState state = model_.state_of(peer);
  if (state.settled() && state.kind == PeerKind::kAbsent) {
    if (!model_.ever_stopped(peer))
      stats.invalid(Count::kGhost, "a listed peer that never announced");
    else if (model_.stopped_before(peer, request.sent))
      stats.invalid(Count::kStale, "a listed peer that had stopped before the request");
  }
  if (request.complete && state.kind == PeerKind::kSeeder) stats.add(Count::kSeedToSeed);
}

bool ReplyChecker::check_scrape(const Request& request, ByteSpan reply, bool verify, Stats& stats) {
  if (reply.size() != wire::kScrapeReplyHeader + wire::kScrapeEntrySize * request.swarms) {
    stats.invalid(Count::kBadLength, "length of a scrape reply");
    return false;
  }
  ByteReader reader(reply.subspan(wire::kScrapeReplyHeader));
  for (std::uint32_t i = 0; i < request.swarms; ++i) {
    const std::uint32_t swarm = (request.swarm + i) % model_.swarms();
    SwarmCounts counts;
    counts.seeders = reader.u32();
    reader.u32();  // completed: depends on the order in which events arrive
    counts.leechers = reader.u32();
    if (options_.check_every != 0 && std::uint64_t{counts.seeders} + counts.leechers > model_.size_of(swarm))
      stats.invalid(Count::kBadCount, "a scrape counts more than the swarm ever had");
    if (verify) compare(swarm, counts);
  }
  return true;
}

void ReplyChecker::compare(std::uint32_t swarm, SwarmCounts counts) {
  SwarmCounts expected;
  std::uint32_t unsure = 0;
  for (std::uint32_t peer = model_.first_of(swarm); peer < model_.end_of(swarm); ++peer) {
    const Model::PeerState state = model_.state_of(peer);
    if (state.unsure)
      ++unsure;
    else if (state.kind == PeerKind::kSeeder)
      ++expected.seeders;
    else if (state.kind == PeerKind::kLeecher)
      ++expected.leechers;
  }
  ++verified_.swarms;
  if (unsure == 0 && counts.seeders == expected.seeders && counts.leechers == expected.leechers) {
    ++verified_.exact;
  } else if (counts.seeders >= expected.seeders && counts.seeders <= expected.seeders + unsure &&
             counts.leechers >= expected.leechers && counts.leechers <= expected.leechers + unsure) {
    ++verified_.within_unsure;
  } else {
    ++verified_.wrong;
    if (verified_.first_wrong.empty())
      verified_.first_wrong =
          fmt::format("swarm {}: the tracker says {} seeders and {} leechers, expected {} and {}, unsure {}", swarm,
                      counts.seeders, counts.leechers, expected.seeders, expected.leechers, unsure);
  }
}

}  // namespace peernet::tracker_load
