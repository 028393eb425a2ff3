#include "io/socket_group.hpp"

#include <linux/filter.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <thread>
#include <utility>

#include "io/sockaddr.hpp"
#include "io/socket_options.hpp"

namespace peernet::io {
namespace {

// Packet types of PN/1 (docs/protocol.md). This room may not include wire; tests/unit/io compares the two.
constexpr std::uint32_t kHandshake = 0x51;
constexpr std::uint32_t kRetry = 0x52;
constexpr std::uint32_t kData = 0x53;
constexpr std::uint32_t kControl = 0x54;
constexpr std::uint32_t kShardByteOffset = 7;  // the low byte of the receiver session id (u32 at 4)
constexpr std::uint32_t kShortestSteered = 8;

// Index in the group = order of bind: shard i has its data socket at 2i and its handshake socket at 2i + 1.
constexpr std::uint32_t kStrangersSocket = 1;

constexpr sock_filter statement(unsigned code, std::uint32_t k) {
  return {static_cast<std::uint16_t>(code), 0, 0, k};
}
constexpr sock_filter jump(unsigned code, std::uint32_t k, std::uint8_t yes, std::uint8_t no) {
  return {static_cast<std::uint16_t>(code), yes, no, k};
}

bool attach_steering(int fd, std::uint32_t shards) {
  // Offset 0 is the first byte of the UDP payload. A load beyond the end would end the program with 0, which is shard
  // 0's data socket: hence the length first.
  std::array<sock_filter, 17> program{
      statement(BPF_LD | BPF_W | BPF_LEN, 0),
      jump(BPF_JMP | BPF_JGE | BPF_K, kShortestSteered, 0, 5),  // shorter: 7
      statement(BPF_LD | BPF_B | BPF_ABS, 0),
      jump(BPF_JMP | BPF_JEQ | BPF_K, kData, 4, 0),           // 8
      jump(BPF_JMP | BPF_JEQ | BPF_K, kControl, 3, 0),        // 8
      jump(BPF_JMP | BPF_JEQ | BPF_K, kHandshake, 6, 0),      // 12
      jump(BPF_JMP | BPF_JEQ | BPF_K, kRetry, 5, 0),          // 12
      statement(BPF_RET | BPF_K, kStrangersSocket),           // 7
      statement(BPF_LD | BPF_B | BPF_ABS, kShardByteOffset),  // 8: the data socket of the id's shard
      statement(BPF_ALU | BPF_MOD | BPF_K, shards),
      statement(BPF_ALU | BPF_LSH | BPF_K, 1),
      statement(BPF_RET | BPF_A, 0),
      statement(BPF_LD | BPF_B | BPF_ABS, kShardByteOffset),  // 12: its handshake socket
      statement(BPF_ALU | BPF_MOD | BPF_K, shards),
      statement(BPF_ALU | BPF_LSH | BPF_K, 1),
      statement(BPF_ALU | BPF_ADD | BPF_K, 1),
      statement(BPF_RET | BPF_A, 0),
  };
  const sock_fprog prog{static_cast<unsigned short>(program.size()), program.data()};
  return ::setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &prog, sizeof prog) == 0;
}

bool set_int(int fd, int level, int name, int value) {
  return ::setsockopt(fd, level, name, &value, sizeof value) == 0;
}

void set_path_options(int fd, int family) {
  // PROBE: don't fragment, and don't let the kernel's idea of the path MTU refuse our own probes (RFC 8899).
  set_int(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE);
  set_int(fd, IPPROTO_IP, IP_RECVTOS, 1);
  if (family == AF_INET6) {
    set_int(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_PROBE);
    set_int(fd, IPPROTO_IPV6, IPV6_RECVTCLASS, 1);
  }
}

bool is_any_v6(const Address& a) {
  return a.ip == ByteArray<16>{};
}

struct Binding {
  int family = AF_INET6;
  Address address;
};

// A bound socket, or -errno. Only the first one of a group is bound exclusively.
int open_bound(const Binding& binding, bool exclusive) {
  const int fd = ::socket(binding.family, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_UDP);
  if (fd < 0) return -errno;
  SockAddr name;
  const socklen_t length = to_sockaddr(binding.address, binding.family, name);
  bool ok = binding.family != AF_INET6 || set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
  if (!exclusive) ok = ok && set_int(fd, SOL_SOCKET, SO_REUSEPORT, 1);
  ok = ok && ::bind(fd, &name.any, length) == 0;
  if (!ok) {
    const int error = errno;
    ::close(fd);
    return -error;
  }
  set_path_options(fd, binding.family);
  return fd;
}

// A program that has just ended may hold its port for some tens of milliseconds while the kernel takes its io_uring
// apart: whoever starts it again at once waits that long instead of being told that the port is taken.
int open_first(const Binding& binding) {
  constexpr int kTries = 30;
  constexpr std::chrono::milliseconds kPause(10);
  for (int i = 1;; ++i) {
    const int fd = open_bound(binding, true);
    if (fd != -EADDRINUSE || binding.address.port == 0 || i == kTries) return fd;
    std::this_thread::sleep_for(kPause);
  }
}

Error bind_error(int error) {
  if (error == EADDRINUSE)
    return {ErrorCode::kLocalIo, error, "another program has the listen port, choose another --listen ADDR:PORT"};
  if (error == EADDRNOTAVAIL) return {ErrorCode::kUsage, error, "the listen address is not one of this host's"};
  if (error == EACCES) return {ErrorCode::kLocalIo, error, "listen on that port (ports below 1024 need privilege)"};
  return {ErrorCode::kKernel, error, "open the UDP sockets"};
}

Address bound_address(int fd) {
  SockAddr name;
  socklen_t length = sizeof name;
  if (::getsockname(fd, &name.any, &length) != 0) return {};
  return from_sockaddr(&name, length);
}

}  // namespace

