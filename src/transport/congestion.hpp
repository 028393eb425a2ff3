// The congestion controller as the session sees it. Bytes are UDP payload bytes.
#pragma once

#include <cstdint>
#include <memory>

#include "base/time.hpp"

namespace peernet::transport {

/// One ACK's worth of newly acknowledged packets.
struct AckSample {
  Instant now;
  std::uint64_t acked_bytes = 0;
  Instant largest_sent_at;          ///< when the largest newly acknowledged packet left
  std::uint64_t largest_acked = 0;  ///< its number
  std::uint64_t next_packet = 0;    ///< the next number to be sent (ends a HyStart++ round)
  Duration rtt_sample{};            ///< 0: this ACK gave none
  Duration smoothed_rtt{};
  bool window_limited = true;  ///< the sender had used the window up (RFC 9002 7.8)
};

struct CongestionEvent {
  Instant now;
  Instant sent_at;   ///< when the lost or marked packet left: one reaction per round trip
  bool ecn = false;  ///< a CE mark, not a loss
};

class CongestionController {
 public:
  virtual ~CongestionController() = default;

  virtual void on_ack(const AckSample& sample) = 0;
  /// True if the window was reduced (the event is not of a round already reacted to).
  virtual bool on_congestion(const CongestionEvent& event) = 0;
  /// Nothing got through for a long time (RFC 9002 7.6): back to the minimum.
  virtual void on_persistent_congestion() = 0;
  /// Every packet whose loss caused the last reduction turned out to have arrived: take it back.
  virtual void on_spurious_congestion() = 0;
  /// The path carries datagrams of another size; the window is at least 2 of them.
  virtual void set_datagram_bytes(std::uint32_t bytes) = 0;
  /// Another path: everything as at the start.
  virtual void reset() = 0;

  virtual std::uint64_t window() const = 0;
  virtual bool in_slow_start() const = 0;
};

struct CongestionOptions {
  std::uint32_t datagram_bytes = 1200;
  std::uint64_t max_window = 64u << 20;
};

/// RFC 9002 7.2 with 32 datagrams instead of 10, as QUIC is deployed.
constexpr std::uint64_t initial_window(std::uint32_t datagram_bytes) {
  constexpr std::uint64_t kPackets = 32;
  constexpr std::uint64_t kMost = kPackets * 1472;
  const std::uint64_t two = 2 * std::uint64_t{datagram_bytes};
  const std::uint64_t all = kPackets * datagram_bytes;
  const std::uint64_t most = two > kMost ? two : kMost;
  return all < most ? all : most;
}

/// CUBIC (RFC 9438) with HyStart++ (RFC 9406).
std::unique_ptr<CongestionController> make_cubic(const CongestionOptions& options);

}  // namespace peernet::transport
