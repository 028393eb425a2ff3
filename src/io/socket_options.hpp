// What a driver sets on the sockets it is given, and reads back.
#pragma once

#include <array>

#include "io/driver_factory.hpp"
#include "io/io.hpp"

namespace peernet::io {

struct PreparedSocket {
  int fd = -1;
  int family = 0;
  bool gro = false;
};

/// Both sockets of a shard, ready for a driver.
struct PreparedSockets {
  std::array<PreparedSocket, 2> sockets;  ///< indexed by SocketIndex; fd -1: there is none
  bool gso = false;
  std::uint32_t receive_buffer_bytes = 0;  ///< of the data socket, as the kernel charges it
};

Result<PreparedSockets> prepare_sockets(const DriverOptions& options, const Capabilities& capabilities,
                                        const ShardSockets& sockets);

/// Asks for a buffer of that size: first past the limits (SO_RCVBUFFORCE, needs CAP_NET_ADMIN), then within them.
void set_receive_buffer(int fd, std::uint32_t bytes);
void set_send_buffer(int fd, std::uint32_t bytes);

/// SO_MEMINFO of a socket; zeros if the kernel does not say.
SocketMemory read_socket_memory(int fd);

/// What every datagram carries that no control message says otherwise.
struct SocketDefaults {
  std::uint16_t segment_size = 0;  ///< UDP_SEGMENT; 0: none
  std::uint8_t ecn = 0;            ///< IP_TOS and IPV6_TCLASS
  friend bool operator==(const SocketDefaults&, const SocketDefaults&) = default;
};
/// False if the kernel refused any of it.
bool set_socket_defaults(const PreparedSocket& socket, const SocketDefaults& defaults);

}  // namespace peernet::io
