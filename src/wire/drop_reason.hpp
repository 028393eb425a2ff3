// Why a datagram was dropped, by name: each one that a peer or a network can cause is counted under exactly one of
// these. Counters are indexed by the value; append only, before kCount.
#pragma once

#include <cstddef>
#include <cstdint>

namespace peernet::wire {

enum class DropReason : std::uint8_t {
  // Told by the clear bytes alone.
  kEmpty,               ///< a zero-length datagram
  kTooShort,            ///< fewer bytes than its type needs
  kTooLong,             ///< more bytes than any packet may have
  kUnknownType,         ///< the first byte is no packet type
  kBadPacketNumber,     ///< above kMaxPacketNumber
  kMalformedHandshake,  ///< clear part or sealed body of a HANDSHAKE or RETRY contradicts itself
  kUnknownVersion,      ///< a handshake of a version this node does not speak
  // Told by routing.
  kUnknownSession,  ///< no session has this id
  kWrongShard,      ///< arrived at a shard that does not own the session (counted, then handed over)
  kNotEstablished,  ///< sealed under keys that do not serve yet
  kClosed,          ///< the session is closing or closed
  // Told by the seal.
  kBadTag,    ///< does not open
  kBadEpoch,  ///< a key epoch that is neither the current one nor a neighbour that still counts
  kReplayed,  ///< number seen before
  kTooOld,    ///< number below the replay window
  // Told by the sealed bytes (the sender is authentic and wrong; the session closes).
  kMalformedFrame,
  kUnknownFrame,
  kFrameNotAllowed,  ///< a frame that this state or these features do not allow
  kBadParameters,
  // Handshake defence.
  kInitialTooSmall,       ///< an initiator's first packet below 1200 bytes
  kTokenInvalid,          ///< not ours, or for another address or initiator id
  kTokenExpired,          ///< ours, older than 30 s
  kHalfOpenLimit,         ///< answered with RETRY instead of a session
  kAmplificationLimited,  ///< an answer held back by the 3x limit
  kHandshakeBudget,       ///< more handshake work than a turn allows
  kHandshakeOverflow,     ///< stream bytes past kMaxHandshakeStream
  kHandshakeFailed,       ///< TLS refused
  kUnexpectedHandshake,   ///< does not belong to the handshake that its session id names
  kUnexpectedRetry,       ///< no RETRY was due: one was taken before, or the responder has answered
  kSessionLimit,          ///< the session table is full
  kSelf,                  ///< our own instance id came back
  // DATA that opened and is acknowledged, but is of no use.
  kUnknownRequest,  ///< its request has ended
  kOutsideRequest,  ///< bytes that were not asked for
  kDuplicateData,   ///< bytes that are already there

  kCount,
};

inline constexpr std::size_t kDropReasonCount = static_cast<std::size_t>(DropReason::kCount);

/// The name of a reason as used in counters and logs, such as "bad_tag".
const char* name_of(DropReason reason);

}  // namespace peernet::wire
