// Links between network namespaces with a rate, a delay and loss, for kernels without netem.
//
// Each link is a pair of TUN devices; "up" is from the host to the hub. Each way a packet passes: drop-tail queue
// (bytes) -> transmitter (bit/s, IP packets counted; 0: no limit) -> random loss (it has used its share of the rate)
// -> delay -> the other device. The transmitter is a virtual clock, so that waking late delays packets but never
// lowers the rate of a busy link.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <vector>

namespace peernet::netlab {

struct EmulatedShape {
  std::uint64_t rate = 0;  ///< bit/s, 0: no limit
  std::uint64_t delay_us = 0;
  std::uint64_t loss_ppm = 0;
  std::uint64_t queue = 1'500'000;  ///< bytes that may wait for the transmitter
};

struct EmulatedLink {
  int host = -1, hub = -1;  ///< open network namespaces
  std::string device;       ///< its name in the hub; in the host it is eth0
  std::uint64_t mtu = 1500;
  EmulatedShape up, down;
};

class LinkEmulator {
 public:
  /// Makes all devices; the error is a sentence. The calling thread stays in the namespace of the last one: this is for
  /// a process that does nothing else.
  static std::expected<LinkEmulator, std::string> make(std::uint64_t seed, std::span<const EmulatedLink> links);

  LinkEmulator(LinkEmulator&&) noexcept;
  LinkEmulator& operator=(LinkEmulator&&) = delete;
  ~LinkEmulator();

  /// Real-time priority and exact timers: load on the hosts should not delay deliveries. False: not permitted, packets
  /// may be late.
  static bool raise_priority();

  /// Carries packets until the descriptor `until` ends, so that it cannot outlive whoever holds the other end. The
  /// system's error number if it had to give up, else 0.
  int carry(int until);

  /// One line a direction: DEVICE.up or DEVICE.down, packets, bytes, dropped by the queue, dropped by loss, and the
  /// longest that a packet was late, in microseconds.
  std::string statistics() const;

 private:
  class Direction;
  LinkEmulator();

  std::vector<Direction> directions_;
  std::size_t largest_ = 0;
};

}  // namespace peernet::netlab
