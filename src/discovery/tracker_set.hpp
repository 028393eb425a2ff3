// The trackers a node talks to, for all its contents: announces, heartbeats, failover. Sans-IO: told of time and
// datagrams, asked for datagrams and deadlines.
//
// A content lives on the two of its trackers that rank first by rendezvous hashing (HMAC-free: SHA-256 over the tracker's
// name and the swarm id) among those that answer; when one falls silent the next takes its place within one beat. One
// connection serves all contents at one tracker; heartbeats carry up to 32 contents.
//
// A tracker: kIdle -> kConnecting -> kConnected -> kConnecting (its connection id went stale, or its epoch changed)
//            kConnecting | kConnected -> kDown (unanswered, or it said goodbye) -> kConnecting (tried again, with backoff)
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/address.hpp"
#include "base/time.hpp"
#include "base/types.hpp"
#include "wire/tracker_messages.hpp"

namespace peernet::discovery {

/// A tracker as a link names it, and what its name resolved to.
struct TrackerEndpoint {
  std::string name;                ///< "host:port" exactly as in the link: all nodes must rank by the same text
  std::vector<Address> addresses;  ///< tried in order; not empty
};

using ContentKey = Strong<struct ContentKeyTag, std::uint32_t>;

/// What this node has of a content.
struct ContentState {
  std::uint8_t flags = 0;  ///< wire::kContentComplete, kContentServed
  std::uint32_t chunks = 0;
  wire::OwnershipBits owned{};
};

struct ContentOptions {
  SwarmId swarm{};
  std::vector<TrackerEndpoint> trackers;  ///< at most kMaxTrackersPerContent are used
  ContentState state;
  std::uint8_t numwant = 0;  ///< peers wanted with each announce
  bool announced = true;     ///< false: only for query(); no tracker learns that this node is interested
};

struct SetOptions {
  wire::NodeTag node{};
  bool reaches_v4 = true;
  bool reaches_v6 = true;
  std::uint64_t seed = 1;  ///< transaction ids and jitter
};

inline constexpr std::size_t kMaxTrackersPerContent = 16;
inline constexpr std::size_t kActiveTrackers = 2;

/// What happened, for the node.
struct DiscoveryEvent {
  enum class Kind : std::uint8_t {
    kPeers,      ///< an announce was answered: peers (perhaps none), observed
    kAnnounced,  ///< the content is listed at this tracker (each time it becomes so)
    kDown,       ///< the tracker does not answer; content is one that lives there
    kRefused,    ///< the tracker answered with an error (text)
    kListing,    ///< a query's page; last says whether it was the final one
  };
  Kind kind = Kind::kPeers;
  ContentKey content;
  std::string tracker;  ///< its name
  wire::NodeAnnounceReply peers;
  wire::QueryReply listing;
  std::string text;
};

class TrackerSet {
 public:
  explicit TrackerSet(const SetOptions& options);
  ~TrackerSet();
  TrackerSet(const TrackerSet&) = delete;
  TrackerSet& operator=(const TrackerSet&) = delete;

  ContentKey add(Instant now, const ContentOptions& options);
  /// Completion, and becoming or ceasing to be served, are announced at once; other changes ride on heartbeats.
  void update(Instant now, ContentKey content, const ContentState& state);
  /// Announces again for more peers, at most once a second per content.
  void want_peers(Instant now, ContentKey content);
  /// Asks for everybody of the content, page by page, from the first of its trackers that answers.
  void query(Instant now, ContentKey content);
  /// Says goodbye to its trackers; the key is dead at once.
  void remove(Instant now, ContentKey content);
  void set_rate(std::uint32_t kib_per_second);

  struct Transmit {
    Address to;
    std::size_t size = 0;
  };
  /// The next datagram to send, written into out (wire::kMaxTrackerRequest bytes); nothing when there is none. Call until
  /// nothing, after every call above and below.
  std::optional<Transmit> poll_transmit(Instant now, MutableByteSpan out);
  /// A datagram that is no PN/1 packet. False: it came from no tracker of ours.
  bool on_datagram(Instant now, const Address& from, ByteSpan datagram);
  void on_timeout(Instant now);
  Instant next_deadline() const;
  std::optional<DiscoveryEvent> poll_event();
  /// Every goodbye has been said (sent at least once).
  bool idle() const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace peernet::discovery
