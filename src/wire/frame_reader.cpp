// Bytes -> frames. Every body must be used up exactly; every value is checked here, so that rooms above see only frames
// within the limits of spec.hpp.
#include <algorithm>

#include "wire/frames.hpp"

namespace peernet::wire {
namespace {

/// An enumeration whose values are lowest..highest without holes; anything else fails the frame.
template <class E>
bool read_enum(ByteReader& r, E lowest, E highest, E& out) {
  const std::uint8_t v = r.u8();
  out = static_cast<E>(v);
  return v >= static_cast<std::uint8_t>(lowest) && v <= static_cast<std::uint8_t>(highest);
}

// read_body answers false for a value that is out of bounds; running past the end is noticed by the caller.

bool read_body(ByteReader& r, AckFrame& f) {
  const std::uint64_t largest = r.u64();
  f.delay_us = r.u32();
  f.ect0 = r.u32();
  f.ect1 = r.u32();
  f.ce = r.u32();
  const std::size_t count = r.u8();
  std::uint64_t length = r.u32();
  if (r.failed() || largest > kMaxPacketNumber || count < 1 || count > kMaxAckRanges || length > largest) return false;
  std::uint64_t smallest = largest - length;
  f.ranges.push_back({PacketNumber(smallest), PacketNumber(largest)});
  for (std::size_t i = 1; i < count; ++i) {
    const std::uint64_t gap = r.u32();
    length = r.u32();
    if (r.failed() || smallest < gap + 2) return false;
    const std::uint64_t last = smallest - gap - 2;
    if (length > last) return false;
    smallest = last - length;
    f.ranges.push_back({PacketNumber(smallest), PacketNumber(last)});
  }
  return true;
}

bool read_body(ByteReader&, HandshakeDoneFrame&) {
  return true;
}

template <class F>
bool read_value(ByteReader& r, F& f) {
  f.value = r.u64();
  return true;
}
bool read_body(ByteReader& r, PingFrame& f) {
  return read_value(r, f);
}
bool read_body(ByteReader& r, PongFrame& f) {
  return read_value(r, f);
}
bool read_body(ByteReader& r, PathChallengeFrame& f) {
  return read_value(r, f);
}
bool read_body(ByteReader& r, PathResponseFrame& f) {
  return read_value(r, f);
}

bool read_body(ByteReader& r, CloseFrame& f) {
  const std::uint16_t code = r.u16();
  f.code =
      code <= static_cast<std::uint16_t>(CloseCode::kKeysExhausted) ? static_cast<CloseCode>(code) : CloseCode::kNone;
  const ByteSpan text = r.rest();
  f.text = {reinterpret_cast<const char*>(text.data()), text.size()};
  return text.size() <= kMaxCloseText;
}

bool read_body(ByteReader& r, JoinFrame& f) {
  f.slot = ContentSlot(r.u16());
  f.swarm = r.array<20>();
  f.mac = r.array<32>();
  return true;
}

bool read_body(ByteReader& r, JoinResFrame& f) {
  f.slot = ContentSlot(r.u16());
  const bool known = read_enum(r, JoinStatus::kOk, JoinStatus::kRefused, f.status);
  f.mac = r.array<32>();
  return known;
}

bool read_body(ByteReader& r, HaveFrame& f) {
  f.slot = ContentSlot(r.u16());
  f.complete = (r.u8() & kHaveComplete) != 0;
  const std::size_t count = r.u8();
  if (count > kMaxHaveRanges) return false;
  for (std::size_t i = 0; i < count && !r.failed(); ++i) {
    const ChunkRange range{ChunkIndex(r.u32()), r.u32()};
    if (range.count == 0 || range.count - 1 > UINT32_MAX - range.first.value()) return false;
    f.ranges.push_back(range);
  }
  return true;
}

bool read_body(ByteReader& r, HaveMapFrame& f) {
  f.slot = ContentSlot(r.u16());
  f.page = r.u32();
  f.bitmap = r.rest();
  // The last chunk of the last possible page is still a u32.
  return !f.bitmap.empty() && f.bitmap.size() <= kHaveMapBytes && f.page <= UINT32_MAX / kHaveMapChunks;
}

bool read_body(ByteReader& r, RequestFrame& f) {
  f.slot = ContentSlot(r.u16());
  f.request = RequestId(r.u32());
  const bool known = read_enum(r, Table::kChunks, Table::kSha256Layer, f.table);
  f.index = r.u32();
  f.offset = r.u32();
  f.length = r.u32();
  f.deadline_ms = r.u32();
  return known && f.length >= 1 && f.length <= UINT32_MAX - f.offset;
}

bool read_body(ByteReader& r, CancelFrame& f) {
  f.request = RequestId(r.u32());
  return true;
}

bool read_body(ByteReader& r, CancelledFrame& f) {
  f.request = RequestId(r.u32());
  return true;
}

bool read_body(ByteReader& r, RejectFrame& f) {
  f.request = RequestId(r.u32());
  return read_enum(r, RejectReason::kNotHad, RejectReason::kSpreading, f.reason);
}

bool read_body(ByteReader& r, HashReqFrame& f) {
  f.slot = ContentSlot(r.u16());
  f.chunk = ChunkIndex(r.u32());
  return true;
}

bool read_body(ByteReader& r, HashesFrame& f) {
  f.slot = ContentSlot(r.u16());
  f.chunk = ChunkIndex(r.u32());
  f.first_leaf = r.u16();
  f.leaves = r.rest();
  return !f.leaves.empty() && f.leaves.size() % kHashSize == 0 && f.leaves.size() <= kMaxHashesPerFrame * kHashSize;
}

bool read_body(ByteReader& r, PexFrame& f) {
  while (!r.failed() && r.remaining() > 0) {
    const std::uint8_t family = r.u8();
    Address peer;
    if (family == 4) {
      peer = Address::v4(0, 0, 0, 0, 0);
      const ByteSpan ip = r.bytes(4);
      std::copy(ip.begin(), ip.end(), peer.ip.begin() + 12);
    } else if (family == 6) {
      peer.ip = r.array<16>();
    } else {
      return false;
    }
    peer.port = r.u16();
    if (r.failed() || !f.peers.try_push_back(peer)) return false;
  }
  return true;
}

bool read_body(ByteReader& r, LimitsFrame& f) {
  f.max_requests = r.u32();
  f.max_outstanding_bytes = r.u64();
  return true;
}

bool read_body(ByteReader& r, LeaveFrame& f) {
  f.slot = ContentSlot(r.u16());
  return read_enum(r, LeaveReason::kGoodbye, LeaveReason::kIoError, f.reason);
}

template <class F>
bool read_frame(ByteSpan body, Frame& out) {
  ByteReader r(body);
  return read_body(r, out.emplace<F>()) && r.finished();
}

using Read = bool (*)(ByteSpan, Frame&);

/// nullptr for a type that PN/1 does not have (PADDING never gets here).
Read reader_of(FrameType type) {
  switch (type) {
    case FrameType::kPadding:
      break;
    case FrameType::kAck:
      return read_frame<AckFrame>;
    case FrameType::kHandshakeDone:
      return read_frame<HandshakeDoneFrame>;
    case FrameType::kPing:
      return read_frame<PingFrame>;
    case FrameType::kPong:
      return read_frame<PongFrame>;
    case FrameType::kPathChallenge:
      return read_frame<PathChallengeFrame>;
    case FrameType::kPathResponse:
      return read_frame<PathResponseFrame>;
    case FrameType::kClose:
      return read_frame<CloseFrame>;
    case FrameType::kJoin:
      return read_frame<JoinFrame>;
    case FrameType::kJoinRes:
      return read_frame<JoinResFrame>;
    case FrameType::kHave:
      return read_frame<HaveFrame>;
    case FrameType::kHaveMap:
      return read_frame<HaveMapFrame>;
    case FrameType::kRequest:
      return read_frame<RequestFrame>;
    case FrameType::kCancel:
      return read_frame<CancelFrame>;
    case FrameType::kCancelled:
      return read_frame<CancelledFrame>;
    case FrameType::kReject:
      return read_frame<RejectFrame>;
    case FrameType::kHashReq:
      return read_frame<HashReqFrame>;
    case FrameType::kHashes:
      return read_frame<HashesFrame>;
    case FrameType::kPex:
      return read_frame<PexFrame>;
    case FrameType::kLimits:
      return read_frame<LimitsFrame>;
    case FrameType::kLeave:
      return read_frame<LeaveFrame>;
  }
  return nullptr;
}

}  // namespace

FrameStatus FrameReader::next(Frame& out) {
  while (!rest_.empty()) {
    ByteReader r(rest_);
    const std::uint8_t raw = r.u8();
    const ByteSpan body = r.bytes(r.u16());
    if (r.failed()) return FrameStatus::kMalformed;
    const auto type = static_cast<FrameType>(raw);
    const bool skipped = type == FrameType::kPadding || is_grease(raw);
    if (!skipped) {
      const Read read = reader_of(type);
      if (read == nullptr) {
        unknown_type_ = raw;
        return FrameStatus::kUnknownType;
      }
      if (!read(body, out)) return FrameStatus::kMalformed;
    }
    if (is_ack_eliciting(type)) ack_eliciting_ = true;
    const ByteSpan whole = rest_.first(r.position());
    rest_ = rest_.subspan(r.position());
    if (skipped) continue;
    encoded_ = whole;
    return FrameStatus::kFrame;
  }
  return FrameStatus::kEnd;
}

}  // namespace peernet::wire
