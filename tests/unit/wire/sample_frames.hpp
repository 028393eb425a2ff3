// One frame of each type, and random ones within the limits: shared by the frame tests.
#pragma once

#include <algorithm>
#include <vector>

#include "base/rng.hpp"
#include "wire/frames.hpp"

namespace peernet::wire {

/// Owns the bytes that frames borrow; frames live as long as it does.
class SampleFrames {
 public:
  explicit SampleFrames(std::uint64_t seed) : rng_(seed), bytes_(3000) {
    for (auto& b : bytes_) b = static_cast<std::byte>(rng_.next());
  }

  Frame of(FrameType type) {
    switch (type) {
      case FrameType::kPadding:
        return PaddingFrame{static_cast<std::size_t>(rng_.below(50))};
      case FrameType::kAck:
        return ack();
      case FrameType::kHandshakeDone:
        return HandshakeDoneFrame{};
      case FrameType::kPing:
        return PingFrame{rng_.next()};
      case FrameType::kPong:
        return PongFrame{rng_.next()};
      case FrameType::kPathChallenge:
        return PathChallengeFrame{rng_.next()};
      case FrameType::kPathResponse:
        return PathResponseFrame{rng_.next()};
      case FrameType::kClose:
        return close();
      case FrameType::kJoin:
        return JoinFrame{slot(), array<20>(), array<32>()};
      case FrameType::kJoinRes:
        return JoinResFrame{slot(), static_cast<JoinStatus>(rng_.below(2)), array<32>()};
      case FrameType::kHave:
        return have();
      case FrameType::kHaveMap:
        return HaveMapFrame{slot(), static_cast<std::uint32_t>(rng_.below(UINT32_MAX / kHaveMapChunks + 1)),
                            some(1 + rng_.below(kHaveMapBytes))};
      case FrameType::kRequest:
        return request();
      case FrameType::kCancel:
        return CancelFrame{RequestId(u32())};
      case FrameType::kCancelled:
        return CancelledFrame{RequestId(u32())};
      case FrameType::kReject:
        return RejectFrame{RequestId(u32()), static_cast<RejectReason>(1 + rng_.below(7))};
      case FrameType::kHashReq:
        return HashReqFrame{slot(), ChunkIndex(u32())};
      case FrameType::kHashes:
        return HashesFrame{slot(), ChunkIndex(u32()), static_cast<std::uint16_t>(u32()),
                           some((1 + rng_.below(kMaxHashesPerFrame)) * kHashSize)};
      case FrameType::kPex:
        return pex();
      case FrameType::kLimits:
        return LimitsFrame{u32(), rng_.next()};
      case FrameType::kLeave:
        return LeaveFrame{slot(), static_cast<LeaveReason>(1 + rng_.below(3))};
    }
    return PaddingFrame{};
  }

  static std::vector<FrameType> all_types() {
    std::vector<FrameType> out;
    for (int t = 0x00; t <= 0x07; ++t) out.push_back(static_cast<FrameType>(t));
    for (int t = 0x10; t <= 0x1c; ++t) out.push_back(static_cast<FrameType>(t));
    return out;
  }

 private:
  std::uint32_t u32() { return static_cast<std::uint32_t>(rng_.next()); }
  ContentSlot slot() { return ContentSlot(static_cast<std::uint16_t>(rng_.next())); }
  ByteSpan some(std::size_t n) { return ByteSpan(bytes_).subspan(rng_.below(1000), n); }
  template <std::size_t N>
  ByteArray<N> array() {
    ByteArray<N> out;
    for (auto& b : out) b = static_cast<std::byte>(rng_.next());
    return out;
  }

  AckFrame ack() {
    AckFrame f{{}, u32(), u32(), u32(), u32()};
    std::uint64_t last = rng_.next() & kMaxPacketNumber;
    for (std::size_t n = 1 + rng_.below(kMaxAckRanges); n > 0; --n) {
      const std::uint64_t length = std::min(last, rng_.below(std::uint64_t{1} << rng_.below(32)));
      f.ranges.push_back({PacketNumber(last - length), PacketNumber(last)});
      const std::uint64_t step = 2 + rng_.below(std::uint64_t{1} << rng_.below(32));
      if (last - length < step) break;
      last = last - length - step;
    }
    return f;
  }
  CloseFrame close() {
    const ByteSpan text = some(rng_.below(kMaxCloseText + 1));
    return {static_cast<CloseCode>(rng_.below(8)), {reinterpret_cast<const char*>(text.data()), text.size()}};
  }
  HaveFrame have() {
    HaveFrame f{slot(), rng_.chance(0.5), {}};
    for (std::size_t n = rng_.below(kMaxHaveRanges + 1); n > 0; --n) {
      const std::uint32_t first = u32();
      f.ranges.push_back({ChunkIndex(first), static_cast<std::uint32_t>(1 + rng_.below(UINT32_MAX - first))});
    }
    return f;
  }
  RequestFrame request() {
    RequestFrame f{slot(), RequestId(u32()), static_cast<Table>(rng_.below(5)), u32(), u32(), 0, u32()};
    f.offset = std::min(f.offset, UINT32_MAX - 1);
    f.length = static_cast<std::uint32_t>(1 + rng_.below(UINT32_MAX - f.offset));
    return f;
  }
  PexFrame pex() {
    PexFrame f;
    for (std::size_t n = rng_.below(kMaxPexPeers + 1); n > 0; --n) {
      Address a = Address::v4(1, 2, 3, static_cast<std::uint8_t>(n), static_cast<std::uint16_t>(u32()));
      if (rng_.chance(0.5)) a.ip = array<16>();
      f.peers.push_back(a);
    }
    return f;
  }

  Rng rng_;
  std::vector<std::byte> bytes_;
};

}  // namespace peernet::wire
