// Links between network namespaces with a rate, a delay and loss, for kernels without netem. netlab.py starts it and
// gives its links addresses and routes.
//
//   netlab-links SEED LINK...
//   LINK: host=FD,hub=FD,device=NAME,mtu=N[,up_rate=..][,up_delay_us=..][,up_loss_ppm=..][,up_queue=..][,down_...]
//
// FD are open network namespaces. Each link is a pair of TUN devices, `eth0` in the host and NAME in the hub; "up" is
// from the host to the hub. Each way a packet passes: drop-tail queue (bytes) -> transmitter (bit/s, IP packets
// counted; 0: no limit) -> random loss (it has used its share of the rate) -> delay -> the other device. The
// transmitter is a virtual clock, so that waking late delays packets but never lowers the rate of a busy link.
//
// Prints "ready", carries packets until standard input ends (so it cannot outlive whoever started it), then prints one
// line a direction: NAME packets bytes dropped_by_queue dropped_by_loss latest_us.
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
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "base/rng.hpp"

namespace {

using Clock = std::chrono::steady_clock;
using Nanoseconds = std::chrono::nanoseconds;

constexpr int kPacketsARound = 64;  // of one direction, before the others have their turn
constexpr std::uint64_t kDefaultQueue = 1'500'000;

[[noreturn]] void die(const std::string& what, int error = 0) {
  std::fprintf(stderr, "netlab-links: %s%s%s\n", what.c_str(), error != 0 ? ": " : "",
               error != 0 ? std::strerror(error) : "");
  std::exit(2);
}

struct Shape {
  std::uint64_t rate = 0;  // bit/s
  std::uint64_t delay_us = 0;
  std::uint64_t loss_ppm = 0;
  std::uint64_t queue = kDefaultQueue;  // bytes
};

struct LinkOptions {
  int host = -1;
  int hub = -1;
  std::string device;
  std::uint64_t mtu = 1500;
  Shape up, down;
};

class Direction {
 public:
  Direction(std::string name, const Shape& shape, int from, int to, std::uint64_t seed)
      : name_(std::move(name)), shape_(shape), from_(from), to_(to), rng_(seed) {}

  int from() const { return from_; }

  void read_packets(std::size_t mtu) {
    for (int i = 0; i < kPacketsARound; ++i) {
      std::vector<std::byte> packet(mtu);
      const ssize_t n = ::read(from_, packet.data(), packet.size());
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

  void print() const {
    std::printf("%s %llu %llu %llu %llu %lld\n", name_.c_str(), static_cast<unsigned long long>(packets_),
                static_cast<unsigned long long>(bytes_), static_cast<unsigned long long>(queue_drops_),
                static_cast<unsigned long long>(losses_),
                static_cast<long long>(std::chrono::duration_cast<std::chrono::microseconds>(latest_).count()));
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
  Shape shape_;
  int from_, to_;
  peernet::Rng rng_;
  Clock::time_point free_at_{};
  std::deque<Packet> wire_;
  std::uint64_t packets_ = 0, bytes_ = 0, queue_drops_ = 0, losses_ = 0;
  Nanoseconds latest_{0};
};

std::uint64_t number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) die("not a number: " + std::string(text));
  return value;
}

bool set_shape(Shape& shape, std::string_view what, std::string_view value) {
  std::uint64_t* const place = what == "rate"       ? &shape.rate
                               : what == "delay_us" ? &shape.delay_us
                               : what == "loss_ppm" ? &shape.loss_ppm
                               : what == "queue"    ? &shape.queue
                                                    : nullptr;
  if (place != nullptr) *place = number(value);
  return place != nullptr;
}

LinkOptions parse_link(std::string_view text) {
  LinkOptions out;
  while (!text.empty()) {
    const std::string_view item = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), item.size() + 1));
    const std::size_t equals = std::min(item.find('='), item.size());
    const std::string_view key = item.substr(0, equals);
    const std::string_view value = item.substr(std::min(equals + 1, item.size()));
    bool known = true;
    if (key == "host")
      out.host = static_cast<int>(number(value));
    else if (key == "hub")
      out.hub = static_cast<int>(number(value));
    else if (key == "device")
      out.device = value;
    else if (key == "mtu")
      out.mtu = number(value);
    else if (key.starts_with("up_"))
      known = set_shape(out.up, key.substr(3), value);
    else if (key.starts_with("down_"))
      known = set_shape(out.down, key.substr(5), value);
    else
      known = false;
    if (!known) die("unknown setting " + std::string(key));
  }
  if (out.host < 0 || out.hub < 0 || out.device.empty() || out.device.size() >= IFNAMSIZ)
    die("a link wants host=FD,hub=FD,device=NAME");
  return out;
}

