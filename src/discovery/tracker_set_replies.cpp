// What trackers say, and what follows from it.
#include <algorithm>
#include <utility>

#include "discovery/plain_announce.hpp"
#include "discovery/tracker_set_parts.hpp"

namespace peernet::discovery {

bool TrackerSet::on_datagram(Instant now, const Address& from, ByteSpan datagram) {
  Parts& p = *parts_;
  const auto [first, end] = std::ranges::equal_range(p.by_address, from, {}, &std::pair<Address, std::uint32_t>::first);
  if (first == end) return false;
  const std::optional<wire::TrackerReply> reply = wire::decode_tracker_reply(datagram);
  const std::optional<wire::AnnounceReply> plain = wire::decode_announce_reply(datagram, !from.is_v4());
  if (!reply && !plain) return true;
  // Two names may stand for one address; the reply belongs to the one whose transaction it names.
  const std::vector<std::pair<Address, std::uint32_t>> owners(first, end);
  for (const auto& [address, slot] : owners) {
    TrackerClient& client = p.trackers[slot]->client;
    if (reply) {
      p.on_heard(now, slot, client.on_reply(now, from, *reply), &*reply, nullptr);
    } else {
      p.on_heard(now, slot, client.on_plain_reply(now, from, plain->transaction), nullptr, &*plain);
    }
  }
  return true;
}

void TrackerSet::Parts::on_heard(Instant now, std::uint32_t slot, const TrackerClient::Heard& heard,
                                 const wire::TrackerReply* reply, const wire::AnnounceReply* plain) {
  if (heard.leaving) return on_down(now, slot);
  if (heard.connected) reselect_at(now, slot);
  if (heard.restarted) on_restarted(now, slot);
  if (!heard.answered) return;
  const Request& request = *heard.answered;
  Tracker& tracker = *trackers[slot];
  if (tracker.client.extended()) tracker.schedule.on_beat(now, tracker.client.beat());
  if (request.kind == RequestKind::kGoodbye) return;
  if (plain != nullptr) return on_plain_announced(now, slot, request, *plain);
  if (const auto* announced = std::get_if<wire::NodeAnnounceReply>(reply)) on_announced(now, slot, request, *announced);
  if (const auto* beat = std::get_if<wire::HeartbeatReply>(reply)) on_heartbeat(now, slot, request, beat->unknown);
  if (const auto* page = std::get_if<wire::QueryReply>(reply)) on_page(now, slot, request, *page);
  if (const auto* error = std::get_if<wire::ErrorReply>(reply)) on_refused(now, slot, request, error->text);
}

/// It knows nothing of us: announce everything again, but not with all other nodes at once.
void TrackerSet::Parts::on_restarted(Instant now, std::uint32_t slot) {
  Tracker& tracker = *trackers[slot];
  const auto spread = static_cast<std::uint64_t>(tracker.client.beat().count()) / 4 * 3;
  const std::vector<ContentKey> listed(tracker.schedule.listed().begin(), tracker.schedule.listed().end());
  for (const ContentKey key : listed) {
    Listing& listing = *find(key)->at(slot);
    unlist(now, key, listing);
    if (listing.home && !listing.in_flight)
      set_due(key, listing, now + Duration(static_cast<std::int64_t>(rng.below(spread))));
  }
}

void TrackerSet::Parts::on_announced(Instant now, std::uint32_t slot, const Request& request,
                                     const wire::NodeAnnounceReply& reply) {
  const ContentKey key = request.contents.front();
  Content* content = find(key);
  Listing* listing = content == nullptr ? nullptr : content->at(slot);
  if (listing == nullptr) return;
  const bool was_refused = std::exchange(listing->refusals, 0U) != 0;
  listing->in_flight = false;
  clear_due(key, *listing);
  enlist(now, key, *listing);
  if (listing->told_flags != content->state.flags || listing->told_chunks != content->state.chunks)
    set_due(key, *listing, now);
  const bool getter = (content->state.flags & wire::kContentComplete) == 0;
  push(getter ? EventQueue::Worth::kPeers : EventQueue::Worth::kAnswer, DiscoveryEvent::Kind::kPeers, key, slot,
       [&](DiscoveryEvent& event) { event.peers = reply; });
  if (was_refused) {
    reselect(now, key, *content);
  } else {
    settle(now, key, *content);
  }
}

void TrackerSet::Parts::on_plain_announced(Instant now, std::uint32_t slot, const Request& request,
                                           const wire::AnnounceReply& reply) {
  on_announced(now, slot, request, as_node_reply(reply));
  Content* content = find(request.contents.front());
  Listing* listing = content == nullptr ? nullptr : content->at(slot);
  // There are no heartbeats: to announce again is the sign of life.
  if (listing != nullptr && listing->listed) set_due(request.contents.front(), *listing, now + plain_interval(reply));
}

void TrackerSet::Parts::on_heartbeat(Instant now, std::uint32_t slot, const Request& request, std::uint32_t unknown) {
  for (std::size_t i = 0; i < request.contents.size(); ++i) {
    Content* content = (unknown >> i & 1U) != 0 ? find(request.contents[i]) : nullptr;
    Listing* listing = content == nullptr ? nullptr : content->at(slot);
    if (listing == nullptr || !listing->listed) continue;
    unlist(now, request.contents[i], *listing);
    if (listing->home && !listing->in_flight) set_due(request.contents[i], *listing, now);
  }
}

void TrackerSet::Parts::on_page(Instant now, std::uint32_t slot, const Request& request,
                                const wire::QueryReply& reply) {
  const ContentKey key = request.contents.front();
  Content* content = find(key);
  Asking* asked = content == nullptr ? nullptr : content->asking_at(slot);
  if (asked == nullptr || !asked->begun) return;
  const bool last = reply.cursor == 0 || ++asked->pages == kMaxQueryPages;
  push(EventQueue::Worth::kPage, DiscoveryEvent::Kind::kListing, key, slot, [&](DiscoveryEvent& event) {
    event.listing = reply;
    if (last) event.listing.cursor = 0;
  });
  if (last) return end_query(key, *content, slot);
  asked->cursor = reply.cursor;
  PN_CHECK(begin_page(now, key, *content, *asked));  // the request that was answered made room
}

void TrackerSet::Parts::on_refused(Instant now, std::uint32_t slot, const Request& request, std::string_view text) {
  push(EventQueue::Worth::kAnswer, DiscoveryEvent::Kind::kRefused, request.contents.front(), slot,
       [&](DiscoveryEvent& event) { event.text = text; });
  on_lapsed(now, slot, request);
}

void TrackerSet::Parts::on_lapsed(Instant now, std::uint32_t slot, const Request& request) {
  switch (request.kind) {
    case RequestKind::kAnnounce: {
      const ContentKey key = request.contents.front();
      Content* content = find(key);
      if (content != nullptr) refuse(now, key, *content, *content->at(slot));
      break;
    }
    case RequestKind::kHeartbeat:  // of these nothing is known any more: announced, they are listed or refused
      on_heartbeat(now, slot, request, UINT32_MAX);
      break;
    case RequestKind::kQuery: {
      Content* content = find(request.contents.front());
      if (content != nullptr) end_query(request.contents.front(), *content, slot);
      break;
    }
    case RequestKind::kGoodbye:
      break;
  }
}

void TrackerSet::Parts::push(EventQueue::Worth worth, DiscoveryEvent::Kind kind, ContentKey content, std::uint32_t slot,
                             const std::function<void(DiscoveryEvent&)>& fill) {
  DiscoveryEvent event;
  event.kind = kind;
  event.content = content;
  event.tracker = trackers[slot]->client.name();
  if (fill) fill(event);
  events.push(worth, std::move(event));
}

}  // namespace peernet::discovery
