#include "sources.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "packets.hpp"

namespace peernet::tracker_load {
namespace {

constexpr int kSocketBuffer = 4 << 20;
constexpr std::uint32_t kPortsPerAddress = 65535 - kFirstPort;

std::string failed(const char* what) {
  return fmt::format("{}: {}", what, std::strerror(errno));
}

void ask_for_buffer(int fd, int force, int plain) {
  if (::setsockopt(fd, SOL_SOCKET, force, &kSocketBuffer, sizeof kSocketBuffer) != 0)
    static_cast<void>(::setsockopt(fd, SOL_SOCKET, plain, &kSocketBuffer, sizeof kSocketBuffer));
}

std::expected<Socket, std::string> open_source(const SocketAddress& target, const SocketAddress* source) {
  auto socket = open_socket(target.storage.ss_family, Waiting::kNever);
  if (!socket) return socket;
  if (source != nullptr) {
    const int one = 1;  // addresses of a routed range need not be on an interface
    if (source->is_v6())
      static_cast<void>(::setsockopt(socket->fd(), IPPROTO_IPV6, IPV6_FREEBIND, &one, sizeof one));
    else
      static_cast<void>(::setsockopt(socket->fd(), IPPROTO_IP, IP_FREEBIND, &one, sizeof one));
    if (::bind(socket->fd(), source->get(), source->size) != 0)
      return std::unexpected(failed("bind to a source address"));
  }
  if (::connect(socket->fd(), target.get(), target.size) != 0) return std::unexpected(failed("connect to the target"));
  return socket;
}

}  // namespace

Instant now() {
  timespec t{};
  ::clock_gettime(CLOCK_MONOTONIC, &t);
  return Instant::from_ns(t.tv_sec * 1'000'000'000 + t.tv_nsec);
}

ByteSpan SocketAddress::ip() const {
  if (is_v6())
    return {reinterpret_cast<const std::byte*>(&reinterpret_cast<const sockaddr_in6*>(&storage)->sin6_addr), 16};
  return {reinterpret_cast<const std::byte*>(&reinterpret_cast<const sockaddr_in*>(&storage)->sin_addr), 4};
}

std::uint32_t SocketAddress::low_word() const {
  return ByteReader(ip().last(4)).u32();
}

void SocketAddress::set_low_word(std::uint32_t word) {
  auto* const at = const_cast<std::byte*>(ip().last(4).data());
  ByteWriter(MutableByteSpan(at, 4)).u32(word);
}

std::expected<SocketAddress, std::string> parse_host(const std::string& text, std::uint16_t port) {
  SocketAddress out;
  auto* const v4 = reinterpret_cast<sockaddr_in*>(&out.storage);
  auto* const v6 = reinterpret_cast<sockaddr_in6*>(&out.storage);
  if (::inet_pton(AF_INET, text.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    out.size = sizeof *v4;
  } else if (::inet_pton(AF_INET6, text.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    out.size = sizeof *v6;
  } else {
    return std::unexpected("not an IP address: \"" + text + "\"");
  }
  return out;
}

std::expected<SocketAddress, std::string> parse_target(const std::string& text) {
  const std::size_t colon = text.rfind(':');
  std::string host = text.substr(0, colon);
  const std::string digits = colon == std::string::npos ? "" : text.substr(colon + 1);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  if (digits.empty() || digits.size() > 5 || digits.find_first_not_of("0123456789") != std::string::npos ||
      std::stoul(digits) == 0 || std::stoul(digits) > 65535)
    return std::unexpected("a target is ADDR:PORT or [ADDR]:PORT, not \"" + text + "\"");
  return parse_host(host, static_cast<std::uint16_t>(std::stoul(digits)));
}

Socket::~Socket() {
  if (fd_ >= 0) ::close(fd_);
}

Socket& Socket::operator=(Socket&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

std::expected<Socket, std::string> open_socket(int family, Waiting waiting) {
  Socket socket(::socket(family, SOCK_DGRAM | SOCK_CLOEXEC | (waiting == Waiting::kNever ? SOCK_NONBLOCK : 0), 0));
  if (socket.fd() < 0) return std::unexpected(failed("socket"));
  ask_for_buffer(socket.fd(), SO_RCVBUFFORCE, SO_RCVBUF);
  ask_for_buffer(socket.fd(), SO_SNDBUFFORCE, SO_SNDBUF);
  return socket;
}

std::expected<Sources, std::string> Sources::open(const Options& options) {
  Sources out;
  const auto target = parse_target(options.target);
  if (!target) return std::unexpected(target.error());
  out.target_ = *target;
  std::optional<SocketAddress> base;
  std::string wanted = options.source_base;
  if (wanted.empty() && !target->is_v6() && target->ip()[0] == std::byte{127}) wanted = "127.1.0.1";
  if (!wanted.empty()) {
    const auto host = parse_host(wanted, 0);
    if (!host) return std::unexpected(host.error());
    if (host->is_v6() != target->is_v6()) return std::unexpected("--src-base and --target are of different families");
    base = *host;
  }
  out.addresses_ = base ? options.sources : 1;
  out.step_ = options.source_step;
  for (std::uint32_t i = 0; i < options.sources; ++i) {
    SocketAddress source = base.value_or(SocketAddress{});
    if (base) source.set_low_word(base->low_word() + i * out.step_);
    auto socket = open_source(*target, base ? &source : nullptr);
    if (!socket) return std::unexpected(socket.error());
    out.sockets_.push_back(std::move(*socket));
  }
  out.connection_ids_.resize(options.sources);
  out.first_.size = sizeof out.first_.storage;
  if (::getsockname(out.fd(0), reinterpret_cast<sockaddr*>(&out.first_.storage), &out.first_.size) != 0)
    return std::unexpected(failed("getsockname"));
  if (options.job == Job::kLoad && options.peers > std::uint64_t{out.addresses_} * kPortsPerAddress)
    return std::unexpected(
        fmt::format("{} peers want {} source addresses ({} ports each): raise --sources, or lower --peers",
                    options.peers, options.peers / kPortsPerAddress + 1, kPortsPerAddress));
  return out;
}

bool Sources::connect(std::uint32_t source, Rng& rng, int tries) {
  std::array<std::byte, 64> request;
  std::array<std::byte, 2048> reply;
  for (int i = 0; i < tries; ++i) {
    const auto transaction = static_cast<std::uint32_t>(rng.next());
    const std::size_t size = write_connect(request, transaction);
    const std::size_t got = ask(fd(source), ByteSpan(request).first(size), transaction, reply, 500);
    if (got < wire::kConnectReplySize) continue;
    ByteReader reader(ByteSpan(reply).first(got));
    if (reader.u32() != static_cast<std::uint32_t>(wire::TrackerAction::kConnect)) continue;
    reader.u32();
    connection_ids_[source] = reader.u64();
    return true;
  }
  return false;
}

std::optional<std::uint32_t> Sources::peer_of(ByteSpan listed, std::uint32_t peers) const {
  ByteReader reader(listed.last(6));
  const std::uint32_t offset = reader.u32() - first_.low_word();
  const std::uint32_t address = offset / step_;
  const std::uint32_t port = reader.u16();
  if (address >= addresses_ || offset % step_ != 0 || port < kFirstPort) return std::nullopt;
  if (is_v6() && std::memcmp(listed.data(), first_.ip().data(), 12) != 0) return std::nullopt;
  const std::uint64_t peer = std::uint64_t{port - kFirstPort} * addresses_ + address;
  if (peer >= peers) return std::nullopt;
  return static_cast<std::uint32_t>(peer);
}

std::size_t ask(int fd, ByteSpan request, std::uint32_t transaction, MutableByteSpan reply, int timeout_ms) {
  if (::send(fd, request.data(), request.size(), 0) < 0 && errno != ECONNREFUSED) return 0;
  const Instant end = now() + std::chrono::milliseconds(timeout_ms);
  for (Instant at = now(); at < end; at = now()) {
    pollfd wait{fd, POLLIN, 0};
    if (::poll(&wait, 1, static_cast<int>((end - at).count() / 1'000'000) + 1) <= 0) return 0;
    const ssize_t got = ::recv(fd, reply.data(), reply.size(), MSG_DONTWAIT);
    if (got < 0 && errno == ECONNREFUSED) return 0;
    if (got < 8) continue;
    ByteReader reader(reply.first(static_cast<std::size_t>(got)));
    reader.u32();
    if (reader.u32() == transaction) return static_cast<std::size_t>(got);
  }
  return 0;
}

}  // namespace peernet::tracker_load
