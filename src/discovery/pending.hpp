// Requests to one tracker that wait for their replies, and when each is sent again.
//
// A request: begun (not sent yet) -> sent once, twice, ... -> answered | lapsed (in vain, though the tracker lives)
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/time.hpp"
#include "discovery/types.hpp"

namespace peernet::discovery {

enum class RequestKind : std::uint8_t { kAnnounce, kHeartbeat, kGoodbye, kQuery };

struct Request {
  RequestKind kind = RequestKind::kAnnounce;
  std::uint32_t transaction = 0;
  std::vector<ContentKey> contents;  ///< whom it is about, in the order of its entries; a goodbye's are gone: none
  std::vector<std::byte> datagram;   ///< whole; the connection id in front is put in whenever it is sent
};

/// How long to wait before the first repetition, and at most before a later one (each wait is twice the last).
struct RetransmitTimes {
  Duration first{};
  Duration longest{};
};

class PendingRequests {
 public:
  // Together they bound what one tracker may leave unanswered, and what a reply is compared with.
  static constexpr std::size_t kMaxAnnounces = 64;
  static constexpr std::size_t kMaxHeartbeats = 64;
  static constexpr std::size_t kMaxGoodbyes = 16;
  static constexpr std::size_t kMaxQueries = 32;
  /// Longer than a silence that brings the tracker down: till then it is not known whether this one request is to
  /// blame.
  static constexpr Duration kLapseAfter = 12s;
  static constexpr unsigned kMaxGoodbyeSends = 2;  ///< nobody waits long for the answer to a goodbye

  struct Entry {
    Request request;
    Instant first_sent;
    Instant last_sent;
    Instant send_at;  ///< next
    unsigned sends = 0;
    unsigned most_sends = 0;  ///< 0: as often as time allows

    bool lapsed(Instant now) const;
  };

  bool has_room(RequestKind kind) const;
  /// There must be room. It is to be sent at once.
  void begin(Instant now, Request request);
  /// The next entry to send now, or nullptr; tell on_sent() when it has been.
  Entry* next_to_send(Instant now);
  static void on_sent(Instant now, Entry& entry, const RetransmitTimes& times);
  /// The entry of this transaction, or nullptr.
  Entry* find(std::uint32_t transaction);
  Request take(Entry& entry);
  /// Requests that have been repeated enough and waited for in vain.
  std::optional<Request> next_lapsed(Instant now);
  /// The connection id was not good, or is new: all are sent (again) at once.
  void send_all_at(Instant when);
  /// Announces and queries about a content that is gone: repeated, the first would list it again.
  void forget(ContentKey content);
  /// A swarm is entered again: a goodbye that were repeated now might be taken for a later one.
  void repeat_no_goodbye();
  void clear() { entries_.clear(); }

  bool empty() const { return entries_.empty(); }
  std::size_t size() const { return entries_.size(); }
  bool goodbyes_unsent() const;
  /// When next_to_send() or next_lapsed() will have something; never() if nothing is pending.
  Instant next_deadline() const;
  /// When the tracker is silent for too long: some request (but a goodbye) has been unanswered, and nothing heard, for
  /// `limit`; and it was repeated, and the last repetition has had `grace` for its answer, so that a pause of this
  /// process alone brings nobody down.
  Instant silent_at(Instant last_heard, Duration limit, Duration grace) const;

 private:
  std::vector<Entry> entries_;  // in the order they were begun
};

}  // namespace peernet::discovery
