#include "tracker/server/service.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "cli/console.hpp"
#include "cli/printable.hpp"
#include "io/address_text.hpp"
#include "io/clock.hpp"
#include "io/system_random.hpp"
#include "tracker/server/admin.hpp"
#include "tracker/server/farewell.hpp"
#include "tracker/server/listeners.hpp"
#include "tracker/server/manager.hpp"
#include "tracker/server/snapshot_writer.hpp"
#include "tracker/server/state_folder.hpp"
#include "tracker/server/worker.hpp"
#include "tracker/spin_lock.hpp"

namespace peernet::tracker::server {
namespace {

constexpr Duration kFarewell = std::chrono::seconds(1);

void say(const std::string& text) {
  cli::console().line("peernet-tracker: " + text);
}

unsigned default_workers() {
  return std::clamp(std::thread::hardware_concurrency(), 1u, kMaxDefaultWorkers);
}

CoreOptions core_options(const ServerOptions& options) {
  CoreOptions out;
  io::SystemRandom random;
  random.fill(out.secret);
  ByteArray<4> epoch;
  random.fill(epoch);
  std::memcpy(&out.epoch, epoch.data(), epoch.size());
  out.times = options.times;
  out.limits = options.limits;
  return out;
}

sigset_t our_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGHUP, SIGINT, SIGTERM}) sigaddset(&set, signal);
  return set;
}

class Service {
 public:
  Service(const CommandLine& line, const ServerOptions& options)
      : line_(line), options_(options), began_(io::monotonic_now()) {
    if (options_.workers == 0) options_.workers = default_workers();
  }

  Outcome<void> start();
  void wait_for_the_end();
  Outcome<void> stop();

 private:
  Outcome<void> open_listeners();
  void restore();
  Outcome<void> open_admin();
  void announce() const;
  void reload();
  Figures figures() const;
  bool healthy() const;

  const CommandLine& line_;
  ServerOptions options_;
  const Instant began_;
  Descriptor signals_;
  std::optional<StateFolder> state_;
  std::vector<Listener> listeners_;
  std::unique_ptr<TrackerCore> core_;
  std::unique_ptr<SnapshotWriter> snapshots_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::unique_ptr<AdminServer> admin_;  // last: it asks all of the above
};

Outcome<void> Service::open_listeners() {
  const std::vector<int> passed = passed_sockets();
  if (!passed.empty() && !options_.listen.empty())
    say("The sockets of the service manager are used, the listen setting is not.");
  for (const int fd : passed) {
    auto listener = adopt_listener(fd);
    if (!listener) return std::unexpected(listener.error());
    listeners_.push_back(std::move(*listener));
  }
  if (!passed.empty()) return {};
  if (options_.listen.empty()) options_.listen.push_back(Address{.port = kDefaultPort});
  for (const Address& address : options_.listen) {
    // 0.0.0.0 and [::] on one port are one wish: neither may take the other's half.
    const bool v4_beside = std::any_of(options_.listen.begin(), options_.listen.end(), [&](const Address& other) {
      return other.is_v4() && is_any(other) && other.port == address.port && address.port != 0;
    });
    auto listener = open_listener(address, {.workers = options_.workers, .v6_only = v4_beside});
    if (!listener) return std::unexpected(listener.error());
    listeners_.push_back(std::move(*listener));
  }
  return {};
}

void Service::restore() {
  const RestoredSnapshot snapshot = state_->restore(*core_);
  snapshots_ = std::make_unique<SnapshotWriter>(*state_, *core_, options_.snapshot_every);
  snapshots_->set_last_second(snapshot.second);
  if (!snapshot.trouble.empty()) say(snapshot.trouble);
  if (snapshot.second != 0)
    say(fmt::format("{} from the snapshot, {} gone by now.",
                    snapshot.peers == 1 ? "1 peer comes" : fmt::format("{} peers come", snapshot.peers),
                    snapshot.dead == 1 ? "1 other is" : fmt::format("{} others are", snapshot.dead)));
}

Outcome<void> Service::open_admin() {
  admin_ = std::make_unique<AdminServer>(
      AdminView{.core = *core_, .figures = [this] { return figures(); }, .healthy = [this] { return healthy(); }});
  if (options_.admin) {
    const auto address = admin_->open_http(*options_.admin);
    if (!address) return std::unexpected(address.error());
    say(fmt::format("The admin page is http://{}/.", io::format_address(*address)));
    if (!address->is_loopback()) say("It has no password: whoever reaches that address sees all swarms and peers.");
  }
  const std::string path = state_ ? state_->socket_path() : default_admin_socket(true);
  const std::string trouble = path.empty() ? "no --state DIR, $XDG_RUNTIME_DIR or /run/peernet-tracker that is writable"
                                           : admin_->open_socket(path);
  if (!trouble.empty()) say(fmt::format("There is no socket for `peernet-tracker ctl`: {}.", trouble));
  return admin_->start();
}

