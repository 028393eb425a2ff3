// The sockets of all shards of a node: one ADDR:PORT, an SO_REUSEPORT group in which a classic BPF program steers each
// packet to the shard that its receiver session id names (shard = low byte of the id mod shard count), and there to the
// data socket (DATA, CONTROL) or to the handshake socket (everything else).
#pragma once

#include <vector>

#include "io/driver_factory.hpp"
#include "io/io.hpp"

namespace peernet::io {

struct SocketGroupOptions {
  Address listen;  ///< all zeros is [::], dual stack (0.0.0.0 where there is no IPv6); port 0: the kernel chooses
  std::uint32_t shards = 1;  ///< 1..kShardsMax
  std::uint32_t handshake_buffer_bytes = 128
                                         << 10;  ///< receive buffer of each handshake socket, as the kernel is asked
};

inline constexpr std::uint32_t kShardsMax = 64;

/// Owns the sockets. Closing one alone would re-index the group, so they live and die together.
class SocketGroup {
 public:
  /// kLocalIo with EADDRINUSE if any other program has the port: SO_REUSEPORT alone would let two nodes of one user
  /// share it and steal each other's packets, so the first socket is bound without it. It is said after 300 ms: a
  /// program that has just ended may hold the port a little longer than it lives. kUsage for a bad shard count.
  static Result<SocketGroup> open(const SocketGroupOptions& options, const Capabilities& capabilities);

  SocketGroup(SocketGroup&& other) noexcept;
  SocketGroup& operator=(SocketGroup&& other) noexcept;
  ~SocketGroup();

  /// Shards that are served: 1 where the kernel has no cBPF steering (then without a handshake socket), else as asked.
  std::uint32_t shards() const { return static_cast<std::uint32_t>(sockets_.size()); }
  ShardSockets shard(std::uint32_t index) const { return sockets_[index]; }
  /// The bound address with the real port; an IPv4 address if the group is IPv4 only.
  Address local() const { return local_; }
  /// True if IPv6 destinations can be reached from these sockets.
  bool ipv6() const { return ipv6_; }
  bool ipv4() const { return ipv4_; }

 private:
  SocketGroup() = default;
  void close_all();

  std::vector<ShardSockets> sockets_;
  Address local_;
  bool ipv6_ = false;
  bool ipv4_ = true;
};

}  // namespace peernet::io
