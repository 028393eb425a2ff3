#include "machine.hpp"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <sstream>

namespace peernet::bench {
namespace {

// Above this share of one core, taken by others, a result is called noisy.
constexpr double kNoisyCores = 0.15;
constexpr std::size_t kMiB = 1 << 20;

// The rest of the first line of a file that starts with `key`, without separators and quotes around it.
std::string value_in(const char* path, const std::string& key) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with(key)) continue;
    const auto first = line.find_first_not_of(" \t:=\"", key.size());
    const auto last = line.find_last_not_of(" \t\"");
    return first == std::string::npos ? std::string() : line.substr(first, last - first + 1);
  }
  return {};
}

std::string hypervisor() {
  std::string name = output_of({"systemd-detect-virt"});
  name.erase(name.find_last_not_of(" \n") + 1);
  if (!name.empty()) return name;
  return value_in("/proc/cpuinfo", "flags").find(" hypervisor") == std::string::npos ? "none" : "unknown";
}

// With the children that have been waited for.
double own_cpu_seconds() {
  double sum = 0;
  for (const int who : {RUSAGE_SELF, RUSAGE_CHILDREN}) {
    rusage usage{};
    ::getrusage(who, &usage);
    for (const timeval& time : {usage.ru_utime, usage.ru_stime})
      sum += static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  }
  return sum;
}

// In the keeper's process; ends with its death.
void keep(std::size_t size, int ready) {
  void* const at = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (at == MAP_FAILED) return;
  ::madvise(at, size, MADV_NOHUGEPAGE);
  ::madvise(at, size, MADV_POPULATE_WRITE);
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  // What stays keeps each MiB in pieces too small to be handed back.
  for (std::size_t offset = 0; offset < size; offset += kMiB)
    ::madvise(static_cast<char*>(at) + offset + page, kMiB - page, MADV_DONTNEED);
  ::close(ready);
  for (;;) ::pause();
}

}  // namespace

nlohmann::json machine() {
  utsname kernel{};
  ::uname(&kernel);
  struct sysinfo info{};
  ::sysinfo(&info);
  return {{"cpu", value_in("/proc/cpuinfo", "model name")},
          {"architecture", kernel.machine},
          {"cores", ::sysconf(_SC_NPROCESSORS_ONLN)},
          {"memory_bytes", static_cast<std::uint64_t>(info.totalram) * info.mem_unit},
          {"kernel", kernel.release},
          {"os", value_in("/etc/os-release", "PRETTY_NAME")},
          {"virtualization", hypervisor()}};
}

std::string now_utc() {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)));
}

NoiseMeter::NoiseMeter() : since_(Clock::now()), before_(times()), own_(own_cpu_seconds()) {
  ::getloadavg(&load_, 1);
}

NoiseMeter::Times NoiseMeter::times() {
  std::ifstream file("/proc/stat");
  std::string cpu;
  double user = 0, nice = 0, system = 0, idle = 0, waiting = 0, irq = 0, softirq = 0, steal = 0;
  file >> cpu >> user >> nice >> system >> idle >> waiting >> irq >> softirq >> steal;
  const auto ticks = static_cast<double>(::sysconf(_SC_CLK_TCK));
  return {(user + nice + system + irq + softirq) / ticks, steal / ticks};
}

nlohmann::json NoiseMeter::verdict() const {
  const double seconds = std::max(seconds_between(since_, Clock::now()), 0.01);
  const Times after = times();
  // Interrupts on behalf of the measured programs count as others': small, and the same for all of them.
  const double others = std::max(0.0, (after.busy - before_.busy - (own_cpu_seconds() - own_)) / seconds);
  const double stolen = std::max(0.0, (after.stolen - before_.stolen) / seconds);
  return {{"load_before", load_},
          {"others_cores", others},
          {"steal_cores", stolen},
          {"noisy", others + stolen > kNoisyCores}};
}

MemoryKeeper::MemoryKeeper(double gib) {
  const std::string available = value_in("/proc/meminfo", "MemAvailable");
  const double most = std::strtod(available.c_str(), nullptr) * 1024 * 0.75;
  const auto size = static_cast<std::size_t>(std::min(gib * 1024 * kMiB, most)) / kMiB * kMiB;
  int ready[2] = {-1, -1};
  if (size == 0 || ::pipe2(ready, O_CLOEXEC) != 0) return;
  const int parent = ::getpid();
  pid_ = ::fork();
  if (pid_ == 0) {
    ::setpgid(0, 0);  // an interrupt from the terminal is for the program
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() == parent) keep(size, ready[1]);
    ::_exit(0);
  }
  ::close(ready[1]);
  char done = 0;
  while (pid_ > 0 && ::read(ready[0], &done, 1) < 0 && errno == EINTR && !interrupted()) continue;
  ::close(ready[0]);
}

MemoryKeeper::~MemoryKeeper() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) continue;
}

}  // namespace peernet::bench
