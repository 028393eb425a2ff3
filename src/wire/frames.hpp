// The frames inside CONTROL packets, one struct each. Structs own what is bounded and small (ranges, peers) and borrow
// what is bulky: HAVE_MAP's bitmap, HASHES' leaves and CLOSE's text point into the packet they were read from and live
// as long as its buffer. The transport keeps reliable frames in their encoded form.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <variant>

#include "base/address.hpp"
#include "base/bytes.hpp"
#include "base/inplace_vector.hpp"
#include "base/types.hpp"
#include "wire/spec.hpp"

namespace peernet::wire {

/// Packet numbers first..last, both included.
struct PacketRange {
  PacketNumber first;
  PacketNumber last;
  friend bool operator==(const PacketRange&, const PacketRange&) = default;
};

/// Chunks first .. first + count - 1; count >= 1 and the last index fits u32.
struct ChunkRange {
  ChunkIndex first;
  std::uint32_t count = 1;
  friend bool operator==(const ChunkRange&, const ChunkRange&) = default;
};

struct PaddingFrame {
  std::size_t length = 0;  ///< body bytes; written as zeros
  friend bool operator==(const PaddingFrame&, const PaddingFrame&) = default;
};

/// ranges: at least one, newest first, with at least one missing number between neighbours (RFC 9000 section 19.3.1;
/// the gap and length arithmetic is done by encode and decode).
struct AckFrame {
  InplaceVector<PacketRange, kMaxAckRanges> ranges;
  std::uint32_t delay_us = 0;  ///< since the packet with the largest number arrived
  std::uint32_t ect0 = 0;      ///< packets received so far with each ECN mark, modulo 2^32
  std::uint32_t ect1 = 0;
  std::uint32_t ce = 0;
  PacketNumber largest() const { return ranges[0].last; }
  friend bool operator==(const AckFrame&, const AckFrame&) = default;
};

struct HandshakeDoneFrame {
  friend bool operator==(const HandshakeDoneFrame&, const HandshakeDoneFrame&) = default;
};
struct PingFrame {
  std::uint64_t value = 0;
  friend bool operator==(const PingFrame&, const PingFrame&) = default;
};
struct PongFrame {
  std::uint64_t value = 0;
  friend bool operator==(const PongFrame&, const PongFrame&) = default;
};
struct PathChallengeFrame {
  std::uint64_t value = 0;
  friend bool operator==(const PathChallengeFrame&, const PathChallengeFrame&) = default;
};
struct PathResponseFrame {
  std::uint64_t value = 0;
  friend bool operator==(const PathResponseFrame&, const PathResponseFrame&) = default;
};

/// text: any bytes, at most 200, borrowed. Make it printable before showing it to anyone.
struct CloseFrame {
  CloseCode code = CloseCode::kNone;
  std::string_view text;
  friend bool operator==(const CloseFrame&, const CloseFrame&) = default;
};

/// The slot is the sender's number for this content within the session.
struct JoinFrame {
  ContentSlot slot;
  SwarmId swarm{};
  Hash256 mac{};
  friend bool operator==(const JoinFrame&, const JoinFrame&) = default;
};

/// mac is zero, and not to be looked at, when refused.
struct JoinResFrame {
  ContentSlot slot;
  JoinStatus status = JoinStatus::kRefused;
  Hash256 mac{};
  friend bool operator==(const JoinResFrame&, const JoinResFrame&) = default;
};

/// Adds to what the receiver knows; complete means every chunk of the content.
struct HaveFrame {
  ContentSlot slot;
  bool complete = false;
  InplaceVector<ChunkRange, kMaxHaveRanges> ranges;
  friend bool operator==(const HaveFrame&, const HaveFrame&) = default;
};

/// Chunks page * 8192 + i, bit 7 of the first byte first; 1 to 1024 bytes, borrowed.
struct HaveMapFrame {
  ContentSlot slot;
  std::uint32_t page = 0;
  ByteSpan bitmap;
};

/// length >= 1 and offset + length fits u32.
struct RequestFrame {
  ContentSlot slot;
  RequestId request;
  Table table = Table::kChunks;
  std::uint32_t index = 0;
  std::uint32_t offset = 0;
  std::uint32_t length = 0;
  std::uint32_t deadline_ms = 0;
  friend bool operator==(const RequestFrame&, const RequestFrame&) = default;
};

struct CancelFrame {
  RequestId request;
  friend bool operator==(const CancelFrame&, const CancelFrame&) = default;
};
struct CancelledFrame {
  RequestId request;
  friend bool operator==(const CancelledFrame&, const CancelledFrame&) = default;
};
struct RejectFrame {
  RequestId request;
  RejectReason reason = RejectReason::kBusy;
  friend bool operator==(const RejectFrame&, const RejectFrame&) = default;
};
struct HashReqFrame {
  ContentSlot slot;
  ChunkIndex chunk;
  friend bool operator==(const HashReqFrame&, const HashReqFrame&) = default;
};

/// Leaf hashes of a chunk from first_leaf on: 1 to 32 of 32 bytes, borrowed. A chunk with more takes several frames.
struct HashesFrame {
  ContentSlot slot;
  ChunkIndex chunk;
  std::uint16_t first_leaf = 0;
  ByteSpan leaves;
};

struct PexFrame {
  InplaceVector<Address, kMaxPexPeers> peers;
  friend bool operator==(const PexFrame&, const PexFrame&) = default;
};
struct LimitsFrame {
  std::uint32_t max_requests = 0;
  std::uint64_t max_outstanding_bytes = 0;
  friend bool operator==(const LimitsFrame&, const LimitsFrame&) = default;
};
struct LeaveFrame {
  ContentSlot slot;
  LeaveReason reason = LeaveReason::kGoodbye;
  friend bool operator==(const LeaveFrame&, const LeaveFrame&) = default;
};

/// Equal bytes, not equal addresses.
bool operator==(const HaveMapFrame& a, const HaveMapFrame& b);
bool operator==(const HashesFrame& a, const HashesFrame& b);

using Frame = std::variant<PaddingFrame, AckFrame, HandshakeDoneFrame, PingFrame, PongFrame, PathChallengeFrame,
                           PathResponseFrame, CloseFrame, JoinFrame, JoinResFrame, HaveFrame, HaveMapFrame,
                           RequestFrame, CancelFrame, CancelledFrame, RejectFrame, HashReqFrame, HashesFrame, PexFrame,
                           LimitsFrame, LeaveFrame>;

FrameType type_of(const Frame& frame);
/// Lower-case name for logs and traces, such as "have_map".
const char* name_of(FrameType type);

/// Retransmitted by the transport when its packet is lost: everything but PADDING and ACK.
constexpr bool is_reliable(FrameType type) {
  return type != FrameType::kPadding && type != FrameType::kAck;
}
/// Makes its packet one that must be acknowledged (RFC 9002 section 2: all but ACK, PADDING and CLOSE).
constexpr bool is_ack_eliciting(FrameType type) {
  return is_reliable(type) && type != FrameType::kClose;
}

enum class FrameStatus : std::uint8_t {
  kFrame,        ///< out is the next frame
  kEnd,          ///< the body was read to its last byte
  kMalformed,    ///< close the session with kProtocol
  kUnknownType,  ///< the same; unknown_type() tells which
};

/// Reads the frames of one opened CONTROL body in order. PADDING and GREASE are skipped, never delivered. After
/// anything but kFrame the reader stays where it is and repeats its answer.
class FrameReader {
 public:
  explicit FrameReader(ByteSpan body) : rest_(body) {}

  FrameStatus next(Frame& out);

  /// Of the frames passed so far (delivered or skipped), whether one wants an acknowledgement. GREASE does: its sender
  /// cannot know that it is skipped.
  bool ack_eliciting() const { return ack_eliciting_; }
  std::uint8_t unknown_type() const { return unknown_type_; }
  /// Encoded bytes of the frame delivered last, header included; borrowed from the body.
  ByteSpan encoded() const { return encoded_; }

 private:
  ByteSpan rest_;
  ByteSpan encoded_;
  std::uint8_t unknown_type_ = 0;
  bool ack_eliciting_ = false;
};

/// Bytes that encode() writes for this frame, header included.
std::size_t encoded_size(const Frame& frame);
std::size_t encoded_size(const AckFrame& frame);

/// Writes a frame, header and body. False, with nothing written, if it does not fit. Breaking a limit of spec.hpp is
/// our own bug and aborts; decode never yields such a frame. An ACK range or gap of 2^32 packets or more ends the list
/// early (the newest part is kept), and with fewer bytes than encoded_size() an ACK drops its oldest ranges to fit.
bool encode(const Frame& frame, ByteWriter& out);
bool encode(const AckFrame& frame, ByteWriter& out);

}  // namespace peernet::wire
