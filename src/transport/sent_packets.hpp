// Records of sent packets: a ring indexed by packet number, 32 bytes each, grown by doubling up to a bound.
//
// States of a record: kInFlight -> kAcked | kLost; kLost -> kAcked (the loss was spurious). kSkipped is a number
// that was never sent (RFC 9000 21.4).
#pragma once

#include <cstdint>
#include <memory>

#include "base/check.hpp"
#include "base/time.hpp"
#include "base/types.hpp"

namespace peernet::transport {

inline constexpr std::uint16_t kNoFrame = 0xffff;

enum class PacketState : std::uint8_t { kInFlight, kAcked, kLost, kSkipped };

struct SentPacket {
  static constexpr std::uint8_t kData = 1;          ///< carries file bytes (request, offset)
  static constexpr std::uint8_t kMtuProbe = 2;      ///< its loss is no sign of congestion
  static constexpr std::uint8_t kEctMarked = 4;     ///< sent as ECT(0)
  static constexpr std::uint8_t kAckEliciting = 8;  ///< in flight for the window; an ACK-only packet is not
  static constexpr std::uint8_t kCarriesAck = 32;   ///< CONTROL: request holds what it acknowledged
  static constexpr std::uint8_t kAppLimited = 16;   ///< its rate sample says nothing about the path

  Instant sent_at;
  std::uint64_t delivered =
      0;  ///< bytes delivered when it was sent (rate sample); of an acked run's first record: its length
  std::uint32_t request = 0;  ///< DATA: request id; CONTROL: largest packet acknowledged within it, low 32 bits
  std::uint32_t offset = 0;   ///< DATA: offset of the first byte; CONTROL: first frame of its chain
  std::uint16_t payload = 0;  ///< DATA: file bytes
  std::uint16_t bytes = 0;    ///< datagram bytes
  PacketState state = PacketState::kInFlight;
  std::uint8_t flags = 0;

  bool is_data() const { return (flags & kData) != 0; }
  bool is_mtu_probe() const { return (flags & kMtuProbe) != 0; }
  /// Counts for the congestion window. MTU probes do not: one at a time, and larger than a young window (RFC 8899 3).
  bool in_window() const { return (flags & (kAckEliciting | kMtuProbe)) == kAckEliciting; }
  bool ack_eliciting() const { return (flags & kAckEliciting) != 0; }
};
static_assert(sizeof(SentPacket) == 32);

/// Holds the numbers [first(), next()). Owned by one session; nothing allocates once the ring has reached its working
/// size.
class SentPackets {
 public:
  /// `initial` and `maximum` are powers of two.
  SentPackets(std::uint32_t initial, std::uint32_t maximum)
      : ring_(std::make_unique<SentPacket[]>(initial)), capacity_(initial), maximum_(maximum) {
    PN_CHECK(initial != 0 && (initial & (initial - 1)) == 0 && (maximum & (maximum - 1)) == 0 && initial <= maximum);
  }

  std::uint64_t first() const { return first_; }
  std::uint64_t next() const { return next_; }
  bool empty() const { return first_ == next_; }
  /// Numbers that may still be taken before the bound is reached.
  std::uint32_t room() const { return maximum_ - static_cast<std::uint32_t>(next_ - first_); }
  std::uint32_t maximum() const { return maximum_; }
  bool contains(std::uint64_t pn) const { return pn >= first_ && pn < next_; }

  SentPacket& operator[](std::uint64_t pn) { return ring_[pn & (capacity_ - 1)]; }
  const SentPacket& operator[](std::uint64_t pn) const { return ring_[pn & (capacity_ - 1)]; }

  /// Takes the next packet number. room() must not be 0.
  SentPacket& push(const SentPacket& record) {
    PN_CHECK(room() != 0);
    if (next_ - first_ == capacity_) grow();
    SentPacket& slot = ring_[next_ & (capacity_ - 1)];
    slot = record;
    ++next_;
    return slot;
  }

  /// Forgets the numbers below pn.
  void forget_below(std::uint64_t pn) {
    PN_CHECK(pn >= first_ && pn <= next_);
    first_ = pn;
  }

 private:
  void grow() {
    const std::uint32_t wider = capacity_ * 2;
    auto ring = std::make_unique<SentPacket[]>(wider);
    for (std::uint64_t pn = first_; pn != next_; ++pn) ring[pn & (wider - 1)] = ring_[pn & (capacity_ - 1)];
    ring_ = std::move(ring);
    capacity_ = wider;
  }

  std::unique_ptr<SentPacket[]> ring_;
  std::uint32_t capacity_;
  std::uint32_t maximum_;
  std::uint64_t first_ = 0;
  std::uint64_t next_ = 0;
};

}  // namespace peernet::transport
