// PN/1: every constant a peer can observe on the wire, and nothing else. docs/protocol.md explains them byte by byte;
// labels and salts of the key schedule are crypto's (crypto/packet_keys.hpp), shapes of the manifest are content's.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "base/types.hpp"

namespace peernet::wire {

inline constexpr std::uint32_t kVersion = 1;

// ---- Packets
// ---------------------------------------------------------------------------------------------------------

/// First byte of each datagram. A tracker's connection ids never start with one of these (one port serves both).
enum class PacketType : std::uint8_t {
  kHandshake = 0x51,
  kRetry = 0x52,
  kData = 0x53,
  kControl = 0x54,
};

inline constexpr std::uint8_t kFlagAckNow = 0x01;  ///< the other flag bits are sent as 0 and ignored

inline constexpr std::size_t kTypeOffset = 0;      ///< where steering programs find the type (u8)
inline constexpr std::size_t kReceiverOffset = 4;  ///< and the receiver session id (u32)

inline constexpr std::size_t kHeaderSize = 16;
inline constexpr std::size_t kDataHeaderSize = 24;
inline constexpr std::size_t kTagSize = 16;
inline constexpr std::size_t kDataOverhead = kDataHeaderSize + kTagSize;
inline constexpr std::size_t kControlOverhead = kHeaderSize + kTagSize;
/// Version, initiator id, sender session id, token length; the token follows.
inline constexpr std::size_t kHandshakeClearSize = kHeaderSize + 4 + 8 + 4 + 2;
/// Stream offset, acked, length; the stream bytes follow.
inline constexpr std::size_t kHandshakeBodySize = 4 + 4 + 2;
/// Version, initiator id, token length; the token and the tag follow.
inline constexpr std::size_t kRetryClearSize = kHeaderSize + 4 + 8 + 2;
inline constexpr std::size_t kMaxTokenSize = 128;

/// Numbers above this are never sent: sums and differences of packet numbers cannot overflow.
inline constexpr std::uint64_t kMaxPacketNumber = (std::uint64_t{1} << 62) - 1;
/// Packet number / 2^22 is the key epoch; AES-GCM's limits are not reached within one (docs/protocol.md).
inline constexpr unsigned kKeyEpochShift = 22;
/// Packets of the previous epoch are accepted until this many numbers past the border.
inline constexpr std::uint64_t kOldEpochWindow = 4096;
inline constexpr std::uint64_t kReplayWindow = 4096;

// Sizes of datagrams are UDP payload bytes throughout.
inline constexpr std::size_t kMinDatagram = 1200;   ///< every path carries this, or it carries nothing
inline constexpr std::size_t kMaxDatagram = 65507;  ///< 65535 - 20 (IPv4) - 8 (UDP)

/// Bytes sent to an address that is not validated, per byte received from it (RFC 9000 section 8.1).
inline constexpr std::uint64_t kAmplificationFactor = 3;
inline constexpr std::chrono::seconds kTokenLifetime{30};

/// The low byte of a session id, modulo the shard count, is the shard that reads its packets. Ids that a node gives out
/// carry the shard number itself there; a foreign random id (first handshake packet) is spread by the modulo.
inline constexpr std::uint32_t kShardMask = 0xff;
inline constexpr std::uint8_t shard_of(SessionId id, std::uint8_t shard_count) {
  return static_cast<std::uint8_t>((id.value() & kShardMask) % shard_count);
}
inline constexpr SessionId session_id_on(std::uint32_t random, std::uint8_t shard) {
  return SessionId((random & ~kShardMask) | shard);
}

// ---- Handshake
// -------------------------------------------------------------------------------------------------------

/// The stream of one direction (parameter block and TLS bytes) never grows past this; a mutual Ed25519 handshake takes
/// about 1 KiB in all (FACTS), so this is a bound on memory and not on use.
inline constexpr std::size_t kMaxHandshakeStream = 16384;
/// Fixed fields of a parameter block; ignorable bytes may follow.
inline constexpr std::size_t kParametersSize = 32;
inline constexpr std::size_t kMaxParameterBlock = 256;

/// Bits of Parameters::ciphers.
inline constexpr std::uint8_t kCipherAes128Gcm = 0x01;
inline constexpr std::uint8_t kCipherAes256Gcm = 0x02;
inline constexpr std::uint8_t kCiphersKnown = kCipherAes128Gcm | kCipherAes256Gcm;

inline constexpr std::uint16_t kMaxAckDelayMs = 1000;  ///< no block may promise slower acknowledgements
inline constexpr std::uint32_t kMinIdleTimeoutMs = 1000;

// ---- Frames
// ----------------------------------------------------------------------------------------------------------

enum class FrameType : std::uint8_t {
  kPadding = 0x00,
  kAck = 0x01,
  kHandshakeDone = 0x02,
  kPing = 0x03,
  kPong = 0x04,
  kPathChallenge = 0x05,
  kPathResponse = 0x06,
  kClose = 0x07,
  kJoin = 0x10,
  kJoinRes = 0x11,
  kHave = 0x12,
  kHaveMap = 0x13,
  kRequest = 0x14,
  kCancel = 0x15,
  kCancelled = 0x16,
  kReject = 0x17,
  kHashReq = 0x18,
  kHashes = 0x19,
  kPex = 0x1a,
  kLimits = 0x1b,
  kLeave = 0x1c,
};

/// 0x3f, 0x5f, ... 0xff: sent now and then so that skipping stays possible, and skipped.
inline constexpr bool is_grease(std::uint8_t type) {
  return (type & 0x1f) == 0x1f && type != 0x1f;
}

inline constexpr std::size_t kFrameHeaderSize = 3;  ///< type u8, length u16
inline constexpr std::size_t kMaxAckRanges = 64;
inline constexpr std::size_t kMaxCloseText = 200;
inline constexpr std::size_t kMaxHaveRanges = 64;
inline constexpr std::size_t kHaveMapBytes = 1024;
inline constexpr std::uint32_t kHaveMapChunks = 8192;  ///< chunks per page of HAVE_MAP
inline constexpr std::size_t kHashSize = 32;
inline constexpr std::size_t kMaxHashesPerFrame = 32;
inline constexpr std::size_t kMaxPexPeers = 32;
/// No frame but PADDING and GREASE is longer (header included), so each fits the smallest datagram.
inline constexpr std::size_t kMaxFrameSize = kFrameHeaderSize + 8 + kMaxHashesPerFrame * kHashSize;
static_assert(kMaxFrameSize + kControlOverhead <= kMinDatagram);

inline constexpr std::uint8_t kHaveComplete = 0x01;  ///< HAVE flags: has every chunk

enum class JoinStatus : std::uint8_t { kOk = 0, kRefused = 1 };

/// What a REQUEST asks for: chunks, or pages of the tables under the content id.
enum class Table : std::uint8_t {
  kChunks = 0,
  kManifestCore = 1,
  kEntries = 2,
  kXxh3 = 3,
  kSha256Layer = 4,
};

enum class RejectReason : std::uint8_t {
  kNotHad = 1,
  kBusy = 2,
  kNotJoined = 3,
  kBadRange = 4,
  kSourceChanged = 5,
  kIoError = 6,
  kSpreading = 7,  ///< others are given this chunk first: ask them, or here again later
};

enum class LeaveReason : std::uint8_t { kGoodbye = 1, kSourceChanged = 2, kIoError = 3 };

/// Why a session ends. A receiver treats a code it does not know as kNone.
enum class CloseCode : std::uint16_t {
  kNone = 0,              ///< nothing is wrong: done, or going away
  kProtocol = 1,          ///< malformed or unknown frame, or one that is not allowed now
  kInternal = 2,          ///< the sender's own failure
  kRefused = 3,           ///< not on the allow list
  kDuplicateSession = 4,  ///< another session of the same two nodes stays
  kLimit = 5,             ///< a limit that was announced has been passed
  kSelf = 6,              ///< both ends are one node (same instance id)
  kKeysExhausted = 7,     ///< packet numbers are used up
};

}  // namespace peernet::wire
