// The inside of TrackerSet: its books, and the steps that tracker_set.cpp (calls and datagrams out),
// tracker_set_books.cpp (who lives where) and tracker_set_replies.cpp (what trackers say) are made of.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/rng.hpp"
#include "discovery/content.hpp"
#include "discovery/event_queue.hpp"
#include "discovery/schedule.hpp"
#include "discovery/tracker_client.hpp"
#include "discovery/tracker_set.hpp"
#include "wire/tracker_legacy_reply.hpp"

namespace peernet::discovery {

struct TrackerSet::Parts {
  /// A tracker with what is due there.
  struct Tracker {
    Tracker(std::string name, std::span<const Address> addresses, std::uint64_t seed)
        : client(std::move(name), addresses, seed) {}

    TrackerClient client;
    Schedule schedule;
    std::deque<SwarmId> farewells;  ///< not said yet; at most kMaxContents
    std::uint32_t contents = 0;     ///< that name it
    std::uint32_t interested = 0;   ///< of those: are listed there, or want to be
  };

  explicit Parts(const SetOptions& set_options) : options(set_options), rng(set_options.seed) {}

  // --- trackers (tracker_set_books.cpp)

  std::optional<std::uint32_t> acquire(const TrackerEndpoint& endpoint);
  void release_unused(std::uint32_t slot);
  void index_addresses();
  void refresh_want(Instant now, Tracker& tracker);
  void on_change(Instant now, std::uint32_t slot, TrackerClient::Change change);
  void on_down(Instant now, std::uint32_t slot);
  /// Contents that name the tracker choose their homes again.
  void reselect_at(Instant now, std::uint32_t slot);

  // --- contents

  Content* find(ContentKey key);
  void reselect(Instant now, ContentKey key, Content& content);
  /// Leaves who stood in, once all homes are listed.
  void settle(Instant now, ContentKey key, Content& content);
  void refresh_interest(Instant now, Listing& listing);
  void set_due(ContentKey key, Listing& listing, Instant when);
  void clear_due(ContentKey key, Listing& listing);
  void enlist(Instant now, ContentKey key, Listing& listing);
  void unlist(Instant now, ContentKey key, Listing& listing);
  void say_farewell(Instant now, Listing& listing, const SwarmId& swarm);
  /// Not listed, and another tracker stands in until a later try.
  void refuse(Instant now, ContentKey key, Content& content, Listing& listing);

  // --- datagrams out (tracker_set.cpp)

  void pump(Instant now, std::uint32_t slot);
  void begin_announce(Instant now, Tracker& tracker, std::uint32_t slot, ContentKey key);
  void begin_heartbeat(Instant now, Tracker& tracker, std::vector<ContentKey> group);
  void begin_farewell(Instant now, Tracker& tracker);
  void begin_queries(Instant now);
  bool begin_page(Instant now, ContentKey key, const Content& content, const Asking& asked);
  void end_query(ContentKey key, Content& content, std::uint32_t slot);

  // --- replies (tracker_set_replies.cpp)

  void on_heard(Instant now, std::uint32_t slot, const TrackerClient::Heard& heard, const wire::TrackerReply* reply,
                const wire::AnnounceReply* plain);
  void on_restarted(Instant now, std::uint32_t slot);
  void on_announced(Instant now, std::uint32_t slot, const Request& request, const wire::NodeAnnounceReply& reply);
  void on_plain_announced(Instant now, std::uint32_t slot, const Request& request, const wire::AnnounceReply& reply);
  void on_heartbeat(Instant now, std::uint32_t slot, const Request& request, std::uint32_t unknown);
  void on_page(Instant now, std::uint32_t slot, const Request& request, const wire::QueryReply& reply);
  void on_refused(Instant now, std::uint32_t slot, const Request& request, std::string_view text);
  /// Nobody answered it in all its repetitions, though the tracker lives.
  void on_lapsed(Instant now, std::uint32_t slot, const Request& request);
  void push(EventQueue::Worth worth, DiscoveryEvent::Kind kind, ContentKey content, std::uint32_t slot,
            const std::function<void(DiscoveryEvent&)>& fill = {});

  SetOptions options;
  Rng rng;
  std::uint32_t rate_kib = 0;
  std::vector<std::unique_ptr<Tracker>> trackers;             // by slot; null: free
  std::vector<std::pair<Address, std::uint32_t>> by_address;  // sorted
  std::map<ContentKey, Content> contents;
  std::uint32_t last_key = 0;
  std::set<ContentKey> asking;  // contents with a query under way
  std::size_t turn = 0;         // of the trackers, to send
  EventQueue events;
};

}  // namespace peernet::discovery
