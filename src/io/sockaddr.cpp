#include "io/sockaddr.hpp"

#include <arpa/inet.h>

#include <cstring>

namespace peernet::io {

socklen_t to_sockaddr(const Address& address, int family, SockAddr& out) {
  if (family == AF_INET) {
    if (!address.is_v4()) return 0;
    out.v4 = {};
    out.v4.sin_family = AF_INET;
    out.v4.sin_port = htons(address.port);
    std::memcpy(&out.v4.sin_addr, address.ip.data() + 12, 4);
    return sizeof out.v4;
  }
  out.v6 = {};
  out.v6.sin6_family = AF_INET6;
  out.v6.sin6_port = htons(address.port);
  out.v6.sin6_scope_id = address.scope_id;
  std::memcpy(&out.v6.sin6_addr, address.ip.data(), 16);
  return sizeof out.v6;
}

Address from_sockaddr(const void* name, std::size_t length) {
  Address out;
  sa_family_t family = AF_UNSPEC;
  if (length < sizeof family) return out;
  std::memcpy(&family, name, sizeof family);
  if (family == AF_INET && length >= sizeof(sockaddr_in)) {
    sockaddr_in v4;
    std::memcpy(&v4, name, sizeof v4);
    out.ip[10] = out.ip[11] = std::byte{0xff};
    std::memcpy(out.ip.data() + 12, &v4.sin_addr, 4);
    out.port = ntohs(v4.sin_port);
  } else if (family == AF_INET6 && length >= sizeof(sockaddr_in6)) {
    sockaddr_in6 v6;
    std::memcpy(&v6, name, sizeof v6);
    std::memcpy(out.ip.data(), &v6.sin6_addr, 16);
    out.port = ntohs(v6.sin6_port);
    out.scope_id = v6.sin6_scope_id;
  }
  return out;
}

}  // namespace peernet::io
