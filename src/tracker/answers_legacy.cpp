// BEP 15: announce and scrape, exactly.
#include <algorithm>
#include <limits>

#include "tracker/core_parts.hpp"
#include "tracker/peer_choice.hpp"

namespace peernet::tracker {
namespace {

using wire::AnnounceEvent;
using wire::TrackerAction;

std::uint32_t seconds(Duration d) {
  const auto s = std::chrono::duration_cast<std::chrono::seconds>(d).count();
  return static_cast<std::uint32_t>(std::clamp<std::int64_t>(s, 1, std::numeric_limits<std::int32_t>::max()));
}

/// Who is told: BEP 15 counts peers of both families, and lists those of the asker's.
struct LegacyCounts {
  std::uint32_t leechers = 0;
  std::uint32_t seeders = 0;
};

struct LegacyAnswer {
  Listing result = Listing::kListed;
  LegacyCounts counts;
  std::size_t peer_bytes = 0;
};

/// The work under the stripe's lock. peers: where the list of the reply goes.
template <class Record>
LegacyAnswer announce_as(Shared& shared, Stripe& stripe, const SwarmName& name, const Asked& asked,
                         const wire::AnnounceRequest& request, std::uint32_t max_places, MutableByteSpan peers) {
  Record peer;
  set_peer(peer, asked.from, request.port);
  peer.meta = static_cast<std::uint16_t>(asked.moment.tick | (request.left == 0 ? kSeederBit : 0));
  LegacyAnswer answer;
  Swarm* swarm = nullptr;
  std::uint32_t places = 0;
  const Locked locked(stripe.lock);
  if (request.event == AnnounceEvent::kStopped) {
    if (stripe.unlist(name, peer)) asked.counters.count(Event::kGoodbyes);
    swarm = stripe.look(name, asked.moment);
  } else {
    const Listed listed = stripe.list(name, peer, asked.moment);
    answer.result = listed.result;
    swarm = listed.swarm;
    // A completed event that comes twice, its reply having been lost, finds a seeder already.
    if (swarm != nullptr && request.event == AnnounceEvent::kCompleted && peer.in_front() && !listed.was_front)
      ++swarm->completed;
    places = request.numwant < 0 ? wire::kDefaultNumwant : static_cast<std::uint32_t>(request.numwant);
  }
  if (const std::uint64_t expired = stripe.take_expired()) asked.counters.count(Event::kExpired, expired);
  if (swarm == nullptr) return answer;
  answer.counts = {swarm->leechers(), swarm->seeders()};
  answer.peer_bytes = choose_legacy(swarm->of<Record>(), peer, std::min(places, max_places), shared.ages, asked.moment,
                                    stripe.rng, peers);
  return answer;
}

}  // namespace

std::size_t TrackerCore::Parts::announce(const Asked& asked) {
  const auto request = wire::decode_announce(asked.datagram);
  if (!request) return refuse(asked, request.error());
  asked.counters.count(Event::kAnnounces);
  const SwarmName name = shared.name(request->swarm);
  Stripe& stripe = stripe_of(name);
  const MutableByteSpan peers = asked.out.subspan(wire::kAnnounceReplyHeader);
  const LegacyAnswer answer =
      asked.from.is_v4() ? announce_as<LegacyV4>(shared, stripe, name, asked, *request, wire::kMaxPeersV4, peers)
                         : announce_as<LegacyV6>(shared, stripe, name, asked, *request, wire::kMaxPeersV6, peers);
  if (answer.result != Listing::kListed) return refuse(asked, answer.result);
  ByteWriter w(asked.out);
  w.u32(static_cast<std::uint32_t>(TrackerAction::kAnnounce));
  w.u32(asked.header.transaction);
  w.u32(seconds(times.interval));
  w.u32(answer.counts.leechers);
  w.u32(answer.counts.seeders);
  return w.position() + answer.peer_bytes;
}

std::size_t TrackerCore::Parts::scrape(const Asked& asked) {
  const auto request = wire::decode_scrape(asked.datagram);
  if (!request) return refuse(asked, request.error());
  asked.counters.count(Event::kScrapes);
  ByteWriter w(asked.out);
  w.u32(static_cast<std::uint32_t>(TrackerAction::kScrape));
  w.u32(asked.header.transaction);
  for (std::size_t i = 0; i < request->count(); ++i) {
    const SwarmName name = shared.name(request->at(i));
    Stripe& stripe = stripe_of(name);
    const Locked locked(stripe.lock);
    const Swarm* swarm = stripe.look(name, asked.moment);
    if (const std::uint64_t expired = stripe.take_expired()) asked.counters.count(Event::kExpired, expired);
    w.u32(swarm == nullptr ? 0 : swarm->seeders());
    w.u32(swarm == nullptr ? 0 : swarm->completed);
    w.u32(swarm == nullptr ? 0 : swarm->leechers());
  }
  return w.position();
}

}  // namespace peernet::tracker
