#include "tracker/server/listeners.hpp"

#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>

#include "io/address_text.hpp"
#include "io/sockaddr.hpp"
#include "io/socket_options.hpp"
#ifdef PEERNET_HAVE_SYSTEMD
#include <systemd/sd-daemon.h>
#endif

namespace peernet::tracker::server {
namespace {

// A second of full load waits here when a worker is kept from its core; the kernel counts twice the payload.
constexpr std::uint32_t kReceiveBuffer = 16u << 20;
constexpr std::uint32_t kSendBuffer = 4u << 20;

bool set_int(int fd, int level, int name, int value) {
  return ::setsockopt(fd, level, name, &value, sizeof value) == 0;
}

int get_int(int fd, int level, int name) {
  int value = -1;
  socklen_t size = sizeof value;
  return ::getsockopt(fd, level, name, &value, &size) == 0 ? value : -1;
}

std::string sentence_of_bind(int error, const Address& address) {
  const std::string text = io::format_address(address);
  switch (error) {
    case EADDRINUSE:
      return fmt::format("udp://{} is in use by another program: stop it, or choose another --listen ADDR:PORT.", text);
    case EADDRNOTAVAIL:
      return fmt::format("{} is not an address of this host: see `ip address`, or use [::]:{} for all of them.",
                         io::format_ip(address), address.port);
    case EACCES:
    case EPERM:
      return fmt::format(
          "udp://{} needs a right this process lacks: choose a port from 1024 on, or let systemd open it "
          "(peernet-tracker.socket).",
          text);
    case EAFNOSUPPORT:
      return fmt::format("udp://{} wants IPv6, which this host has switched off: use --listen 0.0.0.0:{}.", text,
                         address.port);
    case EMFILE:
    case ENFILE:
      return "there are no file descriptors left: raise the limit (ulimit -n).";
    default:
      return fmt::format("udp://{} cannot be opened: {}.", text, reason_of(error));
  }
}

ErrorCode code_of_bind(int error) {
  if (error == EADDRNOTAVAIL || error == EAFNOSUPPORT) return ErrorCode::kUsage;
  if (error == EADDRINUSE || error == EACCES || error == EPERM) return ErrorCode::kLocalIo;
  return ErrorCode::kKernel;
}

// What open and adopted sockets have in common: replies of a socket on every address must come from the one that was
// asked.
void prepare(const Listener& listener, int fd) {
  if (!listener.any) return;
  if (listener.family == AF_INET6) {
    set_int(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
  } else {
    set_int(fd, IPPROTO_IP, IP_PKTINFO, 1);
  }
}

void prepare_own(const Listener& listener, int fd) {
  io::set_receive_buffer(fd, kReceiveBuffer);
  io::set_send_buffer(fd, kSendBuffer);
  prepare(listener, fd);
}

bool describe_socket(Listener& listener, int fd) {
  io::SockAddr name;
  socklen_t length = sizeof name;
  if (::getsockname(fd, &name.any, &length) != 0) return false;
  listener.family = name.any.sa_family;
  listener.local = io::from_sockaddr(&name, length);
  listener.any = is_any(listener.local);
  listener.dual = listener.family == AF_INET6 && listener.any && get_int(fd, IPPROTO_IPV6, IPV6_V6ONLY) == 0;
  return true;
}

// A bound socket, or -errno.
int open_bound(const Address& address, const ListenOptions& options, bool alone) {
  const int family = address.is_v4() ? AF_INET : AF_INET6;
  Descriptor socket(::socket(family, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_UDP));
  if (!socket) return -errno;
  if (family == AF_INET6) set_int(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, is_any(address) && !options.v6_only ? 0 : 1);
  if (!alone) set_int(socket.get(), SOL_SOCKET, SO_REUSEPORT, 1);
  io::SockAddr name;
  const socklen_t length = io::to_sockaddr(address, family, name);
  if (::bind(socket.get(), &name.any, length) != 0) return -errno;
  return socket.release();
}

}  // namespace

bool is_any(const Address& address) {
  return address.ip == Address::v4(0, 0, 0, 0, 0).ip || address.ip == ByteArray<16>{};
}

std::uint64_t Listener::kernel_drops() const {
  std::uint64_t drops = 0;
  for (const Descriptor& socket : sockets) drops += io::read_socket_memory(socket.get()).drops;
  return drops;
}

Outcome<Listener> open_listener(const Address& address, const ListenOptions& options) {
  Address wanted = address;
  int fd = open_bound(wanted, options, true);
  // [::] means every address; on a host without IPv6 these are the IPv4 ones.
  if (fd == -EAFNOSUPPORT && wanted.ip == ByteArray<16>{}) {
    wanted = Address::v4(0, 0, 0, 0, address.port);
    fd = open_bound(wanted, options, true);
  }
  if (fd < 0) return failure(code_of_bind(-fd), sentence_of_bind(-fd, address));
  Listener listener;
  listener.sockets.emplace_back(fd);
  if (!describe_socket(listener, fd)) return failure(ErrorCode::kKernel, "a socket does not tell its address.");
  prepare_own(listener, fd);
  unsigned workers = options.workers;
  if (workers == 1) return listener;
  wanted.port = listener.local.port;
  // The kernel makes the group when the second socket joins; until then nobody else could.
  if (!set_int(fd, SOL_SOCKET, SO_REUSEPORT, 1)) workers = 1;
  for (unsigned i = 1; i < workers; ++i) {
    const int next = open_bound(wanted, options, false);
    if (next < 0) return failure(code_of_bind(-next), sentence_of_bind(-next, wanted));
    listener.sockets.emplace_back(next);
    prepare_own(listener, next);
  }
  return listener;
}

Outcome<Listener> adopt_listener(int fd) {
  Listener listener;
  listener.sockets.emplace_back(fd);
  const bool udp = get_int(fd, SOL_SOCKET, SO_TYPE) == SOCK_DGRAM && describe_socket(listener, fd) &&
                   (listener.family == AF_INET || listener.family == AF_INET6);
  if (!udp || listener.local.port == 0)
    return failure(ErrorCode::kUsage,
                   fmt::format("the socket passed as descriptor {} is no bound UDP socket: the .socket unit wants "
                               "ListenDatagram=ADDR:PORT.",
                               fd));
  // Its buffers are as whoever opened it wanted them: without privilege they could only be made smaller.
  set_int(fd, SOL_SOCKET, SO_RCVBUFFORCE, static_cast<int>(kReceiveBuffer));
  set_int(fd, SOL_SOCKET, SO_SNDBUFFORCE, static_cast<int>(kSendBuffer));
  prepare(listener, fd);
  return listener;
}

std::vector<int> passed_sockets() {
  std::vector<int> out;
#ifdef PEERNET_HAVE_SYSTEMD
  const int count = ::sd_listen_fds(1);
  for (int i = 0; i < count; ++i) out.push_back(SD_LISTEN_FDS_START + i);
#endif
  return out;
}

}  // namespace peernet::tracker::server