Outcome<void> Service::start() {
  const sigset_t set = our_signals();
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);  // before any thread: they inherit it
  give_way = [] { ::sched_yield(); };
  signals_ = Descriptor(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals_) return failure(ErrorCode::kKernel, "signals cannot be waited for: " + reason_of(errno) + ".");
  if (!options_.state.empty()) {
    auto folder = StateFolder::open(options_.state);
    if (!folder) return std::unexpected(folder.error());
    state_ = std::move(*folder);
  }
  if (auto done = open_listeners(); !done) return done;
  core_ = std::make_unique<TrackerCore>(core_options(options_));
  if (state_) restore();
  for (unsigned i = 0; i < options_.workers; ++i)
    workers_.push_back(
        std::make_unique<Worker>(*core_, listeners_, WorkerOptions{.number = i, .workers = options_.workers}));
  if (auto done = open_admin(); !done) return done;
  for (const auto& worker : workers_)
    if (auto done = worker->start(); !done) return done;
  announce();
  return {};
}

void Service::announce() const {
  std::string text;
  for (const Listener& listener : listeners_)
    text += fmt::format("listening udp://{}\n", io::format_address(listener.local));
  if (!cli::write_all(STDOUT_FILENO, text)) say("Standard output is closed; serving nevertheless.");
  tell_ready("serving");
}

bool Service::healthy() const {
  const Instant now = io::monotonic_now();
  return std::all_of(workers_.begin(), workers_.end(), [&](const auto& worker) { return worker->healthy(now); });
}

Figures Service::figures() const {
  Figures out;
  for (const auto& worker : workers_) {
    out.add(worker->counters());
    out.dropped_replies += worker->dropped();
  }
  for (const Listener& listener : listeners_) out.kernel_drops += listener.kernel_drops();
  out.totals = core_->totals();
  out.workers = options_.workers;
  out.epoch = core_->epoch();
  out.uptime_s = static_cast<double>((io::monotonic_now() - began_).count()) / 1e9;
  if (snapshots_ && snapshots_->last_second() != 0)
    out.snapshot_age_s =
        std::max(0.0, static_cast<double>(::time(nullptr)) - static_cast<double>(snapshots_->last_second()));
  out.resident_bytes = resident_bytes();
  return out;
}

void Service::reload() {
  tell_reloading(io::monotonic_now());
  const auto fresh = load_options(line_);
  if (!fresh) {
    say(fmt::format("Nothing is changed: {}.", fresh.error()));
  } else {
    core_->set_limits(fresh->limits);
    say(line_.config.empty() ? std::string("There is no --config FILE to read again.")
                             : fmt::format("The limits are read again from {}.", cli::printable(line_.config)));
  }
  tell_ready("serving");
}

void Service::wait_for_the_end() {
  const auto watchdog = watchdog_interval();
  const int wait_ms = watchdog ? static_cast<int>(std::max<std::int64_t>(watchdog->count() / 2'000'000, 1)) : -1;
  for (;;) {
    pollfd waiting{signals_.get(), POLLIN, 0};
    ::poll(&waiting, 1, wait_ms);
    if (watchdog && healthy()) tell_alive();
    signalfd_siginfo info;
    while (::read(signals_.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
      if (info.ssi_signo != SIGHUP) return;
      reload();
    }
  }
}

Outcome<void> Service::stop() {
  // From here on the next SIGTERM or SIGINT ends the process at once, as if nobody had asked for the signals.
  sigset_t last;
  sigemptyset(&last);
  sigaddset(&last, SIGINT);
  sigaddset(&last, SIGTERM);
  ::pthread_sigmask(SIG_UNBLOCK, &last, nullptr);
  tell_stopping();
  for (const auto& worker : workers_) worker->stop();
  if (snapshots_) snapshots_->stop();
  const std::uint64_t goodbyes = say_goodbye(*core_, listeners_, kFarewell);
  if (goodbyes != 0) say(fmt::format("Sent {} goodbye{}.", goodbyes, goodbyes == 1 ? "" : "s"));
  if (!snapshots_) return {};
  return snapshots_->write_last();
}

}  // namespace

Outcome<void> serve(const CommandLine& line, const ServerOptions& options) {
  Service service(line, options);
  if (auto done = service.start(); !done) return done;
  service.wait_for_the_end();
  return service.stop();
}

}  // namespace peernet::tracker::server
