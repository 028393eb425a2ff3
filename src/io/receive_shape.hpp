// How many receive buffers a socket gets, and of what size. A received buffer is laid out as the ring's recvmsg writes
// it: 16 bytes of io_uring_recvmsg_out, name, control, payload; the epoll engine keeps the same so that both align
// alike.
#pragma once

#include "io/control_message.hpp"
#include "io/socket_options.hpp"

namespace peernet::io {

inline constexpr std::size_t kReceiveHeaderBytes = 16;
inline constexpr std::size_t kReceiveNameBytes = 32;  ///< sockaddr_in6 is 28; 32 keeps what follows aligned
inline constexpr std::size_t kReceivePayloadOffset = kReceiveHeaderBytes + kReceiveNameBytes + kReceiveControlBytes;
static_assert(kReceivePayloadOffset % 64 == 0, "payloads start on a cache line");

/// The largest UDP payload, in steps of a cache line. Less would lose the rest of a GRO super-packet without a word.
inline constexpr std::size_t kLargestPayload = 65536;
static_assert((kReceivePayloadOffset + kHandshakeDatagramMax) % 64 == 0);

struct ReceiveShape {
  std::uint32_t buffers = 0;
  std::uint32_t payload_bytes = 0;
  std::uint32_t buffer_bytes() const { return static_cast<std::uint32_t>(kReceivePayloadOffset) + payload_bytes; }
};

inline ReceiveShape receive_shape(const DriverOptions& options, const PreparedSocket& socket, bool is_data) {
  if (!is_data)
    return {static_cast<std::uint32_t>(options.handshake_buffers), static_cast<std::uint32_t>(kHandshakeDatagramMax)};
  // Alone, a datagram fills one buffer as a whole super-packet does: more of them for as many bytes. They are pages
  // that nobody touches until a datagram needs them.
  constexpr std::size_t kUncoalescedFactor = 4;
  const std::size_t buffers = options.receive_buffers * (socket.gro ? 1 : kUncoalescedFactor);
  return {static_cast<std::uint32_t>(buffers), static_cast<std::uint32_t>(kLargestPayload)};
}

}  // namespace peernet::io
