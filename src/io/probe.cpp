#include "io/probe.hpp"

#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "io/sockaddr.hpp"
#include "io/uring/buffer_ring.hpp"
#include "io/uring/ring.hpp"

namespace peernet::io {
namespace {

class Fd {
 public:
  explicit Fd(int fd) : fd_(fd) {}
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

bool set_int(int fd, int level, int name, int value) {
  return ::setsockopt(fd, level, name, &value, sizeof value) == 0;
}

// Multishot recvmsg has no opcode and no feature bit of its own (Linux 6.0), so one is run on a socket pair.
bool try_multishot(Ring& ring, const BufferRing& buffers) {
  std::array<int, 2> ends{-1, -1};
  if (::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends.data()) != 0) return false;
  const Fd reader(ends[0]);
  const Fd writer(ends[1]);
  if (::send(writer.get(), "x", 1, 0) != 1) return false;
  msghdr shape{};
  io_uring_sqe& sqe = ring.next_sqe();
  sqe.opcode = IORING_OP_RECVMSG;
  sqe.fd = reader.get();
  sqe.addr = reinterpret_cast<std::uint64_t>(&shape);
  sqe.len = 1;
  sqe.ioprio = IORING_RECV_MULTISHOT;
  sqe.flags = IOSQE_BUFFER_SELECT;
  sqe.buf_group = 0;
  if (ring.enter(1, Duration(1s)) < 0 && ring.ready() == 0) return false;
  bool works = false;
  ring.drain([&](const io_uring_cqe& cqe) {
    const auto expected = static_cast<std::int32_t>(sizeof(io_uring_recvmsg_out) + 1);
    works = works || (cqe.res == expected && (cqe.flags & IORING_CQE_F_MORE) != 0 && buffers.count() > 0);
  });
  return works;
}

void probe_ring(Capabilities& out) {
  RingOptions options{8, 16, 0};
  auto plain = Ring::open(options);
  if (!plain) {
    out.io_uring_errno = plain.error().os_error;
    return;
  }
  out.io_uring = true;
  options.setup_flags = IORING_SETUP_SINGLE_ISSUER;
  out.single_issuer = Ring::open(options).has_value();
  options.setup_flags |= IORING_SETUP_DEFER_TASKRUN;
  auto deferred = Ring::open(options);
  out.defer_taskrun = deferred.has_value();
  Ring& ring = deferred ? *deferred : *plain;
  io_uring_rsrc_register sparse{};
  sparse.nr = 1;
  sparse.flags = IORING_RSRC_REGISTER_SPARSE;
  out.registered_buffers = ring.do_register(IORING_REGISTER_BUFFERS2, &sparse, sizeof sparse) >= 0;
  const auto buffers = BufferRing::open(ring, {0, 2, 256});
  out.provided_buffer_ring = buffers.has_value();
  out.multishot_recvmsg = buffers && try_multishot(ring, *buffers);
}

void probe_sockets(Capabilities& out) {
  const Fd v4(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  out.gso = set_int(v4.get(), SOL_UDP, UDP_SEGMENT, 1200);
  out.gro = set_int(v4.get(), SOL_UDP, UDP_GRO, 1);
  sock_filter first{BPF_RET | BPF_K, 0, 0, 0};
  const sock_fprog program{1, &first};
  out.reuseport_cbpf = set_int(v4.get(), SOL_SOCKET, SO_REUSEPORT, 1) &&
                       ::setsockopt(v4.get(), SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof program) == 0;
  const Fd v6(::socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  SockAddr any;
  const socklen_t length = to_sockaddr(Address{}, AF_INET6, any);
  out.ipv6 =
      v6.get() >= 0 && set_int(v6.get(), IPPROTO_IPV6, IPV6_V6ONLY, 0) && ::bind(v6.get(), &any.any, length) == 0;
}

}  // namespace

Capabilities probe_capabilities() {
  Capabilities out;
  probe_ring(out);
  probe_sockets(out);
  return out;
}

const char* why_not_uring(const Capabilities& c) {
  if (!c.io_uring) {
    if (c.io_uring_errno == EPERM || c.io_uring_errno == EACCES)
      return "io_uring is forbidden here (a container's seccomp filter or kernel.io_uring_disabled)";
    if (c.io_uring_errno == ENOMEM) return "io_uring gets no memory here (the locked-memory limit, ulimit -l)";
    return "this kernel has no io_uring";
  }
  if (!c.provided_buffer_ring || !c.multishot_recvmsg)
    return "this kernel's io_uring is too old (6.1 or newer is needed)";
  return nullptr;
}

}  // namespace peernet::io
