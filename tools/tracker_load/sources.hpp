// The sockets that load comes from, each with its own source address where the machine allows it, and their connection
// ids.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/rng.hpp"
#include "base/time.hpp"
#include "options.hpp"
#include "wire/tracker_spec.hpp"

namespace peernet::tracker_load {

Instant now();  ///< CLOCK_MONOTONIC

/// An address as the socket calls want it. IPv4 stays IPv4: trackers list peers by the family of the socket.
struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;

  bool is_v6() const { return storage.ss_family == AF_INET6; }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  ByteSpan ip() const;             ///< 4 or 16 bytes, network order
  std::uint32_t low_word() const;  ///< the last four of them as a number
  void set_low_word(std::uint32_t word);
};

/// "192.0.2.1:80" or "[::1]:80"; the error is a sentence.
std::expected<SocketAddress, std::string> parse_target(const std::string& text);
std::expected<SocketAddress, std::string> parse_host(const std::string& text, std::uint16_t port);

/// Closes itself.
class Socket {
 public:
  explicit Socket(int fd = -1) : fd_(fd) {}
  ~Socket();
  Socket(Socket&& other) noexcept : fd_(other.fd_) { other.fd_ = -1; }
  Socket& operator=(Socket&& other) noexcept;
  int fd() const { return fd_; }

 private:
  int fd_;
};

enum class Waiting : std::uint8_t { kNever, kBlocks };
/// A UDP socket with large buffers.
std::expected<Socket, std::string> open_socket(int family, Waiting waiting);

inline constexpr std::uint32_t kFirstPort = 1024;  ///< simulated peers announce ports from here on

/// Peer number p stands for (source address, announced port): address = first + step * (p % addresses), port =
/// kFirstPort + p / addresses; so whom a tracker lists is known by arithmetic.
class Sources {
 public:
  /// By default a target in 127/8 gets consecutive addresses from 127.1.0.1 on, any other the one the kernel chooses.
  static std::expected<Sources, std::string> open(const Options& options);

  std::uint32_t count() const { return static_cast<std::uint32_t>(sockets_.size()); }
  std::uint32_t addresses() const { return addresses_; }
  bool is_v6() const { return target_.is_v6(); }
  std::size_t peer_size() const { return is_v6() ? wire::kPeerSizeV6 : wire::kPeerSizeV4; }
  int fd(std::uint32_t source) const { return sockets_[source].fd(); }

  std::uint64_t connection_id(std::uint32_t source) const { return connection_ids_[source]; }
  void set_connection_id(std::uint32_t source, std::uint64_t id) { connection_ids_[source] = id; }
  /// Asks for a connection id, waiting for it; false when nobody answers.
  bool connect(std::uint32_t source, Rng& rng, int tries);

  std::uint16_t port_of(std::uint32_t peer) const { return static_cast<std::uint16_t>(kFirstPort + peer / addresses_); }
  /// The peer that a tracker lists with these bytes; nothing if it is none of ours.
  std::optional<std::uint32_t> peer_of(ByteSpan listed, std::uint32_t peers) const;

 private:
  SocketAddress target_;
  SocketAddress first_;
  std::uint32_t addresses_ = 1;
  std::uint32_t step_ = 1;
  std::vector<Socket> sockets_;
  std::vector<std::uint64_t> connection_ids_;
};

/// Sends a request and waits for the reply with its transaction id; the reply's size, 0 when none came in time.
std::size_t ask(int fd, ByteSpan request, std::uint32_t transaction, MutableByteSpan reply, int timeout_ms);

}  // namespace peernet::tracker_load