Result<SocketGroup> SocketGroup::open(const SocketGroupOptions& options, const Capabilities& capabilities) {
  if (options.shards == 0 || options.shards > kShardsMax)
    return std::unexpected(Error{ErrorCode::kUsage, 0, "the number of shards must be between 1 and 64"});
  Binding binding{options.listen.is_v4() ? AF_INET : AF_INET6, options.listen};
  if (!capabilities.ipv6 && is_any_v6(options.listen))
    binding = {AF_INET, Address::v4(0, 0, 0, 0, options.listen.port)};

  // The first socket is bound alone, so that a port in use is an error and port 0 never lands on another group's port;
  // it becomes the group's first member when the second one joins (the kernel makes the group then).
  const int first = open_first(binding);
  if (first < 0) return std::unexpected(bind_error(-first));
  SocketGroup group;
  group.sockets_.push_back({first, -1});
  group.local_ = bound_address(first);
  group.ipv6_ = binding.family == AF_INET6;
  group.ipv4_ = binding.family == AF_INET || is_any_v6(binding.address);
  if (!capabilities.reuseport_cbpf) return group;

  binding.address.port = group.local_.port;
  if (!set_int(first, SOL_SOCKET, SO_REUSEPORT, 1))
    return std::unexpected(Error{ErrorCode::kKernel, errno, "share the UDP port among shards"});
  for (std::uint32_t i = 1; i < 2 * options.shards; ++i) {
    const int fd = open_bound(binding, false);
    if (fd < 0) return std::unexpected(bind_error(-fd));
    if (i % 2 == 0) {
      group.sockets_.push_back({fd, -1});
    } else {
      group.sockets_.back().handshake = fd;
      set_receive_buffer(fd, options.handshake_buffer_bytes);
    }
  }
  if (!attach_steering(first, options.shards))
    return std::unexpected(Error{ErrorCode::kKernel, errno, "steer packets among shards"});
  return group;
}

SocketGroup::SocketGroup(SocketGroup&& other) noexcept
    : sockets_(std::exchange(other.sockets_, {})), local_(other.local_), ipv6_(other.ipv6_), ipv4_(other.ipv4_) {}

SocketGroup& SocketGroup::operator=(SocketGroup&& other) noexcept {
  if (this != &other) {
    close_all();
    sockets_ = std::exchange(other.sockets_, {});
    local_ = other.local_;
    ipv6_ = other.ipv6_;
    ipv4_ = other.ipv4_;
  }
  return *this;
}

SocketGroup::~SocketGroup() {
  close_all();
}

void SocketGroup::close_all() {
  for (const ShardSockets& shard : sockets_) {
    ::close(shard.data);
    if (shard.handshake >= 0) ::close(shard.handshake);
  }
  sockets_.clear();
}

}  // namespace peernet::io
