#include "process.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <utility>

namespace peernet::bench {
namespace {

constexpr auto kPatience = std::chrono::seconds(2);
constexpr std::chrono::milliseconds kSlice{250};
constexpr std::chrono::seconds kAnswerPatience{10};  // of output_of

std::atomic<bool> g_interrupted{false};

// This thread is in another network namespace while this lives; children that it starts meanwhile stay there.
class InNetwork {
 public:
  explicit InNetwork(int network) {
    if (network < 0) return;
    home_ = ::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    entered_ = home_ >= 0 && ::setns(network, CLONE_NEWNET) == 0;
    failed_ = !entered_;
  }
  ~InNetwork() {
    if (entered_ && ::setns(home_, CLONE_NEWNET) != 0) std::abort();  // everything after it would be measured elsewhere
    if (home_ >= 0) ::close(home_);
  }
  InNetwork(const InNetwork&) = delete;
  InNetwork& operator=(const InNetwork&) = delete;

  bool failed() const { return failed_; }

 private:
  int home_ = -1;
  bool entered_ = false;
  bool failed_ = false;
};

int open_for(const std::string& path) {
  return path.empty() ? ::open("/dev/null", O_WRONLY | O_CLOEXEC)
                      : ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
}

struct Streams {
  int in = -1, out = -1, err = -1;
};

// In the child of vfork(): only system calls, no memory but its own stack and `failure`.
[[noreturn]] void become(char* const* words, const char* folder, Streams streams, int parent, volatile int& failure) {
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  // A group of its own: an interrupt from the terminal reaches this program alone, which then ends its children in
  // order.
  const bool ready = ::setpgid(0, 0) == 0 && ::prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && ::getppid() == parent &&
                     ::dup2(streams.in, 0) >= 0 && ::dup2(streams.out, 1) >= 0 && ::dup2(streams.err, 2) >= 0 &&
                     (*folder == 0 || ::chdir(folder) == 0);
  if (ready) ::execvp(words[0], words);
  failure = errno == 0 ? ESRCH : errno;
  ::_exit(127);
}

int spawn(const Command& command, const Streams& streams, volatile int& failure) {
  std::vector<char*> words;
  for (const std::string& word : command.words) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  const int parent = ::getpid();
  const char* const folder = command.folder.c_str();
  char* const* const first = words.data();
  // vfork: a copy of this program's tables would be counted as the child's memory and time.
  const int pid = ::vfork();
  if (pid == 0) become(first, folder, streams, parent, failure);
  return pid;
}

// What children used that it has waited for: servers often work in a child a connection. In ticks of 10 ms.
double waited_for_cpu_seconds(int pid) {
  std::ifstream file(fmt::format("/proc/{}/stat", pid));
  std::string line;
  std::getline(file, line);
  const auto name_end = line.rfind(')');
  if (name_end == std::string::npos) return 0;
  std::istringstream fields(line.substr(name_end + 1));
  std::string skipped;
  for (int i = 0; i < 13; ++i) fields >> skipped;  // state to stime
  double user = 0, system = 0;
  fields >> user >> system;
  return (user + system) / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

std::vector<int> with_descendants(int pid) {
  std::vector<int> all{pid};
  for (std::size_t i = 0; i < all.size(); ++i) {
    std::ifstream children(fmt::format("/proc/{0}/task/{0}/children", all[i]));
    for (int child = 0; children >> child;) all.push_back(child);
  }
  return all;
}

}  // namespace

Outcome<Process> Process::start(const Command& command) {
  int ends[2] = {-1, -1};
  if (command.capture && ::pipe2(ends, O_CLOEXEC) != 0)
    return std::unexpected(fmt::format("no pipe: {}", std::strerror(errno)));
  const Streams streams{::open("/dev/null", O_RDONLY | O_CLOEXEC),
                        command.capture ? ends[1] : open_for(command.output_file), open_for(command.error_file)};
  Process process;
  process.output_ = ends[0];
  volatile int failure = 0;
  if (streams.in < 0 || streams.out < 0 || streams.err < 0) {
    failure = errno;
  } else {
    const InNetwork network(command.network);
    failure = network.failed() ? errno : 0;
    process.started_ = Clock::now();
    if (failure == 0) process.pid_ = spawn(command, streams, failure);
    if (process.pid_ < 0 && failure == 0) failure = errno;
  }
  for (const int fd : {streams.in, streams.out, streams.err})
    if (fd >= 0) ::close(fd);
  if (process.pid_ > 0) process.pidfd_ = static_cast<int>(::syscall(SYS_pidfd_open, process.pid_, 0));
  if (failure != 0)
    return std::unexpected(fmt::format("{} cannot be started: {}", command.words[0], std::strerror(failure)));
  return process;
}

Process::Process(Process&& other) noexcept {
  *this = std::move(other);
}

Process& Process::operator=(Process&& other) noexcept {
  std::swap(pid_, other.pid_);
  std::swap(pidfd_, other.pidfd_);
  std::swap(output_, other.output_);
  std::swap(started_, other.started_);
  std::swap(end_, other.end_);
  return *this;
}

Process::~Process() {
  if (pid_ > 0) stop();
  if (pidfd_ >= 0) ::close(pidfd_);
  if (output_ >= 0) ::close(output_);
}

bool Process::ended_within(std::chrono::nanoseconds patience) const {
  const auto deadline = Clock::now() + patience;
  pollfd ended{pidfd_, POLLIN, 0};
  for (;;) {
    // In slices: a signal may come between the question and the wait.
    if (interrupted() && patience > kPatience) return false;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
    const int count = ::poll(&ended, 1, static_cast<int>(std::clamp<long long>(left, 0, kSlice.count())));
    if (count > 0) return true;
    if (count < 0 && errno != EINTR) return false;
    if (left <= 0) return false;
  }
}

bool Process::running() {
  return pid_ > 0 && !ended_within(std::chrono::nanoseconds(0));
}

// Until `last` has come, the end, or no more patience; 0: nothing is the last.
std::string Process::read_until(char last, std::chrono::nanoseconds patience) const {
  const auto deadline = Clock::now() + patience;
  std::string out;
  std::array<char, 4096> block{};
  while (!interrupted() && Clock::now() < deadline) {
    pollfd readable{output_, POLLIN, 0};
    if (::poll(&readable, 1, static_cast<int>(kSlice.count())) <= 0) continue;
    const ssize_t count = ::read(output_, block.data(), block.size());
    if (count <= 0) break;
    out.append(block.data(), static_cast<std::size_t>(count));
    if (last != 0 && out.find(last) != std::string::npos) break;
  }
  return out;
}

std::optional<std::string> Process::read_line(std::chrono::nanoseconds patience) const {
  const std::string text = read_until('\n', patience);
  const std::size_t end = text.find('\n');
  return end == std::string::npos ? std::nullopt : std::optional(text.substr(0, end));
}

std::string Process::read_all(std::chrono::nanoseconds patience) const {
  return read_until(0, patience);
}

double Process::cpu_seconds() const {
  double sum = 0;
  if (pid_ <= 0) return sum;
  for (const int pid : with_descendants(pid_)) {
    clockid_t clock{};
    timespec used{};
    if (::clock_getcpuclockid(pid, &clock) == 0 && ::clock_gettime(clock, &used) == 0)
      sum += static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) * 1e-9;
    sum += waited_for_cpu_seconds(pid);
  }
  return sum;
}

std::uint64_t Process::peak_memory_bytes() const {
  std::uint64_t sum = 0;
  if (pid_ <= 0) return sum;
  for (const int pid : with_descendants(pid_)) {
    std::ifstream status(fmt::format("/proc/{}/status", pid));
    for (std::string line; std::getline(status, line);)
      if (line.starts_with("VmHWM:")) sum += std::strtoull(line.c_str() + 6, nullptr, 10) * 1024;
  }
  return sum;
}

void Process::reap(End& end) {
  int status = 0;
  rusage usage{};
  // It, if it still runs, and what is left of its group; until it is reaped the number belongs to nobody else.
  ::kill(-pid_, SIGKILL);
  while (::wait4(pid_, &status, 0, &usage) < 0 && errno == EINTR) continue;
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  end.wall_seconds = seconds_between(started_, Clock::now());
  end.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  end.cpu_seconds = seconds(usage.ru_utime) + seconds(usage.ru_stime);
  end.peak_memory_bytes = static_cast<std::uint64_t>(usage.ru_maxrss) * 1024;
  pid_ = -1;
}

Outcome<End> Process::wait(std::chrono::nanoseconds patience) {
  if (pid_ <= 0) return end_;
  const bool ended = ended_within(patience);
  reap(end_);
  if (!ended && interrupted()) return std::unexpected(std::string("interrupted"));
  if (!ended)
    return std::unexpected(
        fmt::format("no end within {} s", std::chrono::ceil<std::chrono::seconds>(patience).count()));
  return end_;
}

End Process::stop() {
  if (pid_ <= 0) return end_;
  ::kill(-pid_, SIGTERM);
  ended_within(kPatience);
  reap(end_);
  return end_;
}

void catch_signals() {
  struct sigaction action{};
  action.sa_handler = [](int) { g_interrupted.store(true, std::memory_order_relaxed); };
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
}

bool interrupted() {
  return g_interrupted.load(std::memory_order_relaxed);
}

std::string find_program(const std::string& program) {
  if (program.find('/') != std::string::npos) return ::access(program.c_str(), X_OK) == 0 ? program : std::string();
  const char* const path = std::getenv("PATH");
  std::istringstream folders(path == nullptr ? "/usr/local/bin:/usr/bin:/bin:/usr/sbin" : path);
  for (std::string folder; std::getline(folders, folder, ':');)
    if (const std::string at = folder + "/" + program; ::access(at.c_str(), X_OK) == 0) return at;
  return {};
}

bool is_installed(const std::string& program) {
  return !find_program(program).empty();
}

std::string output_of(const std::vector<std::string>& words) {
  auto process = Process::start({.words = words, .capture = true});
  if (!process) return {};
  // What it started may hold its output open for longer than it lives itself.
  std::string out = process->read_all(kAnswerPatience);
  const auto end = process->wait(kPatience);
  return end && end->exit_code == 0 ? out : std::string();
}

}  // namespace peernet::bench
