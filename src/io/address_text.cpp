#include "io/address_text.hpp"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <memory>

#include "io/sockaddr.hpp"

namespace peernet::io {
namespace {

std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return port;
}

std::optional<Address> parse_v6(std::string_view text) {
  Address out;
  const std::size_t percent = text.find('%');
  if (percent != std::string_view::npos) {
    const std::string zone(text.substr(percent + 1));
    out.scope_id = ::if_nametoindex(zone.c_str());
    if (out.scope_id == 0) {
      const auto [end, error] = std::from_chars(zone.data(), zone.data() + zone.size(), out.scope_id);
      if (zone.empty() || error != std::errc() || end != zone.data() + zone.size()) return std::nullopt;
    }
    text = text.substr(0, percent);
  }
  if (::inet_pton(AF_INET6, std::string(text).c_str(), out.ip.data()) != 1) return std::nullopt;
  return out;
}

class Socket {
 public:
  explicit Socket(int family) : fd_(::socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {}
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  ~Socket() {
    if (fd_ >= 0) ::close(fd_);
  }
  int fd() const { return fd_; }

 private:
  int fd_;
};

}  // namespace

std::optional<Address> parse_ip(std::string_view text) {
  if (text.size() >= 2 && text.front() == '[' && text.back() == ']') return parse_v6(text.substr(1, text.size() - 2));
  if (text.find(':') != std::string_view::npos) return parse_v6(text);
  in_addr v4{};
  if (::inet_pton(AF_INET, std::string(text).c_str(), &v4) != 1) return std::nullopt;
  ByteArray<4> b{};
  std::memcpy(b.data(), &v4, 4);
  return Address::v4(std::to_integer<std::uint8_t>(b[0]), std::to_integer<std::uint8_t>(b[1]),
                     std::to_integer<std::uint8_t>(b[2]), std::to_integer<std::uint8_t>(b[3]), 0);
}

std::optional<Address> parse_address(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const std::string_view host = text.substr(0, colon);
  const auto port = parse_port(text.substr(colon + 1));
  // An IPv6 address needs its brackets here: "::1:5" would be an address without a port as well.
  if (!port || host.empty() || (host.find(':') != std::string_view::npos && host.front() != '[')) return std::nullopt;
  auto out = parse_ip(host);
  if (out) out->port = *port;
  return out;
}

std::string format_ip(const Address& address) {
  char text[INET6_ADDRSTRLEN];
  if (address.is_v4()) {
    ::inet_ntop(AF_INET, address.ip.data() + 12, text, sizeof text);
    return text;
  }
  ::inet_ntop(AF_INET6, address.ip.data(), text, sizeof text);
  std::string out = text;
  if (address.scope_id != 0) {
    char name[IF_NAMESIZE];
    out += '%';
    out += ::if_indextoname(address.scope_id, name) != nullptr ? std::string(name) : std::to_string(address.scope_id);
  }
  return out;
}

std::string format_address(const Address& address) {
  const std::string ip = format_ip(address);
  return (address.is_v4() ? ip : "[" + ip + "]") + ":" + std::to_string(address.port);
}

std::optional<HostPort> split_host_port(std::string_view text) {
  HostPort out;
  std::string_view port;
  bool has_port = false;
  if (!text.empty() && text.front() == '[') {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    out.host = text.substr(1, end - 1);
    const std::string_view rest = text.substr(end + 1);
    if (!rest.empty() && rest.front() != ':') return std::nullopt;
    has_port = !rest.empty();
    if (has_port) port = rest.substr(1);
  } else if (std::count(text.begin(), text.end(), ':') == 1) {
    const std::size_t colon = text.find(':');
    out.host = text.substr(0, colon);
    port = text.substr(colon + 1);
    has_port = true;
  } else {
    out.host = text;
  }
  if (out.host.empty()) return std::nullopt;
  if (has_port) {
    out.port = parse_port(port);
    if (!out.port) return std::nullopt;
  }
  return out;
}

Result<std::vector<Address>> resolve(const std::string& host, std::uint16_t port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_DGRAM;
  hints.ai_protocol = IPPROTO_UDP;
  hints.ai_flags = AI_ADDRCONFIG;
  if (parse_ip(host)) hints.ai_flags = AI_NUMERICHOST;  // AI_ADDRCONFIG would hide ::1 where only lo has IPv6
  addrinfo* list = nullptr;
  const int error = ::getaddrinfo(host.c_str(), nullptr, &hints, &list);
  const int system_error = error == EAI_SYSTEM ? errno : 0;
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(list, [](addrinfo* a) {
    if (a != nullptr) ::freeaddrinfo(a);
  });
  std::vector<Address> out;
  if (error == 0) {
    for (const addrinfo* a = list; a != nullptr; a = a->ai_next) {
      if (a->ai_family != AF_INET && a->ai_family != AF_INET6) continue;
      Address address = from_sockaddr(a->ai_addr, a->ai_addrlen);
      address.port = port;
      if (std::find(out.begin(), out.end(), address) == out.end()) out.push_back(address);
    }
  }
  if (out.empty()) return std::unexpected(Error{ErrorCode::kUnreachable, system_error, "the host name has no address"});
  return out;
}

std::vector<Address> local_addresses(std::uint16_t port) {
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) return {};
  const std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> owner(list, [](ifaddrs* a) { ::freeifaddrs(a); });
  std::vector<Address> out;
  for (const ifaddrs* i = list; i != nullptr; i = i->ifa_next) {
    if (i->ifa_addr == nullptr || (i->ifa_flags & IFF_UP) == 0 || (i->ifa_flags & IFF_LOOPBACK) != 0) continue;
    const int family = i->ifa_addr->sa_family;
    if (family != AF_INET && family != AF_INET6) continue;
    Address a = from_sockaddr(i->ifa_addr, family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6));
    const auto byte = [&](std::size_t k) { return std::to_integer<unsigned>(a.ip[k]); };
    const bool link_local =
        a.is_v4() ? byte(12) == 169 && byte(13) == 254 : byte(0) == 0xfe && (byte(1) & 0xc0) == 0x80;
    if (link_local || a.is_loopback()) continue;
    a.port = port;
    if (std::find(out.begin(), out.end(), a) == out.end()) out.push_back(a);
  }
  return out;
}

std::uint32_t mtu_towards(const Address& to) {
  const int family = to.is_v4() ? AF_INET : AF_INET6;
  const Socket socket(family);
  SockAddr name;
  Address target = to;
  if (target.port == 0) target.port = 9;  // no packet is sent by connecting; IPv4 takes no port 0
  const socklen_t length = to_sockaddr(target, family, name);
  if (socket.fd() < 0 || length == 0 || ::connect(socket.fd(), &name.any, length) != 0) return 0;
  int mtu = 0;
  socklen_t size = sizeof mtu;
  const bool v4 = family == AF_INET;
  if (::getsockopt(socket.fd(), v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_MTU : IPV6_MTU, &mtu, &size) != 0) return 0;
  return mtu > 0 ? static_cast<std::uint32_t>(mtu) : 0;
}

}  // namespace peernet::io
