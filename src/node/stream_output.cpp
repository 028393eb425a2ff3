#include "node/stream_output.hpp"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>

namespace peernet::node {
namespace {

constexpr int kPipeBytes = 1 << 20;  // the usual most for a user: fewer, larger wake-ups of the reader
constexpr std::uint64_t kAnyLength = UINT64_MAX;

// A write to a pipe without readers raises SIGPIPE, which by default ends the whole process: a thread's own mask keeps
// it pending there, and it goes with the thread.
void keep_sigpipe_away() {
  sigset_t set;
  ::sigemptyset(&set);
  ::sigaddset(&set, SIGPIPE);
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

}  // namespace

StreamOutput::StreamOutput(int fd)
    : fd_(::fcntl(fd, F_DUPFD_CLOEXEC, 0)), stop_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  struct stat info{};
  if (!valid() || ::fstat(fd_.get(), &info) != 0) return;
  // Where poll cannot say "wait", as with a file, nothing waits long. Elsewhere a blocking descriptor surely takes
  // PIPE_BUF bytes once poll says that there is room (pipe(7)).
  at_once_ = S_ISREG(info.st_mode) || S_ISBLK(info.st_mode) ? kAnyLength : PIPE_BUF;
  if (!S_ISFIFO(info.st_mode)) return;
  ::fcntl(fd_.get(), F_SETPIPE_SZ, kPipeBytes);
  const std::string self = "/proc/self/fd/" + std::to_string(fd_.get());
  storage::Fd again(::open(self.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC));
  if (!again.valid()) return;
  fd_ = std::move(again);
  at_once_ = kAnyLength;
}

void StreamOutput::stop() {
  const std::uint64_t one = 1;
  static_cast<void>(!::write(stop_.get(), &one, sizeof one));
}

// False: stopped.
bool StreamOutput::wait_for_room() const {
  std::array<pollfd, 2> fds{{{fd_.get(), POLLOUT, 0}, {stop_.get(), POLLIN, 0}}};
  while (::poll(fds.data(), fds.size(), -1) < 0)
    if (errno != EINTR) return false;
  return fds[1].revents == 0;
}

std::int64_t StreamOutput::write(ByteSpan bytes) {
  keep_sigpipe_away();
  const auto length = static_cast<std::int64_t>(bytes.size());
  while (!bytes.empty()) {
    if (!wait_for_room()) return -ECANCELED;
    const ssize_t n = ::write(fd_.get(), bytes.data(), std::min<std::uint64_t>(bytes.size(), at_once_));
    if (n >= 0) {
      bytes = bytes.subspan(static_cast<std::size_t>(n));
    } else if (errno != EINTR && errno != EAGAIN) {
      return -errno;
    }
  }
  return length;
}

}  // namespace peernet::node
