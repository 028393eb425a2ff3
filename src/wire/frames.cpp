// Frames -> bytes, and what both directions share. The other way is frame_reader.cpp.
#include "wire/frames.hpp"

#include <algorithm>
#include <type_traits>

namespace peernet::wire {
namespace {

constexpr std::size_t kAckFixedSize = 8 + 4 + 4 + 4 + 4 + 1 + 4;  // up to and with the first range
constexpr std::size_t kAckRangeSize = 4 + 4;
constexpr std::size_t kPexV4Size = 1 + 4 + 2;
constexpr std::size_t kPexV6Size = 1 + 16 + 2;

void put_header(ByteWriter& w, FrameType type, std::size_t body_size) {
  w.u8(static_cast<std::uint8_t>(type));
  w.u16(static_cast<std::uint16_t>(body_size));
}

/// body_size and put_body per frame; put_body writes exactly body_size bytes.
std::size_t body_size(const PaddingFrame& f) {
  return f.length;
}
std::size_t body_size(const AckFrame& f) {
  return kAckFixedSize + (f.ranges.size() - 1) * kAckRangeSize;
}
std::size_t body_size(const HandshakeDoneFrame&) {
  return 0;
}
std::size_t body_size(const PingFrame&) {
  return 8;
}
std::size_t body_size(const PongFrame&) {
  return 8;
}
std::size_t body_size(const PathChallengeFrame&) {
  return 8;
}
std::size_t body_size(const PathResponseFrame&) {
  return 8;
}
std::size_t body_size(const CloseFrame& f) {
  return 2 + f.text.size();
}
std::size_t body_size(const JoinFrame& f) {
  return 2 + f.swarm.size() + f.mac.size();
}
std::size_t body_size(const JoinResFrame& f) {
  return 2 + 1 + f.mac.size();
}
std::size_t body_size(const HaveFrame& f) {
  return 2 + 1 + 1 + f.ranges.size() * 8;
}
std::size_t body_size(const HaveMapFrame& f) {
  return 2 + 4 + f.bitmap.size();
}
std::size_t body_size(const RequestFrame&) {
  return 2 + 4 + 1 + 4 + 4 + 4 + 4;
}
std::size_t body_size(const CancelFrame&) {
  return 4;
}
std::size_t body_size(const CancelledFrame&) {
  return 4;
}
std::size_t body_size(const RejectFrame&) {
  return 4 + 1;
}
std::size_t body_size(const HashReqFrame&) {
  return 2 + 4;
}
std::size_t body_size(const HashesFrame& f) {
  return 2 + 4 + 2 + f.leaves.size();
}
std::size_t body_size(const PexFrame& f) {
  std::size_t n = 0;
  for (const Address& peer : f.peers) n += peer.is_v4() ? kPexV4Size : kPexV6Size;
  return n;
}
std::size_t body_size(const LimitsFrame&) {
  return 4 + 8;
}
std::size_t body_size(const LeaveFrame&) {
  return 2 + 1;
}

void put_body(const PaddingFrame& f, ByteWriter& w) {
  w.zeros(f.length);
}
void put_body(const HandshakeDoneFrame&, ByteWriter&) {}
void put_body(const PingFrame& f, ByteWriter& w) {
  w.u64(f.value);
}
void put_body(const PongFrame& f, ByteWriter& w) {
  w.u64(f.value);
}
void put_body(const PathChallengeFrame& f, ByteWriter& w) {
  w.u64(f.value);
}
void put_body(const PathResponseFrame& f, ByteWriter& w) {
  w.u64(f.value);
}

void put_body(const CloseFrame& f, ByteWriter& w) {
  PN_CHECK(f.text.size() <= kMaxCloseText);
  w.u16(static_cast<std::uint16_t>(f.code));
  w.bytes(as_bytes(f.text.data(), f.text.size()));
}

void put_body(const JoinFrame& f, ByteWriter& w) {
  w.u16(f.slot.value());
  w.bytes(f.swarm);
  w.bytes(f.mac);
}

void put_body(const JoinResFrame& f, ByteWriter& w) {
  w.u16(f.slot.value());
  w.u8(static_cast<std::uint8_t>(f.status));
  w.bytes(f.mac);
}

void put_body(const HaveFrame& f, ByteWriter& w) {
  w.u16(f.slot.value());
  w.u8(f.complete ? kHaveComplete : 0);
  w.u8(static_cast<std::uint8_t>(f.ranges.size()));
  for (const ChunkRange& r : f.ranges) {
    PN_CHECK(r.count >= 1 && r.count - 1 <= UINT32_MAX - r.first.value());
    w.u32(r.first.value());
    w.u32(r.count);
  }
}

void put_body(const HaveMapFrame& f, ByteWriter& w) {
  PN_CHECK(!f.bitmap.empty() && f.bitmap.size() <= kHaveMapBytes);
  w.u16(f.slot.value());
  w.u32(f.page);
  w.bytes(f.bitmap);
}

void put_body(const RequestFrame& f, ByteWriter& w) {
  PN_CHECK(f.length >= 1 && f.length <= UINT32_MAX - f.offset);
  w.u16(f.slot.value());
  w.u32(f.request.value());
  w.u8(static_cast<std::uint8_t>(f.table));
  w.u32(f.index);
  w.u32(f.offset);
  w.u32(f.length);
  w.u32(f.deadline_ms);
}

void put_body(const CancelFrame& f, ByteWriter& w) {
  w.u32(f.request.value());
}
void put_body(const CancelledFrame& f, ByteWriter& w) {
  w.u32(f.request.value());
}

void put_body(const RejectFrame& f, ByteWriter& w) {
  w.u32(f.request.value());
  w.u8(static_cast<std::uint8_t>(f.reason));
}

void put_body(const HashReqFrame& f, ByteWriter& w) {
  w.u16(f.slot.value());
  w.u32(f.chunk.value());
}

void put_body(const HashesFrame& f, ByteWriter& w) {
  PN_CHECK(!f.leaves.empty() && f.leaves.size() % kHashSize == 0 && f.leaves.size() <= kMaxHashesPerFrame * kHashSize);
  w.u16(f.slot.value());
  w.u32(f.chunk.value());
  w.u16(f.first_leaf);
  w.bytes(f.leaves);
}

void put_body(const PexFrame& f, ByteWriter& w) {
  for (const Address& peer : f.peers) {
    w.u8(peer.is_v4() ? 4 : 6);
    w.bytes(peer.is_v4() ? ByteSpan(peer.ip).last(4) : ByteSpan(peer.ip));
    w.u16(peer.port);
  }
}

void put_body(const LimitsFrame& f, ByteWriter& w) {
  w.u32(f.max_requests);
  w.u64(f.max_outstanding_bytes);
}

void put_body(const LeaveFrame& f, ByteWriter& w) {
  w.u16(f.slot.value());
  w.u8(static_cast<std::uint8_t>(f.reason));
}

/// How many of the ranges can be told: u32 lengths and gaps, and `room` bytes of body.
struct AckPlan {
  std::size_t ranges = 0;
  bool last_is_cut = false;  ///< the last range is longer than a length can say; its newest part is told
};

AckPlan plan_ack(const AckFrame& f, std::size_t room) {
  AckPlan plan;
  if (room < kAckFixedSize) return plan;
  const std::size_t most = 1 + (room - kAckFixedSize) / kAckRangeSize;
  for (std::size_t i = 0; i < std::min(most, f.ranges.size()); ++i) {
    const PacketRange& r = f.ranges[i];
    PN_CHECK(r.first <= r.last && r.last.value() <= kMaxPacketNumber);
    if (i > 0) {
      const std::uint64_t above = f.ranges[i - 1].first.value();
      PN_CHECK(above >= 2 && r.last.value() <= above - 2);
      if (above - r.last.value() - 2 > UINT32_MAX) break;
    }
    ++plan.ranges;
    plan.last_is_cut = r.last - r.first > UINT32_MAX;
    if (plan.last_is_cut) break;
  }
  return plan;
}

std::uint32_t length_told(const PacketRange& r) {
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(r.last - r.first, UINT32_MAX));
}

}  // namespace

