#include "cli/signals.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <utility>

#include "base/check.hpp"
#include "cli/console.hpp"

namespace peernet::cli {
namespace {

sigset_t handled() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  return set;
}

}  // namespace

Signals::Signals() {
  const sigset_t set = handled();
  PN_CHECK(::pthread_sigmask(SIG_BLOCK, &set, nullptr) == 0);
  signal_fd_ = ::signalfd(-1, &set, SFD_CLOEXEC);
  stop_fd_ = ::eventfd(0, EFD_CLOEXEC);
  // Without descriptors the node cannot start either, and says so; until then the signals just wait.
  if (signal_fd_ >= 0 && stop_fd_ >= 0) thread_ = std::thread([this] { wait(); });
}

Signals::~Signals() {
  if (thread_.joinable()) {
    const std::uint64_t one = 1;
    static_cast<void>(::write(stop_fd_, &one, sizeof one) == sizeof one);
    thread_.join();
  }
  if (signal_fd_ >= 0) ::close(signal_fd_);
  if (stop_fd_ >= 0) ::close(stop_fd_);
  const sigset_t set = handled();
  ::pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

void Signals::on_first(std::function<void()> action) {
  const std::scoped_lock lock(mutex_);
  if (caught() != 0) {
    action();
  } else {
    action_ = std::move(action);
  }
}

void Signals::wait() {
  for (;;) {
    pollfd fds[] = {{signal_fd_, POLLIN, 0}, {stop_fd_, POLLIN, 0}};
    if (::poll(fds, 2, -1) < 0 && errno != EINTR) return;
    if (fds[1].revents != 0) return;
    signalfd_siginfo info;
    if (fds[0].revents == 0 || ::read(signal_fd_, &info, sizeof info) != sizeof info) continue;
    const int signal = static_cast<int>(info.ssi_signo);
    if (caught() != 0) {
      console().clear_status();
      ::_exit(exit_status_of_signal(signal));
    }
    std::function<void()> action;
    {
      const std::scoped_lock lock(mutex_);
      caught_.store(signal, std::memory_order_release);
      action = std::exchange(action_, nullptr);
    }
    if (action) action();
  }
}

}  // namespace peernet::cli
