// The first shard's dealings with trackers: the set of those it talks to (src/discovery), who wants to know of which
// swarm, names to look up, and the tracker this node may be itself. Nothing here is waited for by a transfer.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "discovery/tracker_set.hpp"
#include "node/embedded_tracker.hpp"
#include "node/name_lookup.hpp"

namespace peernet::node {

class Publication;
struct SharedContent;
class TransferState;

/// Who wants to know of a swarm: a get, a share, a question from outside. Called on the first shard's thread.
class TrackerUser {
 public:
  virtual ~TrackerUser() = default;
  virtual void on_tracker_peers(const wire::NodeAnnounceReply&) {}
  virtual void on_tracker_announced(const std::string& /*tracker*/) {}
  virtual void on_tracker_down(const std::string& /*tracker*/) {}
  /// It cannot be asked as things are: its name does not resolve, or no address of it is of a family reached from here.
  virtual void on_tracker_unusable(const std::string& tracker, const std::string& /*reason*/) {
    on_tracker_down(tracker);
  }
  virtual void on_tracker_refused(const std::string& /*tracker*/, const std::string& /*text*/) {}
  virtual void on_tracker_listing(const std::string& /*tracker*/, const wire::QueryReply&) {}
};

class Discovery {
 public:
  /// The shard outlives it.
  explicit Discovery(Shard& shard);
  ~Discovery();

  struct Membership {
    SwarmId swarm{};
    std::vector<std::string> trackers;  ///< "host:port", of the link
    discovery::ContentState state;
    std::uint8_t numwant = 0;
    bool announced = true;  ///< false: only to query
  };
  /// The user lives until leave(). Several users of one swarm are one member for its trackers, with the best of states,
  /// all the trackers they name, and as many peers wanted as the one that wants most. Calls nobody back before work().
  void join(TrackerUser& user, Membership membership);
  void update(TrackerUser& user, const discovery::ContentState& state);
  void want_peers(TrackerUser& user);
  void query(TrackerUser& user);
  /// Says goodbye to the trackers unless another user of the swarm is left.
  void leave(TrackerUser& user);

  /// A content that this node serves, from now until withdraw().
  void publish(std::unique_ptr<Publication> publication);
  void withdraw(const SharedContent& content);
  /// Made when it is needed first.
  EmbeddedTracker& embedded_tracker();

  /// A datagram that is no PN/1 packet. False: nobody here wants it.
  bool on_datagram(const Address& from, ByteSpan datagram);
  /// Once a turn, before fetches go on: timeouts, news to users.
  void work(Instant now);
  /// And at its end: what there is to say to trackers, after what there is to say to peers.
  void transmit();
  Instant next_deadline() const;

  /// The node ends: goodbye to everybody.
  void stop(Instant now);
  /// All that had to be said has been sent.
  bool idle() const { return !set_ || set_->idle(); }

 private:
  struct User {
    TrackerUser* user = nullptr;
    discovery::ContentState state;
    std::uint8_t numwant = 0;
  };
  struct Member {
    std::uint64_t number = 0;
    SwarmId swarm{};
    bool announced = true;
    std::uint8_t numwant = 0;  // as its trackers were told
    std::vector<User> users;
    std::vector<discovery::TrackerEndpoint> endpoints;  // those whose names are known
    std::vector<std::string> unknown_names;
    std::optional<discovery::ContentKey> key;  // while there is an endpoint
    bool query_wanted = false;
    Instant look_up_at = Instant::never();
    Duration look_up_pause = std::chrono::seconds(5);
  };

  discovery::TrackerSet& set();
  Member* member_of(const TrackerUser& user);
  User* user_of(Member& member, const TrackerUser& user);
  Member& member_for(const Membership& membership);
  bool add_trackers(Member& member, TrackerUser& user, std::vector<std::string> names);
  void tell_unusable();
  void look_up_names(Member& member);
  void on_names(std::uint64_t number, const std::vector<NamedAddresses>& found);
  bool reachable(const Address& address) const;
  void enter(Member& member);
  void leave_trackers(Member& member);
  static discovery::ContentState best_state(const Member& member);
  void deliver(const discovery::DiscoveryEvent& event);
  void measure_rate(Instant now);

  Shard& shard_;
  std::optional<discovery::TrackerSet> set_;
  std::unique_ptr<EmbeddedTracker> embedded_;
  std::vector<std::unique_ptr<Member>> members_;
  std::vector<std::unique_ptr<Publication>> publications_;
  struct Unusable {
    TrackerUser* user = nullptr;
    std::string tracker;
    std::string reason;
  };
  std::vector<Unusable> untold_;  // what users are told at the next work()
  std::uint64_t next_number_ = 1;
  Instant rate_at_ = Instant::never();
  Instant rate_since_;
  std::uint64_t rate_sent_ = 0;
};

}  // namespace peernet::node