int open_tun(int space, const std::string& device, std::uint64_t mtu) {
  if (::setns(space, CLONE_NEWNET) != 0) die("cannot enter a namespace", errno);
  const int fd = ::open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) die("/dev/net/tun", errno);
  ifreq request{};
  request.ifr_flags = IFF_TUN | IFF_NO_PI;
  device.copy(request.ifr_name, IFNAMSIZ - 1);
  if (::ioctl(fd, TUNSETIFF, &request) != 0) die("cannot make " + device, errno);
  const int socket = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  request.ifr_mtu = static_cast<int>(mtu);
  if (::ioctl(socket, SIOCSIFMTU, &request) != 0) die("MTU of " + device, errno);
  request.ifr_qlen = 10'000;  // never the place where packets are dropped
  if (::ioctl(socket, SIOCSIFTXQLEN, &request) != 0) die("queue of " + device, errno);
  if (::ioctl(socket, SIOCGIFFLAGS, &request) != 0) die("flags of " + device, errno);
  request.ifr_flags |= IFF_UP;
  if (::ioctl(socket, SIOCSIFFLAGS, &request) != 0) die("cannot bring up " + device, errno);
  ::close(socket);
  return fd;
}

void carry(std::deque<Direction>& directions, std::size_t largest) {
  std::vector<pollfd> polled{{STDIN_FILENO, POLLIN, 0}};
  for (const Direction& d : directions) polled.push_back({d.from(), POLLIN, 0});
  while (true) {
    auto next = Clock::time_point::max();
    for (Direction& d : directions) next = std::min(next, d.deliver(Clock::now()));
    const auto wait = std::max<Nanoseconds>(next - Clock::now(), Nanoseconds(0)).count();
    const timespec until{wait / 1'000'000'000, wait % 1'000'000'000};
    const bool idle = next == Clock::time_point::max();
    if (::ppoll(polled.data(), polled.size(), idle ? nullptr : &until, nullptr) < 0 && errno != EINTR)
      die("poll", errno);
    char byte = 0;
    if (polled[0].revents != 0 && ::read(STDIN_FILENO, &byte, 1) <= 0) return;
    for (std::size_t i = 0; i < directions.size(); ++i)
      if (polled[i + 1].revents != 0) directions[i].read_packets(largest);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) die("usage: netlab-links SEED LINK...");
  const std::uint64_t seed = number(argv[1]);
  std::deque<Direction> directions;
  std::size_t largest = 0;
  for (int i = 2; i < argc; ++i) {
    const LinkOptions link = parse_link(argv[i]);
    const int host = open_tun(link.host, "eth0", link.mtu);
    const int hub = open_tun(link.hub, link.device, link.mtu);
    const auto own_seed = seed * 1000 + static_cast<std::uint64_t>(i) * 2;
    directions.emplace_back(link.device + ".up", link.up, host, hub, own_seed);
    directions.emplace_back(link.device + ".down", link.down, hub, host, own_seed + 1);
    largest = std::max(largest, static_cast<std::size_t>(link.mtu));
  }
  // Load on the hosts should not delay deliveries: the lowest real-time priority and exact timers.
  ::prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
  sched_param priority{};
  priority.sched_priority = 1;
  if (::sched_setscheduler(0, SCHED_RR, &priority) != 0)
    std::fprintf(stderr, "netlab-links: no real-time priority, packets may be late\n");
  std::printf("ready\n");
  std::fflush(stdout);
  carry(directions, largest);
  for (const Direction& d : directions) d.print();
  return 0;
}