bool encode(const AckFrame& f, ByteWriter& out) {
  PN_CHECK(!f.ranges.empty());
  const std::size_t room = out.remaining() < kFrameHeaderSize ? 0 : out.remaining() - kFrameHeaderSize;
  const AckPlan plan = plan_ack(f, room);
  if (plan.ranges == 0) return false;
  put_header(out, FrameType::kAck, kAckFixedSize + (plan.ranges - 1) * kAckRangeSize);
  out.u64(f.largest().value());
  out.u32(f.delay_us);
  out.u32(f.ect0);
  out.u32(f.ect1);
  out.u32(f.ce);
  out.u8(static_cast<std::uint8_t>(plan.ranges));
  out.u32(length_told(f.ranges[0]));
  for (std::size_t i = 1; i < plan.ranges; ++i) {
    out.u32(static_cast<std::uint32_t>(f.ranges[i - 1].first - f.ranges[i].last - 2));
    out.u32(length_told(f.ranges[i]));
  }
  return true;
}

bool encode(const Frame& frame, ByteWriter& out) {
  if (const auto* ack = std::get_if<AckFrame>(&frame)) return encode(*ack, out);
  return std::visit(
      [&out]<class F>(const F& f) {
        if constexpr (!std::is_same_v<F, AckFrame>) {
          const std::size_t size = body_size(f);
          PN_CHECK(size <= UINT16_MAX);
          if (out.remaining() < kFrameHeaderSize + size) return false;
          put_header(out, type_of(f), size);
          put_body(f, out);
          PN_CHECK(!out.failed());
        }
        return true;
      },
      frame);
}

