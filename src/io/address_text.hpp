// Addresses as people write them, names, and what this host knows about its own addresses. These may block (DNS) and
// are for start-up and the control path, never for a shard.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.hpp"
#include "peernet/error.hpp"

namespace peernet::io {

/// "1.2.3.4:5", "[::1]:5", "[fe80::1%eth0]:5". Numeric only; nullopt if it is anything else.
std::optional<Address> parse_address(std::string_view text);
/// An address without a port: "1.2.3.4", "::1", "[::1]".
std::optional<Address> parse_ip(std::string_view text);
/// The same texts back; IPv4 in dotted form.
std::string format_address(const Address& address);
std::string format_ip(const Address& address);

struct HostPort {
  std::string host;  ///< without brackets
  std::optional<std::uint16_t> port;
};
/// "HOST", "HOST:PORT", "[V6]", "[V6]:PORT", or a bare IPv6 address. nullopt if the port is no port or the host is
/// empty.
std::optional<HostPort> split_host_port(std::string_view text);

/// All UDP addresses of a host name or numeric address, in the system's order (RFC 6724). kUnreachable if there is
/// none.
Result<std::vector<Address>> resolve(const std::string& host, std::uint16_t port);

/// Addresses of this host's running interfaces that others may reach (no loopback, link-local, multicast), with port.
std::vector<Address> local_addresses(std::uint16_t port);

/// MTU of the route to an address as the kernel knows it now (of the interface, or a smaller path MTU it has learnt); 0
/// if there is no route.
std::uint32_t mtu_towards(const Address& to);

}  // namespace peernet::io
