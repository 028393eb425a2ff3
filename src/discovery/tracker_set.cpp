#include "discovery/tracker_set.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "discovery/plain_announce.hpp"
#include "discovery/rendezvous.hpp"
#include "discovery/tracker_set_parts.hpp"

namespace peernet::discovery {
namespace {

constexpr Duration kPeersSpacing = 1s;

using Buffer = std::array<std::byte, wire::kMaxTrackerRequest>;

std::vector<std::byte> first(const Buffer& buffer, std::size_t size) {
  return {buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(size)};
}

}  // namespace

TrackerSet::TrackerSet(const SetOptions& options) : parts_(std::make_unique<Parts>(options)) {}
TrackerSet::~TrackerSet() = default;

ContentKey TrackerSet::add(Instant now, const ContentOptions& options) {
  Parts& p = *parts_;
  if (p.contents.size() >= kMaxContents) return {};
  do {
    ++p.last_key;
  } while (p.last_key == 0 || p.contents.contains(ContentKey(p.last_key)));
  const ContentKey key(p.last_key);

  std::vector<std::uint32_t> slots;
  std::vector<std::string_view> names;
  for (const TrackerEndpoint& endpoint : options.trackers) {
    if (slots.size() == kMaxTrackersPerContent) break;
    const std::optional<std::uint32_t> slot = p.acquire(endpoint);
    if (!slot || std::ranges::find(slots, *slot) != slots.end()) continue;
    slots.push_back(*slot);
    names.push_back(p.trackers[*slot]->client.name());
  }
  p.index_addresses();

  Content content;
  content.swarm = options.swarm;
  content.state = options.state;
  content.numwant = options.numwant;
  content.announced = options.announced;
  content.peers_wanted = now - kPeersSpacing;
  for (const std::size_t i : rank_trackers(names, options.swarm)) {
    Listing listing;
    listing.tracker = slots[i];
    content.listings.push_back(listing);
    Parts::Tracker& tracker = *p.trackers[slots[i]];
    ++tracker.contents;
    std::erase(tracker.farewells, options.swarm);
    tracker.client.pending().repeat_no_goodbye();
  }
  p.reselect(now, key, p.contents.emplace(key, std::move(content)).first->second);
  return key;
}

void TrackerSet::update(Instant now, ContentKey key, const ContentState& state) {
  Content* content = parts_->find(key);
  if (content == nullptr) return;
  const bool urgent = state.flags != content->state.flags || state.chunks != content->state.chunks;
  content->state = state;
  if (!urgent) return;
  // An announce in flight is compared with the state when it is answered.
  for (Listing& listing : content->listings)
    if (listing.listed && !listing.in_flight) parts_->set_due(key, listing, now);
}

void TrackerSet::want_peers(Instant now, ContentKey key) {
  Content* content = parts_->find(key);
  if (content == nullptr || content->peers_wanted > now) return;  // the second is not over, and one is on its way
  const std::size_t count = content->listings.size();
  for (std::size_t i = 0; i < count; ++i) {
    Listing& listing = content->listings[(content->turn + i) % count];
    // One that speaks BEP 15 only is asked at its interval.
    if (!listing.listed || !listing.home || !parts_->trackers[listing.tracker]->client.extended()) continue;
    content->turn = (content->turn + i + 1) % count;
    content->peers_wanted = std::max(now, content->peers_wanted + kPeersSpacing);
    if (!listing.in_flight) parts_->set_due(key, listing, content->peers_wanted);
    return;
  }
}

void TrackerSet::query(Instant, ContentKey key) {
  Content* content = parts_->find(key);
  if (content == nullptr || !content->asking.empty() || content->listings.empty()) return;
  for (const Listing& listing : content->listings) content->asking.push_back({.tracker = listing.tracker});
  parts_->asking.insert(key);
}

void TrackerSet::remove(Instant now, ContentKey key) {
  Content* content = parts_->find(key);
  if (content == nullptr) return;
  for (Listing& listing : content->listings) {
    Parts::Tracker& tracker = *parts_->trackers[listing.tracker];
    tracker.client.pending().forget(key);
    const bool perhaps_listed = listing.listed || listing.in_flight;
    parts_->clear_due(key, listing);
    if (perhaps_listed) parts_->say_farewell(now, listing, content->swarm);
    listing.open = false;
    parts_->unlist(now, key, listing);
    --tracker.contents;
  }
  parts_->asking.erase(key);
  parts_->contents.erase(key);
}

void TrackerSet::set_rate(std::uint32_t kib_per_second) {
  parts_->rate_kib = kib_per_second;
}

std::optional<TrackerSet::Transmit> TrackerSet::poll_transmit(Instant now, MutableByteSpan out) {
  Parts& p = *parts_;
  p.begin_queries(now);
  for (std::size_t i = 0; i < p.trackers.size(); ++i) {
    const std::size_t slot = (p.turn + i) % p.trackers.size();
    if (!p.trackers[slot]) continue;
    p.pump(now, static_cast<std::uint32_t>(slot));
    if (const auto sent = p.trackers[slot]->client.poll_transmit(now, out)) {
      p.turn = slot;
      return Transmit{sent->to, sent->size};
    }
    p.release_unused(static_cast<std::uint32_t>(slot));
  }
  return std::nullopt;
}

void TrackerSet::on_timeout(Instant now) {
  Parts& p = *parts_;
  for (std::uint32_t slot = 0; slot < p.trackers.size(); ++slot) {
    if (!p.trackers[slot]) continue;
    TrackerClient& client = p.trackers[slot]->client;
    p.on_change(now, slot, client.on_timeout(now));
    while (const auto lapsed = client.next_lapsed(now)) p.on_lapsed(now, slot, *lapsed);
  }
}

Instant TrackerSet::next_deadline() const {
  Instant next = Instant::never();
  for (const auto& tracker : parts_->trackers) {
    if (!tracker) continue;
    const TrackerClient& client = tracker->client;
    next = std::min(next, client.next_deadline());
    if (!client.answering()) continue;
    // What finds no room waits for a reply, or for a request that lapses.
    const PendingRequests& pending = client.pending();
    if (pending.has_room(RequestKind::kAnnounce)) next = std::min(next, tracker->schedule.next_announce_at());
    if (pending.has_room(RequestKind::kHeartbeat)) next = std::min(next, tracker->schedule.next_group_at());
  }
  return next;
}

std::optional<DiscoveryEvent> TrackerSet::poll_event() {
  return parts_->events.pop();
}

bool TrackerSet::idle() const {
  return std::ranges::none_of(parts_->trackers, [](const std::unique_ptr<Parts::Tracker>& tracker) {
    return tracker && (!tracker->farewells.empty() || tracker->client.pending().goodbyes_unsent());
  });
}

void TrackerSet::Parts::pump(Instant now, std::uint32_t slot) {
  Tracker& tracker = *trackers[slot];
  const TrackerClient& client = tracker.client;
  if (!client.answering()) return;
  while (!tracker.farewells.empty() && client.pending().has_room(RequestKind::kGoodbye)) begin_farewell(now, tracker);
  refresh_want(now, tracker);
  while (client.pending().has_room(RequestKind::kAnnounce)) {
    const auto key = tracker.schedule.next_announce(now, client.beat(), tracker.interested);
    if (!key) break;
    begin_announce(now, tracker, slot, *key);
  }
  while (client.pending().has_room(RequestKind::kHeartbeat)) {
    std::vector<ContentKey> group = tracker.schedule.next_group(now, client.beat(), wire::kMaxHeartbeatContents);
    if (group.empty()) break;
    begin_heartbeat(now, tracker, std::move(group));
  }
}

void TrackerSet::Parts::begin_announce(Instant now, Tracker& tracker, std::uint32_t slot, ContentKey key) {
  Content* content = find(key);
  Listing* listing = content == nullptr ? nullptr : content->at(slot);
  if (listing == nullptr) return;
  listing->due = Instant::never();
  if (listing->in_flight) return;
  Buffer buffer;
  const wire::TrackerHeader header = tracker.client.new_header();
  std::size_t size = 0;
  if (tracker.client.extended()) {
    wire::NodeAnnounce announce;
    announce.swarm = content->swarm;
    announce.node = options.node;
    announce.flags = static_cast<std::uint8_t>(content->state.flags | (options.reaches_v4 ? wire::kReachesV4 : 0) |
                                               (options.reaches_v6 ? wire::kReachesV6 : 0));
    announce.numwant = content->numwant;
    announce.chunks = content->state.chunks;
    announce.rate_kib = rate_kib;
    announce.owned = content->state.owned;
    size = wire::encode(buffer, header, announce);
  } else {
    const bool complete = (content->state.flags & wire::kContentComplete) != 0;
    size = encode_plain(
        buffer, header, options.node,
        {.swarm = content->swarm, .complete = complete, .numwant = content->numwant, .port = options.port});
  }
  listing->in_flight = true;
  listing->told_flags = content->state.flags;
  listing->told_chunks = content->state.chunks;
  tracker.client.pending().begin(now, {RequestKind::kAnnounce, header.transaction, {key}, first(buffer, size)});
}

void TrackerSet::Parts::begin_heartbeat(Instant now, Tracker& tracker, std::vector<ContentKey> group) {
  static_assert(wire::kHeartbeatHeader + wire::kMaxHeartbeatContents * wire::kHeartbeatEntryMax <=
                wire::kHeartbeatTarget);
  wire::Heartbeat beat;
  beat.node = options.node;
  beat.rate_kib = rate_kib;
  for (const ContentKey key : group) {
    const Content& content = contents.at(key);
    beat.entries.push_back({content.swarm, content.state.flags, content.state.owned});
  }
  const wire::TrackerHeader header = tracker.client.new_header();
  Buffer buffer;
  const std::size_t size = wire::encode(buffer, header, beat);
  tracker.client.pending().begin(now,
                                 {RequestKind::kHeartbeat, header.transaction, std::move(group), first(buffer, size)});
}

/// A heartbeat that says nothing but goodbyes; to a plain tracker one "stopped" event.
void TrackerSet::Parts::begin_farewell(Instant now, Tracker& tracker) {
  const wire::TrackerHeader header = tracker.client.new_header();
  Buffer buffer;
  std::size_t size = 0;
  if (tracker.client.extended()) {
    wire::Heartbeat beat;
    beat.node = options.node;
    while (!tracker.farewells.empty() && !beat.entries.full()) {
      beat.entries.push_back({.swarm = tracker.farewells.front(), .flags = wire::kContentLeft});
      tracker.farewells.pop_front();
    }
    size = wire::encode(buffer, header, beat);
  } else {
    size = encode_plain(
        buffer, header, options.node,
        {.swarm = tracker.farewells.front(), .event = wire::AnnounceEvent::kStopped, .port = options.port});
    tracker.farewells.pop_front();
  }
  tracker.client.pending().begin(now, {RequestKind::kGoodbye, header.transaction, {}, first(buffer, size)});
}

/// Each query goes to every tracker as soon as it answers; the page after a reply is asked for by on_page().
void TrackerSet::Parts::begin_queries(Instant now) {
  for (const ContentKey key : asking) {
    Content& content = *find(key);
    for (Asking& asked : content.asking) {
      const TrackerClient& client = trackers[asked.tracker]->client;
      if (!asked.begun && client.answering() && client.extended()) asked.begun = begin_page(now, key, content, asked);
    }
  }
}

bool TrackerSet::Parts::begin_page(Instant now, ContentKey key, const Content& content, const Asking& asked) {
  TrackerClient& client = trackers[asked.tracker]->client;
  if (!client.pending().has_room(RequestKind::kQuery)) return false;
  const wire::TrackerHeader header = client.new_header();
  Buffer buffer;
  const std::size_t size = wire::encode(buffer, header, wire::Query{content.swarm, asked.cursor});
  client.pending().begin(now, {RequestKind::kQuery, header.transaction, {key}, first(buffer, size)});
  return true;
}

void TrackerSet::Parts::end_query(ContentKey key, Content& content, std::uint32_t slot) {
  std::erase_if(content.asking, [slot](const Asking& asked) { return asked.tracker == slot; });
  if (content.asking.empty()) asking.erase(key);
}

}  // namespace peernet::discovery