std::size_t encoded_size(const AckFrame& f) {
  PN_CHECK(!f.ranges.empty());
  return kFrameHeaderSize + kAckFixedSize + (plan_ack(f, kMaxDatagram).ranges - 1) * kAckRangeSize;
}

std::size_t encoded_size(const Frame& frame) {
  if (const auto* ack = std::get_if<AckFrame>(&frame)) return encoded_size(*ack);
  return std::visit([](const auto& f) { return kFrameHeaderSize + body_size(f); }, frame);
}

FrameType type_of(const Frame& frame) {
  static constexpr FrameType kTypes[] = {FrameType::kPadding,      FrameType::kAck,     FrameType::kHandshakeDone,
                                         FrameType::kPing,         FrameType::kPong,    FrameType::kPathChallenge,
                                         FrameType::kPathResponse, FrameType::kClose,   FrameType::kJoin,
                                         FrameType::kJoinRes,      FrameType::kHave,    FrameType::kHaveMap,
                                         FrameType::kRequest,      FrameType::kCancel,  FrameType::kCancelled,
                                         FrameType::kReject,       FrameType::kHashReq, FrameType::kHashes,
                                         FrameType::kPex,          FrameType::kLimits,  FrameType::kLeave};
  static_assert(std::size(kTypes) == std::variant_size_v<Frame>);
  return kTypes[frame.index()];
}

const char* name_of(FrameType type) {
  switch (type) {
    case FrameType::kPadding:
      return "padding";
    case FrameType::kAck:
      return "ack";
    case FrameType::kHandshakeDone:
      return "handshake_done";
    case FrameType::kPing:
      return "ping";
    case FrameType::kPong:
      return "pong";
    case FrameType::kPathChallenge:
      return "path_challenge";
    case FrameType::kPathResponse:
      return "path_response";
    case FrameType::kClose:
      return "close";
    case FrameType::kJoin:
      return "join";
    case FrameType::kJoinRes:
      return "join_res";
    case FrameType::kHave:
      return "have";
    case FrameType::kHaveMap:
      return "have_map";
    case FrameType::kRequest:
      return "request";
    case FrameType::kCancel:
      return "cancel";
    case FrameType::kCancelled:
      return "cancelled";
    case FrameType::kReject:
      return "reject";
    case FrameType::kHashReq:
      return "hash_req";
    case FrameType::kHashes:
      return "hashes";
    case FrameType::kPex:
      return "pex";
    case FrameType::kLimits:
      return "limits";
    case FrameType::kLeave:
      return "leave";
  }
  return "unknown";
}

bool operator==(const HaveMapFrame& a, const HaveMapFrame& b) {
  return a.slot == b.slot && a.page == b.page && std::ranges::equal(a.bitmap, b.bitmap);
}

bool operator==(const HashesFrame& a, const HashesFrame& b) {
  return a.slot == b.slot && a.chunk == b.chunk && a.first_leaf == b.first_leaf &&
         std::ranges::equal(a.leaves, b.leaves);
}

}  // namespace peernet::wire
