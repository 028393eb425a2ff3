// Address <-> struct sockaddr.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include "base/address.hpp"

namespace peernet::io {

union SockAddr {
  sockaddr any;
  sockaddr_in v4;
  sockaddr_in6 v6;
};

/// Writes the address as a socket of this family (AF_INET or AF_INET6) takes it. 0 if it cannot be said: an IPv6
/// address on an IPv4 socket.
socklen_t to_sockaddr(const Address& address, int family, SockAddr& out);

/// The address in a sockaddr of `length` bytes; all zeros if it is of another family or too short.
Address from_sockaddr(const void* name, std::size_t length);

}  // namespace peernet::io
