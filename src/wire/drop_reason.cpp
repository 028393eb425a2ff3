#include "wire/drop_reason.hpp"

namespace peernet::wire {

const char* name_of(DropReason reason) {
  switch (reason) {
    case DropReason::kEmpty:
      return "empty";
    case DropReason::kTooShort:
      return "too_short";
    case DropReason::kTooLong:
      return "too_long";
    case DropReason::kUnknownType:
      return "unknown_type";
    case DropReason::kBadPacketNumber:
      return "bad_packet_number";
    case DropReason::kMalformedHandshake:
      return "malformed_handshake";
    case DropReason::kUnknownVersion:
      return "unknown_version";
    case DropReason::kUnknownSession:
      return "unknown_session";
    case DropReason::kWrongShard:
      return "wrong_shard";
    case DropReason::kNotEstablished:
      return "not_established";
    case DropReason::kClosed:
      return "closed";
    case DropReason::kBadTag:
      return "bad_tag";
    case DropReason::kBadEpoch:
      return "bad_epoch";
    case DropReason::kReplayed:
      return "replayed";
    case DropReason::kTooOld:
      return "too_old";
    case DropReason::kMalformedFrame:
      return "malformed_frame";
    case DropReason::kUnknownFrame:
      return "unknown_frame";
    case DropReason::kFrameNotAllowed:
      return "frame_not_allowed";
    case DropReason::kBadParameters:
      return "bad_parameters";
    case DropReason::kInitialTooSmall:
      return "initial_too_small";
    case DropReason::kTokenInvalid:
      return "token_invalid";
    case DropReason::kTokenExpired:
      return "token_expired";
    case DropReason::kHalfOpenLimit:
      return "half_open_limit";
    case DropReason::kAmplificationLimited:
      return "amplification_limited";
    case DropReason::kHandshakeBudget:
      return "handshake_budget";
    case DropReason::kHandshakeOverflow:
      return "handshake_overflow";
    case DropReason::kHandshakeFailed:
      return "handshake_failed";
    case DropReason::kUnexpectedHandshake:
      return "unexpected_handshake";
    case DropReason::kUnexpectedRetry:
      return "unexpected_retry";
    case DropReason::kSessionLimit:
      return "session_limit";
    case DropReason::kSelf:
      return "self";
    case DropReason::kUnknownRequest:
      return "unknown_request";
    case DropReason::kOutsideRequest:
      return "outside_request";
    case DropReason::kDuplicateData:
      return "duplicate_data";
    case DropReason::kCount:
      break;
  }
  return "unknown";
}

}  // namespace peernet::wire
