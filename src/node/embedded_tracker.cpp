#include "node/embedded_tracker.hpp"

#include <algorithm>

namespace peernet::node {
namespace {

// Strangers may fill these tables, never the process: at 128 bytes a peer this is a few MiB. list() makes room for each
// content of ours, so that nobody can have others listed here.
// Legacy peers, which cannot be of any use to a swarm of nodes, leave nearly all places to nodes.
constexpr tracker::Limits kLimits{
    .contents = 1, .peers_per_content = 16'384, .legacy_per_content = 256, .peers_per_address = 1024};

tracker::CoreOptions core_options(Duration beat, RandomSource& random) {
  tracker::CoreOptions options;
  random.fill(options.secret);
  options.epoch = ByteReader(random.array<4>()).u32();
  options.times.beat = beat;
  options.limits = kLimits;
  return options;
}

}  // namespace

EmbeddedTracker::EmbeddedTracker(Duration beat, RandomSource& random) : core_(core_options(beat, random)) {}

void EmbeddedTracker::announce(Instant now, const Listing& listing, std::uint8_t more_flags) {
  wire::NodeAnnounce announce;
  announce.swarm = listing.swarm;
  announce.node = listing.node;
  announce.flags = wire::kContentComplete | wire::kContentServed | more_flags;
  announce.chunks = listing.chunks;
  announce.rate_kib = rate_kib_;
  announce.owned.fill(std::byte{0xff});
  for (const Address& address : listing.addresses) core_.announce_local(now, address, announce);
}

void EmbeddedTracker::list(Instant now, Listing listing) {
  if (ever_listed_++ > 0) {
    tracker::Limits limits = core_.limits();
    ++limits.contents;
    core_.set_limits(limits);
  }
  announce(now, listing, 0);
  listings_.push_back(std::move(listing));
  refresh_at_ = std::min(refresh_at_, now + core_.times().beat);
}

void EmbeddedTracker::add_addresses(Instant now, const SwarmId& swarm, const std::vector<Address>& addresses) {
  const auto found = std::ranges::find(listings_, swarm, &Listing::swarm);
  if (found == listings_.end()) return;
  found->addresses.insert(found->addresses.end(), addresses.begin(), addresses.end());
  announce(now, *found, 0);
}

void EmbeddedTracker::unlist(Instant now, const SwarmId& swarm) {
  const auto found = std::ranges::find(listings_, swarm, &Listing::swarm);
  if (found == listings_.end()) return;
  announce(now, *found, wire::kContentLeft);
  listings_.erase(found);
}

void EmbeddedTracker::work(Instant now, tracker::Counters& counters) {
  if (now >= core_.next_sweep()) core_.sweep(now, counters);
  if (now < refresh_at_) return;
  refresh_at_ = listings_.empty() ? Instant::never() : now + core_.times().beat;
  for (const Listing& listing : listings_) announce(now, listing, 0);
}

Instant EmbeddedTracker::next_deadline() const {
  return std::min(refresh_at_, core_.next_sweep());
}

void EmbeddedTracker::say_goodbye(Instant now, const std::function<void(const Address&, ByteSpan)>& send) {
  tracker::VisitCursor cursor;
  while (!cursor.done) core_.goodbyes(now, cursor, send);
}

}  // namespace peernet::node
