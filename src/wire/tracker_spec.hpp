// The tracker protocol: every constant of BEP 15 (UDP tracker), BEP 41 (options) and of PeerNet's extension that the
// other side can observe. docs/protocol-tracker.md explains them byte by byte.
#pragma once

#include <cstddef>
#include <cstdint>

namespace peernet::wire {

// ---- BEP 15
// ---------------------------------------------------------------------------------------------------------

/// What stands in the connection id's place of a connect request.
inline constexpr std::uint64_t kTrackerMagic = 0x41727101980;

enum class TrackerAction : std::uint32_t {
  kConnect = 0,
  kAnnounce = 1,
  kScrape = 2,
  kError = 3,
  // The extension; only under a connection id that was given to an extended connect request.
  kNodeAnnounce = 64,
  kHeartbeat = 65,
  kQuery = 66,
  kGoodbye = 67,  ///< tracker to node, unasked: it is going away
  // 68 to 71 are reserved for meeting behind NATs (hole punching).
};

enum class AnnounceEvent : std::uint32_t { kNone = 0, kCompleted = 1, kStarted = 2, kStopped = 3 };
/// libtorrent's word for a partial seed (BEP 21, which names no number for UDP): taken as kNone.
inline constexpr std::uint32_t kPausedEvent = 4;

inline constexpr std::size_t kConnectRequestSize = 16;
inline constexpr std::size_t kConnectReplySize = 16;
inline constexpr std::size_t kRequestHeaderSize = 16;  ///< connection id, action, transaction id
inline constexpr std::size_t kAnnounceRequestSize = 98;
inline constexpr std::size_t kAnnounceReplyHeader = 20;
inline constexpr std::size_t kScrapeReplyHeader = 8;
inline constexpr std::size_t kScrapeEntrySize = 12;
inline constexpr std::size_t kErrorReplyHeader = 8;
inline constexpr std::size_t kInfoHashSize = 20;
inline constexpr std::size_t kMaxScrapeHashes = 74;  ///< BEP 15: "up to about 74"
inline constexpr std::uint32_t kDefaultNumwant = 50;
inline constexpr std::uint32_t kMaxPeersV4 = 200;  ///< 1220 bytes
inline constexpr std::uint32_t kMaxPeersV6 = 66;   ///< 1208 bytes
inline constexpr std::size_t kPeerSizeV4 = 6;
inline constexpr std::size_t kPeerSizeV6 = 18;
/// No reply is longer: it passes the smallest IPv6 path (1280 - 40 - 8).
inline constexpr std::size_t kMaxTrackerReply = 1232;
/// A longer request is dropped: BEP 15 with BEP 41 options stays far below, and a heartbeat of 32 contents fits.
inline constexpr std::size_t kMaxTrackerRequest = 1500;
static_assert(kAnnounceReplyHeader + kMaxPeersV4 * kPeerSizeV4 <= kMaxTrackerReply);
static_assert(kAnnounceReplyHeader + kMaxPeersV6 * kPeerSizeV6 <= kMaxTrackerReply);
static_assert(kScrapeReplyHeader + kMaxScrapeHashes * kScrapeEntrySize <= kMaxTrackerReply);

/// BEP 41 option types behind the 98 bytes of an announce.
enum class UrlOption : std::uint8_t { kEnd = 0, kNop = 1, kUrlData = 2 };

// ---- Extension
// ------------------------------------------------------------------------------------------------------

/// Behind the 16 bytes of a connect request, and of its reply: "PNT1".
inline constexpr std::uint32_t kExtensionMark = 0x504e5431;
/// An extended connect request is padded to this size, so that the reply is never longer.
inline constexpr std::size_t kExtendedConnectSize = 64;
inline constexpr std::size_t kExtendedConnectReplySize = 16 + 4 + 4 + 4 + 4 + 18;

inline constexpr std::size_t kNodeTagSize = 16;       ///< the first bytes of a node id
inline constexpr std::size_t kOwnershipBytes = 16;    ///< 128 bits
inline constexpr std::uint32_t kOwnershipBits = 128;  ///< exact up to 128 chunks, 1/128 steps above

// Flags of a node's content in announces, heartbeats, replies and listings.
inline constexpr std::uint8_t kContentComplete = 0x01;  ///< has every chunk
inline constexpr std::uint8_t kContentServed = 0x02;    ///< accepts sessions for it: may be given to others
inline constexpr std::uint8_t kContentLeft = 0x04;      ///< requests: goodbye
// Flags of an announce only.
inline constexpr std::uint8_t kReachesV4 = 0x10;  ///< wants peers with IPv4 addresses
inline constexpr std::uint8_t kReachesV6 = 0x20;  ///< wants peers with IPv6 addresses
// Flag of peers in replies only.
inline constexpr std::uint8_t kPeerIsV6 = 0x80;

inline constexpr std::size_t kNodeAnnounceSize = kRequestHeaderSize + kInfoHashSize + kNodeTagSize + 4 + 4 + 4 + kOwnershipBytes;
inline constexpr std::size_t kNodeAnnounceReplyHeader = 8 + 4 + 4 + 8 + 18 + 4 + 4 + 4 + 1;
inline constexpr std::size_t kNodePeerSizeV4 = 1 + 4 + 2 + 4 + kNodeTagSize + kOwnershipBytes;
inline constexpr std::size_t kNodePeerSizeV6 = 1 + 16 + 2 + 4 + kNodeTagSize + kOwnershipBytes;
inline constexpr std::uint32_t kMaxNodePeers = 20;
static_assert(kNodeAnnounceReplyHeader + kMaxNodePeers * kNodePeerSizeV6 <= kMaxTrackerReply);

inline constexpr std::size_t kMaxHeartbeatContents = 32;
inline constexpr std::size_t kHeartbeatHeader = kRequestHeaderSize + kNodeTagSize + 4 + 4;
inline constexpr std::size_t kHeartbeatEntryMax = kInfoHashSize + 1 + kOwnershipBytes;
inline constexpr std::size_t kHeartbeatReplySize = 8 + 4 + 4 + 8 + 4;
static_assert(kHeartbeatHeader + kMaxHeartbeatContents * kHeartbeatEntryMax <= kMaxTrackerRequest);
/// What a node sends at most in one heartbeat: a datagram that every path carries.
inline constexpr std::size_t kHeartbeatTarget = 1232;

inline constexpr std::size_t kQuerySize = kRequestHeaderSize + kInfoHashSize + 4;
inline constexpr std::size_t kQueryReplyHeader = 8 + 4 + 4 + 4 * 4 + 4 + 1;
inline constexpr std::size_t kListedNodeSize = 1 + 16 + 2 + 4 + 4 + 4 + kNodeTagSize + kOwnershipBytes;
inline constexpr std::uint32_t kMaxListedNodes = 18;
static_assert(kQueryReplyHeader + kMaxListedNodes * kListedNodeSize <= kMaxTrackerReply);

inline constexpr std::size_t kGoodbyeSize = 8 + 4 + 8;

/// Silent for so many beats: dead.
inline constexpr std::uint32_t kBeatsUntilDead = 3;

}  // namespace peernet::wire
