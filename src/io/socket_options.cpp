#include "io/socket_options.hpp"

#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <climits>

namespace peernet::io {
namespace {

bool set_int(int fd, int level, int name, int value) {
  return ::setsockopt(fd, level, name, &value, sizeof value) == 0;
}

int get_int(int fd, int level, int name) {
  int value = 0;
  socklen_t size = sizeof value;
  return ::getsockopt(fd, level, name, &value, &size) == 0 ? value : 0;
}

int as_int(std::uint32_t bytes) {
  return static_cast<int>(std::min<std::uint32_t>(bytes, INT_MAX / 2));
}

}  // namespace

void set_receive_buffer(int fd, std::uint32_t bytes) {
  if (!set_int(fd, SOL_SOCKET, SO_RCVBUFFORCE, as_int(bytes))) set_int(fd, SOL_SOCKET, SO_RCVBUF, as_int(bytes));
}

void set_send_buffer(int fd, std::uint32_t bytes) {
  if (!set_int(fd, SOL_SOCKET, SO_SNDBUFFORCE, as_int(bytes))) set_int(fd, SOL_SOCKET, SO_SNDBUF, as_int(bytes));
}

bool set_socket_defaults(const PreparedSocket& socket, const SocketDefaults& defaults) {
  bool ok = set_int(socket.fd, SOL_UDP, UDP_SEGMENT, defaults.segment_size) || defaults.segment_size == 0;
  ok &= set_int(socket.fd, IPPROTO_IP, IP_TOS, defaults.ecn);  // also IPv4 traffic of a dual-stack socket
  if (socket.family == AF_INET6) ok &= set_int(socket.fd, IPPROTO_IPV6, IPV6_TCLASS, defaults.ecn);
  return ok;
}

Result<PreparedSockets> prepare_sockets(const DriverOptions& options, const Capabilities& capabilities,
                                        const ShardSockets& sockets) {
  PreparedSockets out;
  out.sockets[0].fd = sockets.data;
  out.sockets[1].fd = sockets.handshake;
  for (PreparedSocket& socket : out.sockets) {
    if (socket.fd < 0) continue;
    socket.family = get_int(socket.fd, SOL_SOCKET, SO_DOMAIN);
    if (socket.family != AF_INET && socket.family != AF_INET6)
      return std::unexpected(Error{ErrorCode::kInternal, EBADF, "use the shard's sockets"});
    // What an earlier driver of these sockets may have left.
    set_int(socket.fd, SOL_UDP, UDP_GRO, 0);
    set_socket_defaults(socket, {});
  }
  PreparedSocket& data = out.sockets[0];
  if (data.fd < 0) return std::unexpected(Error{ErrorCode::kInternal, EBADF, "use the shard's data socket"});
  set_receive_buffer(data.fd, options.socket_buffer_bytes);
  set_send_buffer(data.fd, options.socket_buffer_bytes);
  out.receive_buffer_bytes = static_cast<std::uint32_t>(get_int(data.fd, SOL_SOCKET, SO_RCVBUF));
  out.gso = options.offload && capabilities.gso;
  // Handshakes come one by one, and a coalesced flood would not fit that socket's small buffers.
  data.gro = options.offload && capabilities.gro && set_int(data.fd, SOL_UDP, UDP_GRO, 1);
  return out;
}

SocketMemory read_socket_memory(int fd) {
  std::array<std::uint32_t, SK_MEMINFO_VARS> info{};
  socklen_t size = sizeof info;
  if (::getsockopt(fd, SOL_SOCKET, SO_MEMINFO, info.data(), &size) != 0) return {};
  return {info[SK_MEMINFO_RMEM_ALLOC], info[SK_MEMINFO_RCVBUF], info[SK_MEMINFO_DROPS]};
}

}  // namespace peernet::io
