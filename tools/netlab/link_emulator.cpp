#include "link_emulator.hpp"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <deque>
#include <utility>

#include "base/rng.hpp"

namespace peernet::netlab {
namespace {

using Clock = std::chrono::steady_clock;
using Nanoseconds = std::chrono::nanoseconds;

constexpr int kPacketsARound = 64;  // of one direction, before the others have their turn

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

std::unexpected<std::string> failed(const std::string& what) {
  return std::unexpected(what + ": " + std::strerror(errno));
}

std::expected<Descriptor, std::string> open_tun(int space, const std::string& name, std::uint64_t mtu) {
  if (::setns(space, CLONE_NEWNET) != 0) return failed("a network namespace cannot be entered");
  Descriptor tun(::open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC));
  if (tun.get() < 0) return failed("/dev/net/tun cannot be opened");
  ifreq request{};
  request.ifr_flags = IFF_TUN | IFF_NO_PI;
  name.copy(request.ifr_name, IFNAMSIZ - 1);
  if (::ioctl(tun.get(), TUNSETIFF, &request) != 0) return failed("device " + name + " cannot be made");
  const Descriptor socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  request.ifr_mtu = static_cast<int>(mtu);
  if (::ioctl(socket.get(), SIOCSIFMTU, &request) != 0) return failed("the MTU of " + name + " cannot be set");
  request.ifr_qlen = 10'000;  // never the place where packets are dropped
  if (::ioctl(socket.get(), SIOCSIFTXQLEN, &request) != 0) return failed("the queue of " + name + " cannot be set");
  if (::ioctl(socket.get(), SIOCGIFFLAGS, &request) != 0) return failed("the flags of " + name + " cannot be read");
  request.ifr_flags |= IFF_UP;
  if (::ioctl(socket.get(), SIOCSIFFLAGS, &request) != 0) return failed(name + " cannot be brought up");
  return tun;
}

}  // namespace

class LinkEmulator::Direction {
 public:
  Direction(std::string name, const EmulatedShape& shape, Descriptor from, int to, std::uint64_t seed)
      : name_(std::move(name)), shape_(shape), from_(std::move(from)), to_(to), rng_(seed) {}

  int from() const { return from_.get(); }

  void read_packets(std::size_t mtu) {
    for (int i = 0; i < kPacketsARound; ++i) {
      std::vector<std::byte> packet(mtu);
      const ssize_t n = ::read(from_.get(), packet.data(), packet.size());
      if (n <= 0) return;
      packet.resize(static_cast<std::size_t>(n));
      accept(std::move(packet), Clock::now());
    }
  }

  /// Writes what is due; returns when the next packet is.
  Clock::time_point deliver(Clock::time_point now) {
    for (int i = 0; i < kPacketsARound && !wire_.empty() && wire_.front().due <= now; ++i) {
      latest_ = std::max<Nanoseconds>(latest_, now - wire_.front().due);
      const auto& bytes = wire_.front().bytes;
      if (::write(to_, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size())) {
        ++packets_;
        bytes_ += bytes.size();
      }
      wire_.pop_front();
    }
    return wire_.empty() ? Clock::time_point::max() : wire_.front().due;
  }

  std::string line() const {
    std::string out = name_;
    for (const std::uint64_t count : {packets_, bytes_, queue_drops_, losses_}) out += " " + std::to_string(count);
    return out + " " + std::to_string(std::chrono::duration_cast<std::chrono::microseconds>(latest_).count()) + "\n";
  }

 private:
  struct Packet {
    Clock::time_point due;
    std::vector<std::byte> bytes;
  };

  void accept(std::vector<std::byte> packet, Clock::time_point now) {
    Clock::time_point leaves = now;
    if (shape_.rate != 0) {
      const double per_byte = 8e9 / static_cast<double>(shape_.rate);
      const auto waiting = std::max<Nanoseconds>(free_at_ - now, Nanoseconds(0));
      if (static_cast<double>(waiting.count()) > static_cast<double>(shape_.queue) * per_byte) {
        ++queue_drops_;
        return;
      }
      const double took = static_cast<double>(packet.size()) * per_byte;
      free_at_ = std::max(free_at_, now) + Nanoseconds(static_cast<std::int64_t>(took));
      leaves = free_at_;
    }
    if (shape_.loss_ppm != 0 && rng_.unit() * 1e6 < static_cast<double>(shape_.loss_ppm)) {
      ++losses_;
      return;
    }
    wire_.push_back({leaves + std::chrono::microseconds(shape_.delay_us), std::move(packet)});
  }

  std::string name_;
  EmulatedShape shape_;
  Descriptor from_;
  int to_;  // owned by the direction back
  Rng rng_;
  Clock::time_point free_at_{};
  std::deque<Packet> wire_;
  std::uint64_t packets_ = 0, bytes_ = 0, queue_drops_ = 0, losses_ = 0;
  Nanoseconds latest_{0};
};

LinkEmulator::LinkEmulator() = default;
LinkEmulator::LinkEmulator(LinkEmulator&&) noexcept = default;
LinkEmulator::~LinkEmulator() = default;

std::expected<LinkEmulator, std::string> LinkEmulator::make(std::uint64_t seed, std::span<const EmulatedLink> links) {
  LinkEmulator emulator;
  std::uint64_t own_seed = seed * 1000;
  for (const EmulatedLink& link : links) {
    auto host = open_tun(link.host, "eth0", link.mtu);
    if (!host) return std::unexpected(host.error());
    auto hub = open_tun(link.hub, link.device, link.mtu);
    if (!hub) return std::unexpected(hub.error());
    emulator.largest_ = std::max(emulator.largest_, static_cast<std::size_t>(link.mtu));
    const int ends[2] = {host->get(), hub->get()};
    emulator.directions_.emplace_back(link.device + ".up", link.up, std::move(*host), ends[1], ++own_seed);
    emulator.directions_.emplace_back(link.device + ".down", link.down, std::move(*hub), ends[0], ++own_seed);
  }
  return emulator;
}

bool LinkEmulator::raise_priority() {
  ::prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
  sched_param priority{};
  priority.sched_priority = 1;
  return ::sched_setscheduler(0, SCHED_RR, &priority) == 0;
}

int LinkEmulator::carry(int until) {
  std::vector<pollfd> polled{{until, POLLIN, 0}};
  for (const Direction& direction : directions_) polled.push_back({direction.from(), POLLIN, 0});
  while (true) {
    auto next = Clock::time_point::max();
    for (Direction& direction : directions_) next = std::min(next, direction.deliver(Clock::now()));
    const auto wait = std::max<Nanoseconds>(next - Clock::now(), Nanoseconds(0)).count();
    const timespec timeout{wait / 1'000'000'000, wait % 1'000'000'000};
    const bool idle = next == Clock::time_point::max();
    if (::ppoll(polled.data(), polled.size(), idle ? nullptr : &timeout, nullptr) < 0) {
      if (errno != EINTR) return errno;
      continue;
    }
    char byte = 0;
    if (polled[0].revents != 0 && ::read(until, &byte, 1) <= 0) return 0;
    for (std::size_t i = 0; i < directions_.size(); ++i)
      if (polled[i + 1].revents != 0) directions_[i].read_packets(largest_);
  }
}

std::string LinkEmulator::statistics() const {
  std::string out;
  for (const Direction& direction : directions_) out += direction.line();
  return out;
}

}  // namespace peernet::netlab
