// Who lives where: trackers come and go, contents choose their homes.
#include <algorithm>
#include <utility>

#include "discovery/tracker_set_parts.hpp"

namespace peernet::discovery {

std::optional<std::uint32_t> TrackerSet::Parts::acquire(const TrackerEndpoint& endpoint) {
  if (endpoint.addresses.empty()) return std::nullopt;
  std::optional<std::uint32_t> free;
  for (std::uint32_t slot = 0; slot < trackers.size(); ++slot) {
    if (!trackers[slot]) {
      if (!free) free = slot;
    } else if (trackers[slot]->client.name() == endpoint.name) {
      trackers[slot]->client.add_addresses(endpoint.addresses);
      return slot;
    }
  }
  if (!free) {
    if (trackers.size() == kMaxTrackers) return std::nullopt;
    free = static_cast<std::uint32_t>(trackers.size());
    trackers.emplace_back();
  }
  trackers[*free] = std::make_unique<Tracker>(endpoint.name, endpoint.addresses, rng.next());
  return free;
}

void TrackerSet::Parts::release_unused(std::uint32_t slot) {
  const Tracker& tracker = *trackers[slot];
  if (tracker.contents != 0 || !tracker.farewells.empty() || !tracker.client.pending().empty()) return;
  trackers[slot].reset();
  index_addresses();
}

void TrackerSet::Parts::index_addresses() {
  by_address.clear();
  for (std::uint32_t slot = 0; slot < trackers.size(); ++slot)
    if (trackers[slot])
      for (const Address& address : trackers[slot]->client.addresses()) by_address.emplace_back(address, slot);
  std::ranges::sort(by_address);
}

void TrackerSet::Parts::refresh_want(Instant now, Tracker& tracker) {
  tracker.client.want(now, tracker.interested > 0 || !tracker.farewells.empty());
}

void TrackerSet::Parts::on_change(Instant now, std::uint32_t slot, TrackerClient::Change change) {
  switch (change) {
    case TrackerClient::Change::kNone:
      break;
    case TrackerClient::Change::kSlow:
      reselect_at(now, slot);
      break;
    case TrackerClient::Change::kDown:
      on_down(now, slot);
      break;
  }
}

void TrackerSet::Parts::on_down(Instant now, std::uint32_t slot) {
  Tracker& tracker = *trackers[slot];
  tracker.farewells.clear();
  ContentKey some;
  for (auto& [key, content] : contents) {
    Listing* listing = content.at(slot);
    if (listing == nullptr) continue;
    if (listing->open && some == ContentKey()) some = key;
    listing->in_flight = false;
    listing->refusals = 0;
    clear_due(key, *listing);
    unlist(now, key, *listing);
    if (Asking* asked = content.asking_at(slot)) *asked = {.tracker = slot};  // from the start when it is back
  }
  refresh_want(now, tracker);
  push(EventQueue::Worth::kNews, DiscoveryEvent::Kind::kDown, some, slot);
  reselect_at(now, slot);
}

void TrackerSet::Parts::reselect_at(Instant now, std::uint32_t slot) {
  for (auto& [key, content] : contents)
    if (content.at(slot) != nullptr) reselect(now, key, content);
}

Content* TrackerSet::Parts::find(ContentKey key) {
  const auto found = contents.find(key);
  return found == contents.end() ? nullptr : &found->second;
}

void TrackerSet::Parts::reselect(Instant now, ContentKey key, Content& content) {
  choose_homes(content, [&](const Listing& listing) {
    const TrackerClient& client = trackers[listing.tracker]->client;
    const bool mute = client.answering() && !client.extended() && options.port == 0;
    return client.counted() && !mute;
  });
  for (Listing& listing : content.listings) {
    if (!content.announced) listing.open = true;  // who only looks looks everywhere
    refresh_interest(now, listing);
    if (!content.announced || listing.listed) continue;
    const TrackerClient& client = trackers[listing.tracker]->client;
    if (!listing.open) {
      clear_due(key, listing);
    } else if (client.answering() && !listing.in_flight && listing.due.is_never()) {
      if (listing.home) set_due(key, listing, now);
      if (listing.refusals > 0) set_due(key, listing, now + client.beat());
    }
  }
  settle(now, key, content);
}

void TrackerSet::Parts::settle(Instant now, ContentKey key, Content& content) {
  if (!settled(content)) return;
  for (Listing& listing : content.listings) {
    if (listing.home || !listing.listed) continue;
    say_farewell(now, listing, content.swarm);
    clear_due(key, listing);
    unlist(now, key, listing);
  }
}

void TrackerSet::Parts::refresh_interest(Instant now, Listing& listing) {
  const bool interested = listing.open || listing.listed;
  if (interested == listing.interested) return;
  listing.interested = interested;
  Tracker& tracker = *trackers[listing.tracker];
  tracker.interested += interested ? 1 : -1U;
  refresh_want(now, tracker);
}

/// Never later than before.
void TrackerSet::Parts::set_due(ContentKey key, Listing& listing, Instant when) {
  if (listing.due <= when) return;
  clear_due(key, listing);
  listing.due = when;
  trackers[listing.tracker]->schedule.set_due(key, when);
}

void TrackerSet::Parts::clear_due(ContentKey key, Listing& listing) {
  if (listing.due.is_never()) return;
  trackers[listing.tracker]->schedule.clear_due(key, listing.due);
  listing.due = Instant::never();
}

void TrackerSet::Parts::enlist(Instant now, ContentKey key, Listing& listing) {
  if (listing.listed) return;
  listing.listed = true;
  Tracker& tracker = *trackers[listing.tracker];
  if (tracker.client.extended()) tracker.schedule.add_listed(now, key, tracker.client.beat(), rng);
  refresh_interest(now, listing);
  push(EventQueue::Worth::kNews, DiscoveryEvent::Kind::kAnnounced, key, listing.tracker);
}

void TrackerSet::Parts::unlist(Instant now, ContentKey key, Listing& listing) {
  trackers[listing.tracker]->schedule.remove_listed(key);
  listing.listed = false;
  refresh_interest(now, listing);
}

void TrackerSet::Parts::say_farewell(Instant now, Listing& listing, const SwarmId& swarm) {
  Tracker& tracker = *trackers[listing.tracker];
  if (!tracker.client.answering() || tracker.farewells.size() == kMaxContents) return;
  tracker.farewells.push_back(swarm);
  refresh_want(now, tracker);
}

void TrackerSet::Parts::refuse(Instant now, ContentKey key, Content& content, Listing& listing) {
  const Duration beat = trackers[listing.tracker]->client.beat();
  const Duration wait = beat * (std::int64_t{1} << std::min(listing.refusals, 4U));
  ++listing.refusals;
  listing.in_flight = false;
  clear_due(key, listing);
  unlist(now, key, listing);
  if (listing.open) set_due(key, listing, now + wait);
  reselect(now, key, content);
}

}  // namespace peernet::discovery
