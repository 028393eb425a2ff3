#include "tracker/server/worker.hpp"

#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "io/clock.hpp"

namespace peernet::tracker::server {
namespace {

constexpr std::uint64_t kStopName = UINT64_MAX;
// Other sockets and the sweep get their turn after so many full batches of one.
constexpr unsigned kBatchesInTurn = 8;
// A worker that waits does not hear that another one's datagrams have brought the next sweep nearer.
constexpr Duration kLongestWaitAmongSeveral = std::chrono::seconds(1);
constexpr Duration kLongestTurn = std::chrono::seconds(10);

}  // namespace

Worker::Worker(TrackerCore& core, std::span<const Listener> listeners, const WorkerOptions& options)
    : core_(core), options_(options) {
  for (const Listener& listener : listeners) sockets_.push_back({listener.socket_of(options.number), listener.any});
}

Worker::~Worker() {
  stop();
}

Outcome<void> Worker::start() {
  epoll_ = Descriptor(::epoll_create1(EPOLL_CLOEXEC));
  stop_ = Descriptor(::eventfd(0, EFD_CLOEXEC));
  bool ok = epoll_ && stop_;
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = kStopName;
  ok = ok && ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, stop_.get(), &event) == 0;
  for (std::size_t i = 0; ok && i < sockets_.size(); ++i) {
    // One socket for several workers (socket activation): one of them is woken.
    event.events = EPOLLIN | EPOLLEXCLUSIVE;
    event.data.u64 = i;
    ok = ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, sockets_[i].fd, &event) == 0;
  }
  if (!ok) return failure(ErrorCode::kKernel, "the sockets cannot be waited for: " + reason_of(errno) + ".");
  thread_ = std::thread([this] { run(); });
  return {};
}

void Worker::stop() {
  if (!thread_.joinable()) return;
  const std::uint64_t one = 1;
  static_cast<void>(::write(stop_.get(), &one, sizeof one) == sizeof one);
  thread_.join();
}

bool Worker::healthy(Instant now) const {
  const std::int64_t began = turn_began_ns_.load(std::memory_order_relaxed);
  return began == 0 || now - Instant::from_ns(began) < kLongestTurn;
}

int Worker::wait_ms(Instant now) const {
  if (options_.number != 0) return -1;
  const Instant next = core_.next_sweep();
  if (next.is_never() && options_.workers == 1) return -1;
  Duration wait = std::max(Duration(0), next - now);
  if (options_.workers > 1) wait = std::min(wait, kLongestWaitAmongSeveral);
  // Rounded up: a wait that ends too early would begin again at once.
  return static_cast<int>(std::min<std::int64_t>((wait.count() + 999'999) / 1'000'000, 60'000));
}

void Worker::run() {
  ::pthread_setname_np(::pthread_self(), "tracker");
  std::array<epoll_event, 16> events;
  Instant now = io::monotonic_now();
  for (;;) {
    turn_began_ns_.store(0, std::memory_order_relaxed);
    const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), wait_ms(now));
    now = io::monotonic_now();
    turn_began_ns_.store(now.ns(), std::memory_order_relaxed);
    for (int i = 0; i < count; ++i) {
      const std::uint64_t name = events[static_cast<std::size_t>(i)].data.u64;
      if (name == kStopName) return;
      serve(sockets_[name]);
    }
    if (options_.number == 0 && now >= core_.next_sweep()) core_.sweep(now, counters_);
  }
}

void Worker::serve(const Socket& socket) {
  for (unsigned i = 0; i < kBatchesInTurn; ++i) {
    const unsigned count = batch_.receive(socket.fd, socket.any);
    if (count == 0) return;
    batch_.answer(core_, io::monotonic_now(), counters_);
    if (const unsigned dropped = batch_.send(socket.fd); dropped != 0)
      dropped_.store(dropped_.load(std::memory_order_relaxed) + dropped, std::memory_order_relaxed);
    if (count < DatagramBatch::kSize) return;
  }
}

}  // namespace peernet::tracker::server
