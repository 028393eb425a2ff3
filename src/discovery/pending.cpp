#include "discovery/pending.hpp"

#include <algorithm>
#include <utility>

#include "base/check.hpp"

namespace peernet::discovery {

bool PendingRequests::Entry::lapsed(Instant now) const {
  if (most_sends != 0) return sends >= most_sends;
  return sends >= 2 && now - first_sent >= kLapseAfter;
}

bool PendingRequests::has_room(RequestKind kind) const {
  const auto count = static_cast<std::size_t>(
      std::ranges::count_if(entries_, [&](const Entry& entry) { return entry.request.kind == kind; }));
  switch (kind) {
    case RequestKind::kAnnounce:
      return count < kMaxAnnounces;
    case RequestKind::kHeartbeat:
      return count < kMaxHeartbeats;
    case RequestKind::kGoodbye:
      return count < kMaxGoodbyes;
    case RequestKind::kQuery:
      return count < kMaxQueries;
  }
  return false;
}

void PendingRequests::begin(Instant now, Request request) {
  PN_CHECK(has_room(request.kind));
  Entry entry;
  entry.most_sends = request.kind == RequestKind::kGoodbye ? kMaxGoodbyeSends : 0;
  entry.request = std::move(request);
  entry.send_at = now;
  entries_.push_back(std::move(entry));
}

PendingRequests::Entry* PendingRequests::next_to_send(Instant now) {
  const auto found =
      std::ranges::find_if(entries_, [&](const Entry& entry) { return entry.send_at <= now && !entry.lapsed(now); });
  return found == entries_.end() ? nullptr : &*found;
}

void PendingRequests::on_sent(Instant now, Entry& entry, const RetransmitTimes& times) {
  if (entry.sends == 0) entry.first_sent = now;
  entry.last_sent = now;
  entry.send_at = now + std::min(times.first * (std::int64_t{1} << std::min(entry.sends, 16U)), times.longest);
  ++entry.sends;
}

PendingRequests::Entry* PendingRequests::find(std::uint32_t transaction) {
  const auto found =
      std::ranges::find_if(entries_, [&](const Entry& entry) { return entry.request.transaction == transaction; });
  return found == entries_.end() ? nullptr : &*found;
}

Request PendingRequests::take(Entry& entry) {
  Request request = std::move(entry.request);
  entries_.erase(entries_.begin() + (&entry - entries_.data()));
  return request;
}

std::optional<Request> PendingRequests::next_lapsed(Instant now) {
  for (Entry& entry : entries_)
    if (entry.send_at <= now && entry.lapsed(now)) return take(entry);
  return std::nullopt;
}

void PendingRequests::send_all_at(Instant when) {
  for (Entry& entry : entries_) entry.send_at = std::min(entry.send_at, when);
}

void PendingRequests::forget(ContentKey content) {
  std::erase_if(entries_, [&](const Entry& entry) {
    const RequestKind kind = entry.request.kind;
    return (kind == RequestKind::kAnnounce || kind == RequestKind::kQuery) && entry.request.contents.front() == content;
  });
}

void PendingRequests::repeat_no_goodbye() {
  std::erase_if(entries_,
                [](const Entry& entry) { return entry.request.kind == RequestKind::kGoodbye && entry.sends > 0; });
  for (Entry& entry : entries_)
    if (entry.request.kind == RequestKind::kGoodbye) entry.most_sends = 1;
}

bool PendingRequests::goodbyes_unsent() const {
  return std::ranges::any_of(
      entries_, [](const Entry& entry) { return entry.request.kind == RequestKind::kGoodbye && entry.sends == 0; });
}

Instant PendingRequests::next_deadline() const {
  Instant first = Instant::never();
  for (const Entry& entry : entries_) first = std::min(first, entry.send_at);
  return first;
}

Instant PendingRequests::silent_at(Instant last_heard, Duration limit, Duration grace) const {
  Instant at = Instant::never();
  for (const Entry& entry : entries_) {
    if (entry.sends < 2 || entry.request.kind == RequestKind::kGoodbye) continue;
    at = std::min(at, std::max(std::max(entry.first_sent, last_heard) + limit, entry.last_sent + grace));
  }
  return at;
}

}  // namespace peernet::discovery
