// The UDP sockets of the tracker: one address each, shared by its workers.
#pragma once

#include <span>
#include <vector>

#include "base/address.hpp"
#include "tracker/server/descriptor.hpp"
#include "tracker/server/failure.hpp"

namespace peernet::tracker::server {

/// One address that is served. Sockets that we opened are one for each worker, in one SO_REUSEPORT group; one that was
/// handed to us (socket activation) is read by all workers.
struct Listener {
  Address local;      ///< with the real port
  int family = 0;     ///< AF_INET or AF_INET6
  bool any = false;   ///< bound to every address: replies must be told which one to come from
  bool dual = false;  ///< an IPv6 socket that takes IPv4, too
  std::vector<Descriptor> sockets;

  int socket_of(unsigned worker) const { return sockets[worker < sockets.size() ? worker : 0].get(); }
  /// Datagrams that the kernel threw away because a socket's buffer was full.
  std::uint64_t kernel_drops() const;
};

struct ListenOptions {
  unsigned workers = 1;
  bool v6_only = false;  ///< [::] without IPv4: 0.0.0.0 is served beside it
};
/// Opens one address. The first socket is bound alone, so that a port that another program has is an error.
Outcome<Listener> open_listener(const Address& address, const ListenOptions& options);

/// 0.0.0.0 or [::].
bool is_any(const Address& address);

/// Takes a socket that somebody opened and bound for us; it must be a UDP socket.
Outcome<Listener> adopt_listener(int fd);

/// Descriptors 3, 4, ... if a service manager passed some to this process (sd_listen_fds(3)).
std::vector<int> passed_sockets();

}  // namespace peernet::tracker::server
