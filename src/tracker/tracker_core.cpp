#include "tracker/tracker_core.hpp"

#include <algorithm>

#include "crypto/siphash.hpp"
#include "tracker/core_parts.hpp"

namespace peernet::tracker {
namespace {

using wire::TrackerAction;
using wire::TrackerRefusal;

/// Records one sweep() looks at: some 20 us of legacy peers in cache, below 1 ms of nodes out of it.
constexpr std::uint32_t kSweepRecords = 4096;
/// The hand goes round four times a beat, so that counts lag by a quarter of a beat at most.
constexpr int kRoundsPerBeat = 4;

/// Connection ids and table places have keys of their own: one is shown to the world, the other never.
Hash128 key_from(const Hash256& secret, std::size_t at) {
  Hash128 key;
  std::copy_n(secret.begin() + static_cast<std::ptrdiff_t>(at), key.size(), key.begin());
  return key;
}

bool is_extension(TrackerAction action) {
  return action == TrackerAction::kNodeAnnounce || action == TrackerAction::kHeartbeat ||
         action == TrackerAction::kQuery;
}

}  // namespace

TrackerCore::Parts::Parts(const CoreOptions& options)
    : times(options.times),
      epoch(options.epoch),
      ids(key_from(options.secret, 0)),
      shared(TableHash(key_from(options.secret, sizeof(Hash128))), options.times, options.limits) {
  for (std::uint32_t i = 0; i < kStripes; ++i)
    stripes.push_back(std::make_unique<Stripe>(shared, shared.hash.of_number(i)));
}

TrackerCore::TrackerCore(const CoreOptions& options) : parts_(std::make_unique<Parts>(options)) {}
TrackerCore::~TrackerCore() = default;

std::size_t TrackerCore::answer(Instant now, const Address& from, ByteSpan datagram, MutableByteSpan out,
                                Counters& counters) {
  PN_CHECK(out.size() >= wire::kMaxTrackerReply);
  counters.count(Event::kDatagrams);
  const auto header = wire::decode_tracker_header(datagram);
  if (!header) {
    counters.count(header.error());
    return 0;
  }
  const Moment moment = parts_->shared.ages.moment(now);
  const std::size_t size = parts_->dispatch({now, moment, from, datagram, out, counters, *header});
  if (size != 0) counters.count(Event::kReplies);
  return size;
}

std::size_t TrackerCore::Parts::dispatch(const Asked& asked) {
  const auto [id, action, transaction] = asked.header;
  if (id == wire::kTrackerMagic && action == TrackerAction::kConnect) return connect(asked);
  const IdKind wanted = is_extension(action) ? IdKind::kExtended : IdKind::kPlain;
  if (!ids.valid(asked.now, asked.from, wanted, id)) {
    // The other kind of id proves the address all the same, but opens nothing here.
    const IdKind other = wanted == IdKind::kPlain ? IdKind::kExtended : IdKind::kPlain;
    const bool known = action == TrackerAction::kAnnounce || action == TrackerAction::kScrape;
    if (known || !ids.valid(asked.now, asked.from, other, id))
      return refuse_unproven(asked, TrackerRefusal::kBadConnectionId);
    return refuse(asked, TrackerRefusal::kUnknownAction);
  }
  switch (action) {
    case TrackerAction::kAnnounce:
      return announce(asked);
    case TrackerAction::kScrape:
      return scrape(asked);
    case TrackerAction::kNodeAnnounce:
      return node_announce(asked);
    case TrackerAction::kHeartbeat:
      return heartbeat(asked);
    case TrackerAction::kQuery:
      return query(asked);
    case TrackerAction::kConnect:
    case TrackerAction::kError:
    case TrackerAction::kGoodbye:
      break;
  }
  return refuse(asked, TrackerRefusal::kUnknownAction);
}

std::size_t TrackerCore::Parts::connect(const Asked& asked) {
  const wire::ConnectRequest request = wire::decode_connect(asked.datagram);
  asked.counters.count(request.extended ? Event::kExtendedConnects : Event::kConnects);
  const IdKind kind = request.extended ? IdKind::kExtended : IdKind::kPlain;
  return wire::encode(asked.out, wire::ConnectReply{.transaction = request.transaction,
                                                    .connection_id = ids.issue(asked.now, asked.from, kind),
                                                    .extended = request.extended,
                                                    .epoch = epoch,
                                                    .beat_ms = beat_ms(),
                                                    .observed = asked.from});
}

std::size_t TrackerCore::Parts::refuse(const Asked& asked, TrackerRefusal refusal) {
  asked.counters.count(refusal);
  return wire::encode_error(asked.out, asked.header.transaction, wire::text_of(refusal), wire::kMaxTrackerReply);
}

std::size_t TrackerCore::Parts::refuse_unproven(const Asked& asked, TrackerRefusal refusal) {
  asked.counters.count(refusal);
  return wire::encode_error(asked.out, asked.header.transaction, wire::text_of(refusal), asked.datagram.size());
}

std::size_t TrackerCore::Parts::refuse(const Asked& asked, Listing refusal) {
  Event event = Event::kTooManyContents;
  std::string_view text = "too many contents on this tracker";
  if (refusal == Listing::kTooManyPeers) {
    event = Event::kTooManyPeers;
    text = "too many peers of this content";
  } else if (refusal == Listing::kTooManyPeersOfAddress) {
    event = Event::kTooManyPeersOfAddress;
    text = "too many peers of this address";
  }
  asked.counters.count(event);
  return wire::encode_error(asked.out, asked.header.transaction, text, wire::kMaxTrackerReply);
}

void TrackerCore::sweep(Instant now, Counters& counters) {
  Parts& p = *parts_;
  const Duration round = p.times.beat / kRoundsPerBeat;
  if (p.hand_stripe == 0 && p.hand.swarm == 0) {
    // A round begins: its slices are spread evenly over it.
    const Totals all = totals();
    const std::uint64_t records = all.contents + all.nodes + all.legacy_v4 + all.legacy_v6;
    p.round_began = now;
    p.slice_every = round / static_cast<std::int64_t>(records / kSweepRecords + 1);
  }
  const Moment moment = p.shared.ages.moment(now);
  std::uint32_t budget = kSweepRecords;
  while (budget > 0 && p.hand_stripe < Parts::kStripes) {
    Stripe& stripe = *p.stripes[p.hand_stripe];
    const Locked locked(stripe.lock);
    const bool more = stripe.walk(p.hand, budget,
                                  [&](Swarm&, auto& set, std::uint32_t bucket) { stripe.expire(set, bucket, moment); });
    counters.count(Event::kExpired, stripe.take_expired());
    if (more) break;
    ++p.hand_stripe;
    p.hand = {};
  }
  Instant next = Instant::from_ns(p.next_slice.load(std::memory_order_relaxed)) + p.slice_every;
  if (p.hand_stripe == Parts::kStripes) {
    p.hand_stripe = 0;
    p.hand = {};
    next = std::max(p.round_began + round, now);
  } else if (now - next > round) {
    next = now;  // nobody swept for long: no row of catching up behind one round
  }
  p.next_slice.store(next.ns(), std::memory_order_relaxed);
}

Instant TrackerCore::next_sweep() const {
  if (parts_->shared.contents.load(std::memory_order_relaxed) == 0) return Instant::never();
  return Instant::from_ns(parts_->next_slice.load(std::memory_order_relaxed));
}

Totals TrackerCore::totals() const {
  Totals sum;
  for (const auto& stripe : parts_->stripes) {
    const Locked locked(stripe->lock);
    stripe->add_to(sum);
  }
  return sum;
}

void TrackerCore::set_limits(const Limits& limits) {
  parts_->shared.set(limits);
}

Limits TrackerCore::limits() const {
  const Shared& shared = parts_->shared;
  return {.contents = shared.max_contents.load(std::memory_order_relaxed),
          .peers_per_content = shared.max_peers.load(std::memory_order_relaxed),
          .legacy_per_content = shared.max_legacy.load(std::memory_order_relaxed),
          .peers_per_address = shared.max_of_address.load(std::memory_order_relaxed)};
}

std::uint32_t TrackerCore::epoch() const {
  return parts_->epoch;
}

Times TrackerCore::times() const {
  return parts_->times;
}

void TrackerCore::check_invariants() const {
  std::uint32_t contents = 0;
  for (const auto& stripe : parts_->stripes) {
    const Locked locked(stripe->lock);
    stripe->check_invariants();
    contents += stripe->swarms.size();
  }
  PN_CHECK(contents == parts_->shared.contents.load(std::memory_order_relaxed));
}

}  // namespace peernet::tracker
