// The trackers a node talks to, for all its contents: announces, heartbeats, failover. Sans-IO: told of time and
// datagrams, asked for datagrams and deadlines.
//
// A content lives on the two of its trackers that rank first by rendezvous hashing among those that answer
// (rendezvous.hpp); when one falls silent the next takes its place within one beat. One connection serves all contents
// at one tracker; heartbeats carry up to 32 contents. The states of a tracker are in tracker_client.hpp.
//
// Who answers with the plain reply of BEP 15 is announced to as a BitTorrent client would.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/address.hpp"
#include "base/time.hpp"
#include "base/types.hpp"
#include "discovery/types.hpp"
#include "wire/tracker_messages.hpp"

namespace peernet::discovery {

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
  std::uint64_t seed =
      1;  ///< transaction ids and jitter; from the system's randomness, so that replies are hard to forge
  std::uint16_t port =
      0;  ///< of our socket, as trackers without the extension want it told; 0: those are not announced to
};

/// What happened, for the node.
struct DiscoveryEvent {
  enum class Kind : std::uint8_t {
    kPeers,      ///< an announce was answered: peers (perhaps none), observed
    kAnnounced,  ///< the content is listed at this tracker (each time it becomes so)
    kDown,       ///< the tracker does not answer; content is one that lives there
    kRefused,    ///< the tracker answered with an error (text)
    kListing,    ///< a page of a query's answer by this tracker; its final one has cursor 0
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

  static constexpr std::size_t kMaxContents = 65'536;
  static constexpr std::size_t kMaxTrackers = 256;
  static constexpr std::uint32_t kMaxQueryPages = 4'096;

  /// The key is none when kMaxContents are here. Trackers beyond kMaxTrackers of all contents are left out.
  ContentKey add(Instant now, const ContentOptions& options);
  // Calls about a key that is none or dead do nothing.

  /// Completion, and becoming or ceasing to be served, are announced at once; other changes ride on heartbeats.
  void update(Instant now, ContentKey content, const ContentState& state);
  /// Announces again for more peers, at most once a second per content, at its trackers in turn. While it is listed
  /// nowhere there is nothing to do: the announce to come brings peers.
  void want_peers(Instant now, ContentKey content);
  /// Asks for everybody of the content, page by page, at each of its trackers as soon as it answers: one that has just
  /// started knows nobody, and one reached over IPv4 may know others than one reached over IPv6. Of an announced
  /// content only the trackers that it lives on are contacted. Does nothing while the last query goes on.
  void query(Instant now, ContentKey content);
  /// Says goodbye to its trackers; the key is dead at once.
  void remove(Instant now, ContentKey content);
  /// Measured upload rate of this node; rides on what is sent next.
  void set_rate(std::uint32_t kib_per_second);

  struct Transmit {
    Address to;
    std::size_t size = 0;
  };
  /// The next datagram to send, written into out (wire::kMaxTrackerRequest bytes); nothing when there is none. Call
  /// until nothing, after every call above and below.
  std::optional<Transmit> poll_transmit(Instant now, MutableByteSpan out);
  /// A datagram that is no PN/1 packet. False: it came from no tracker of ours.
  bool on_datagram(Instant now, const Address& from, ByteSpan datagram);
  void on_timeout(Instant now);
  Instant next_deadline() const;
  /// At most EventQueue::kMaxEvents wait; news is lost first, peers for a getter last.
  std::optional<DiscoveryEvent> poll_event();
  /// Every goodbye has been said (sent at least once).
  bool idle() const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace peernet::discovery
