#include "lab.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <fstream>
#include <functional>
#include <sstream>
#include <thread>
#include <utility>

#include "../netlab/link_emulator.hpp"
#include "process.hpp"

namespace peernet::bench {
namespace {

constexpr std::size_t kMostHosts = 199;
constexpr int kPatienceMs = 2000;
// Of a token bucket: a train of 64 KiB with its headers passes whole; in smaller ones the kernel splits it, at five
// times the cost.
constexpr std::uint64_t kBurst = 131'072;
constexpr double kQueueSeconds = 0.05;

// On a thread of its own, so that this one never is anywhere else. False: the namespace cannot be entered.
bool on_network(int network, const std::function<void()>& work) {
  bool entered = false;
  std::thread([&] {
    entered = ::setns(network, CLONE_NEWNET) == 0;
    if (entered) work();
  }).join();
  return entered;
}

// A descriptor, or the negative error number.
int new_network() {
  int made = -1;
  std::thread([&] {
    made = ::unshare(CLONE_NEWNET) == 0 ? ::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC) : -1;
    if (made < 0) made = -errno;
  }).join();
  return made;
}

// Where it is, though many a PATH leaves out the folders of system tools.
std::string system_tool(const std::string& name) {
  for (const char* const folder : {"", "/usr/sbin/", "/sbin/"})
    if (is_installed(folder + name)) return folder + name;
  return {};
}

// A file in memory that children open by its path in /proc.
class MemoryFile {
 public:
  explicit MemoryFile(const std::string& text) : fd_(::memfd_create("peernet-bench", MFD_CLOEXEC)) {
    written_ = fd_ >= 0 && ::write(fd_, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  }
  ~MemoryFile() {
    if (fd_ >= 0) ::close(fd_);
  }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;

  bool written() const { return written_; }
  std::string path() const { return fmt::format("/proc/{}/fd/{}", ::getpid(), fd_); }
  std::string first_line() const {
    std::ifstream file(path());
    std::string line;
    std::getline(file, line);
    return line;
  }

 private:
  int fd_;
  bool written_ = false;
};

// Commands of ip or tc, all in one process.
Outcome<bool> run_batch(const std::string& program, int network, const std::string& lines) {
  if (lines.empty()) return true;
  const MemoryFile batch(lines), errors("");
  if (!batch.written() || !errors.written())
    return std::unexpected(fmt::format("no file in memory: {}", std::strerror(errno)));
  auto process = Process::start(
      {.words = {system_tool(program), "-batch", batch.path()}, .network = network, .error_file = errors.path()});
  if (!process) return std::unexpected(process.error());
  const auto end = process->wait(std::chrono::seconds(30));
  if (!end) return std::unexpected(fmt::format("{}: {}", program, end.error()));
  if (end->exit_code != 0)
    return std::unexpected(fmt::format("{} cannot build the network: {}", program, errors.first_line()));
  return true;
}

std::uint64_t queue_of(const Shape& shape) {
  if (shape.queue_bytes != 0) return shape.queue_bytes;
  return std::max(static_cast<std::uint64_t>(shape.rate_bits / 8 * kQueueSeconds), 2 * kBurst);
}

std::string limit(const std::string& device, const Shape& shape) {
  if (shape.rate_bits <= 0) return {};
  return fmt::format("qdisc add dev {} root tbf rate {:.0f}bit burst {} limit {}\n", device, shape.rate_bits, kBurst,
                     queue_of(shape));
}

netlab::EmulatedShape emulated_shape(const Shape& shape) {
  return {.rate = static_cast<std::uint64_t>(shape.rate_bits),
          .delay_us = static_cast<std::uint64_t>(std::llround(shape.delay_seconds * 1e6)),
          .loss_ppm = static_cast<std::uint64_t>(std::llround(shape.loss * 1e6)),
          .queue = queue_of(shape)};
}

void close_all_but(std::vector<unsigned> kept) {
  std::ranges::sort(kept);
  unsigned from = 3;
  for (const unsigned fd : kept) {
    if (fd > from) ::close_range(from, fd - 1, 0);
    from = std::max(from, fd + 1);
  }
  ::close_range(from, ~0U, 0);
}

bool send(int to, const std::string& text) {
  return ::write(to, text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

// What the forked process does instead of all else.
[[noreturn]] void emulate(std::span<const netlab::EmulatedLink> links, std::uint64_t seed, int control, int reports,
                          int parent) {
  // In a group of its own an interrupt from the terminal does not end it before what it serves.
  if (::setpgid(0, 0) != 0 || ::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || ::getppid() != parent) ::_exit(1);
  std::vector<unsigned> kept{static_cast<unsigned>(control), static_cast<unsigned>(reports)};
  for (const netlab::EmulatedLink& link : links)
    for (const int fd : {link.host, link.hub}) kept.push_back(static_cast<unsigned>(fd));
  close_all_but(std::move(kept));  // the end of another lab's links would never reach them
  auto emulator = netlab::LinkEmulator::make(seed, links);
  if (!emulator) {
    send(reports, emulator.error() + "\n");
    ::_exit(1);
  }
  netlab::LinkEmulator::raise_priority();
  if (!send(reports, "ready\n") || emulator->carry(control) != 0 || !send(reports, emulator->statistics())) ::_exit(1);
  ::_exit(0);
}

// Until a line is whole, or everything if `all`; what came if that takes too long.
std::string read_reports(int from, bool all) {
  std::string out;
  char block[4096];
  pollfd ready{from, POLLIN, 0};
  while ((all || !out.ends_with('\n')) && ::poll(&ready, 1, kPatienceMs) > 0) {
    const ssize_t count = ::read(from, block, sizeof block);
    if (count <= 0) break;
    out.append(block, static_cast<std::size_t>(count));
  }
  return out;
}

Lab::Carried to_carried(const std::string& line) {
  std::istringstream fields(line);
  std::string name;
  double latest_us = 0;
  Lab::Carried out;
  fields >> name >> out.packets >> out.bytes >> out.dropped_by_queue >> out.lost >> latest_us;
  out.host = std::stoul(name.substr(1)) - 1;
  out.up = name.ends_with(".up");
  out.latest_seconds = latest_us * 1e-6;
  return out;
}

}  // namespace

bool Link::emulated() const {
  return std::ranges::any_of(std::array{up, down}, [](const Shape& s) { return s.delay_seconds > 0 || s.loss > 0; });
}

std::optional<std::string> why_no_lab(bool emulated) {
  if (system_tool("ip").empty() || system_tool("tc").empty())
    return "networks of their own need the programs ip and tc: install iproute2";
  const int network = new_network();
  if (network < 0) {
    if (::geteuid() != 0) return "networks of their own need root: start it with sudo";
    return fmt::format(
        "network namespaces are not permitted here ({}): start it outside of this container, or give the container "
        "CAP_SYS_ADMIN and CAP_NET_ADMIN",
        std::strerror(-network));
  }
  ::close(network);
  if (emulated && ::access("/dev/net/tun", R_OK | W_OK) != 0)
    return "links with a delay or loss need TUN devices and there is no /dev/net/tun to use: \"modprobe tun\", or "
           "\"--device /dev/net/tun\" for a container";
  return std::nullopt;
}

Outcome<Lab> Lab::make(std::span<const Link> links, std::uint64_t seed) {
  if (links.empty() || links.size() > kMostHosts)
    return std::unexpected(fmt::format("a network has 1 to {} hosts, not {}", kMostHosts, links.size()));
  Lab lab;
  auto built = lab.build(links, seed);
  if (!built) return std::unexpected(std::move(built.error()));
  return lab;
}

Outcome<bool> Lab::build(std::span<const Link> links, std::uint64_t seed) {
  hub_ = new_network();
  for (std::size_t i = 1; i <= links.size(); ++i) {
    hosts_.push_back({fmt::format("10.77.{}.2", i), new_network()});
    if (hub_ < 0 || hosts_.back().network < 0)
      return std::unexpected(
          fmt::format("no network namespace can be made: {}", std::strerror(-std::min(hub_, hosts_.back().network))));
  }
  if (std::ranges::any_of(links, &Link::emulated))
    if (auto started = start_emulator(links, seed); !started) return started;
  std::string devices, in_hub = "link set lo up\n", limits_in_hub;
  for (std::size_t i = 1; i <= links.size(); ++i) {
    const Link& link = links[i - 1];
    if (!link.emulated()) {
      devices += fmt::format("link add h{0} mtu {1} type veth peer name eth0 mtu {1} netns /proc/{2}/fd/{3}\n", i,
                             link.mtu, ::getpid(), hosts_[i - 1].network);
      in_hub += fmt::format("link set h{} up\n", i);
      limits_in_hub += limit(fmt::format("h{}", i), link.down);
    }
    in_hub += fmt::format("addr add 10.77.{0}.1/30 dev h{0}\n", i);
  }
  if (auto done = run_batch("ip", hub_, devices + in_hub); !done) return done;
  if (auto done = run_batch("tc", hub_, limits_in_hub); !done) return done;
  for (std::size_t i = 1; i <= links.size(); ++i) {
    const int network = hosts_[i - 1].network;
    const std::string in_host = fmt::format(
        "link set lo up\nlink set eth0 up\naddr add 10.77.{0}.2/30 dev eth0\nroute add default via 10.77.{0}.1\n", i);
    if (auto done = run_batch("ip", network, in_host); !done) return done;
    if (links[i - 1].emulated()) continue;
    if (auto done = run_batch("tc", network, limit("eth0", links[i - 1].up)); !done) return done;
  }
  bool forwards = false;
  on_network(hub_, [&] {
    std::ofstream file("/proc/sys/net/ipv4/ip_forward");
    file << "1\n";
    forwards = static_cast<bool>(file.flush());
  });
  if (!forwards) return std::unexpected(std::string("the router between the hosts cannot be told to forward packets"));
  return true;
}

Outcome<bool> Lab::start_emulator(std::span<const Link> links, std::uint64_t seed) {
  std::vector<netlab::EmulatedLink> emulated;
  for (std::size_t i = 0; i < links.size(); ++i)
    if (links[i].emulated())
      emulated.push_back({.host = hosts_[i].network,
                          .hub = hub_,
                          .device = fmt::format("h{}", i + 1),
                          .mtu = links[i].mtu,
                          .up = emulated_shape(links[i].up),
                          .down = emulated_shape(links[i].down)});
  int control[2] = {-1, -1}, reports[2] = {-1, -1};
  if (::pipe2(control, O_CLOEXEC) != 0) return std::unexpected(fmt::format("no pipe: {}", std::strerror(errno)));
  control_ = control[1];
  if (::pipe2(reports, O_CLOEXEC) == 0) {
    reports_ = reports[0];
    const int parent = ::getpid();
    emulator_ = ::fork();
    if (emulator_ == 0) emulate(emulated, seed, control[0], reports[1], parent);
  }
  const int failure = errno;
  ::close(control[0]);
  if (reports[1] >= 0) ::close(reports[1]);
  if (emulator_ < 0) return std::unexpected(fmt::format("no second process: {}", std::strerror(failure)));
  std::string said = read_reports(reports_, false);
  if (said == "ready\n") return true;
  said.erase(said.find_last_not_of('\n') + 1);
  return std::unexpected("slow links cannot be made: " + (said.empty() ? "their process ended" : said));
}

Lab::Lab(Lab&& other) noexcept
    : hosts_(std::move(other.hosts_)),
      hub_(std::exchange(other.hub_, -1)),
      emulator_(std::exchange(other.emulator_, -1)),
      control_(std::exchange(other.control_, -1)),
      reports_(std::exchange(other.reports_, -1)) {
  other.hosts_.clear();
}

Lab::~Lab() {
  stop();
  for (const Host& host : hosts_)
    if (host.network >= 0) ::close(host.network);
  if (hub_ >= 0) ::close(hub_);
}

std::vector<Lab::Carried> Lab::stop() {
  std::vector<Carried> out;
  if (control_ >= 0) ::close(std::exchange(control_, -1));
  if (emulator_ > 0) {
    std::istringstream reports(read_reports(reports_, true));
    for (std::string line; std::getline(reports, line);)
      if (line.starts_with('h')) out.push_back(to_carried(line));
    ::kill(emulator_, SIGKILL);  // it has ended, unless it hangs
    while (::waitpid(emulator_, nullptr, 0) < 0 && errno == EINTR) continue;
    emulator_ = -1;
  }
  if (reports_ >= 0) ::close(std::exchange(reports_, -1));
  return out;
}

Outcome<Lab::Counters> Lab::counters(std::size_t host) const {
  std::string found;
  on_network(hosts_[host].network, [&] {
    std::ifstream devices("/proc/thread-self/net/dev");
    for (std::string line; std::getline(devices, line);)
      if (const auto at = line.find("eth0:"); at != std::string::npos) found = line.substr(at + 5);
  });
  std::istringstream fields(found);
  Counters out;
  std::uint64_t other = 0;
  fields >> out.bytes_down >> out.packets_down;
  for (int i = 0; i < 6; ++i) fields >> other;  // errors, drops and the like
  fields >> out.bytes_up >> out.packets_up;
  if (!fields) return std::unexpected(hosts_[host].address + " has lost its network");
  return out;
}

}  // namespace peernet::bench
