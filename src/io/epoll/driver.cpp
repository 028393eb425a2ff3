#include "io/epoll/driver.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <climits>

#include "io/clock.hpp"

namespace peernet::io {
namespace {

constexpr std::uint64_t kWakeName = 2;  // 0 and 1 are the sockets

// EPOLLERR is reported whether asked for or not; taking the error ends it.
bool take_socket_error(int fd) {
  int error = 0;
  socklen_t size = sizeof error;
  return ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error != 0;
}

Error kernel_error(const char* what) {
  return {ErrorCode::kKernel, errno, what};
}

}  // namespace

Result<std::unique_ptr<Driver>> EpollDriver::open(const DriverOptions& options, const Capabilities& capabilities,
                                                  const ShardSockets& sockets, const char* reason) {
  const auto prepared = prepare_sockets(options, capabilities, sockets);
  if (!prepared) return std::unexpected(prepared.error());
  std::unique_ptr<EpollDriver> driver(new EpollDriver(options, *prepared, reason));
  if (driver->wake_.fd() < 0) return std::unexpected(kernel_error("open an eventfd"));
  if (!driver->open_epoll()) return std::unexpected(kernel_error("open an epoll instance"));
  return driver;
}

EpollDriver::EpollDriver(const DriverOptions& options, const PreparedSockets& prepared, const char* reason)
    : options_(options),
      prepared_(prepared),
      reason_(reason),
      files_(options.max_files),
      file_slots_(options.max_file_ops),
      free_slots_(options.max_file_ops),
      queued_files_(options.max_file_ops),
      workers_(options.max_file_ops, wake_.fd()) {
  std::size_t buffers = 0;
  for (std::size_t i = 0; i < sockets_.size(); ++i) {
    SocketState& socket = sockets_[i];
    socket.prepared = prepared.sockets[i];
    if (socket.prepared.fd < 0) continue;
    const ReceiveShape shape = receive_shape(options, socket.prepared, i == 0);
    buffers += shape.buffers;
    socket.sender = std::make_unique<SocketSender>(socket.prepared, prepared.gso, options.max_sends);
    socket.receiver = std::make_unique<Receiver>(socket.prepared, SocketIndex(static_cast<std::uint8_t>(i)), shape);
  }
  for (std::uint32_t i = 0; i < options.max_file_ops; ++i) free_slots_.push(i);
  sent_.reserve(options.max_sends);
  ended_.reserve(options.max_file_ops);
  jobs_.reserve(options.max_file_ops);
  received_.reserve(buffers);
}

EpollDriver::~EpollDriver() {
  if (epoll_ >= 0) ::close(epoll_);
}

bool EpollDriver::open_epoll() {
  epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
  if (epoll_ < 0) return false;
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = kWakeName;
  if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, wake_.fd(), &event) != 0) return false;
  for (std::size_t i = 0; i < sockets_.size(); ++i) {
    if (!sockets_[i].sender) continue;
    event.data.u64 = i;
    sockets_[i].armed = EPOLLIN;
    if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, sockets_[i].prepared.fd, &event) != 0) return false;
  }
  return true;
}

DriverInfo EpollDriver::info() const {
  DriverInfo out;
  out.engine = Engine::kEpoll;
  out.gso = prepared_.gso;
  out.gro = prepared_.sockets[0].gro;
  out.reason = reason_;
  out.receive_buffer_bytes = prepared_.receive_buffer_bytes;
  return out;
}

Instant EpollDriver::now() const {
  return monotonic_now();
}

SocketMemory EpollDriver::socket_memory(SocketIndex socket) const {
  return read_socket_memory(sockets_[socket.value()].prepared.fd);
}

bool EpollDriver::submit_send(const Send& send) {
  check_send(send);
  if (sends_in_flight_ == options_.max_sends) return false;
  PN_CHECK(sockets_[send.socket.value()].sender);
  sockets_[send.socket.value()].sender->push(send);
  ++sends_in_flight_;
  return true;
}

bool EpollDriver::submit_read(OpToken token, FileHandle file, MutableByteSpan into, std::uint64_t offset) {
  return submit_file(token, file, Transfer(FileOp::kRead, into.data(), into.size(), offset, files_[file].direct));
}

bool EpollDriver::submit_write(OpToken token, FileHandle file, ByteSpan bytes, std::uint64_t offset) {
  auto* from = const_cast<std::byte*>(bytes.data());  // only ever read
  return submit_file(token, file, Transfer(FileOp::kWrite, from, bytes.size(), offset, files_[file].direct));
}

bool EpollDriver::submit_fsync(OpToken token, FileHandle file) {
  return submit_file(token, file, Transfer(FileOp::kFsync, nullptr, 0, 0, files_[file].direct));
}

bool EpollDriver::submit_file(OpToken token, FileHandle file, const Transfer& transfer) {
  if (free_slots_.empty()) return false;
  const std::uint32_t slot = free_slots_.pop();
  file_slots_[slot] = {token, file, transfer};
  queued_files_.push(slot);
  return true;
}

void EpollDriver::set_receiving(SocketIndex socket, bool on) {
  SocketState& state = sockets_[socket.value()];
  state.receiving = on;
  if (state.sender) arm(state, socket.value());
}

void EpollDriver::flush() {
  run_files();
  run_senders();
}

void EpollDriver::run_senders() {
  for (std::size_t i = 0; i < sockets_.size(); ++i) {
    SocketState& socket = sockets_[i];
    if (!socket.sender) continue;
    socket.blocked = !socket.sender->run(sent_, stats_);
    arm(socket, i);
  }
}

void EpollDriver::run_files() {
  while (!queued_files_.empty()) {
    const std::uint32_t slot = queued_files_.pop();
    FileSlot& op = file_slots_[slot];
    FileTable::Entry& file = files_[op.file];
    // RWF_NOWAIT does not keep an O_DIRECT read from waiting for the disk.
    const bool try_inline = op.transfer.op() == FileOp::kRead && file.can_nowait && !file.direct;
    if (try_inline && read_inline(file, op.transfer)) {
      end_file(slot, op.transfer);
      continue;
    }
    ++stats_.files_offloaded;
    ++on_workers_;
    workers_.submit({slot, file.fd, op.transfer});
  }
}

// What the page cache holds is read here; false: the rest would block (or the file system cannot tell) and needs a
// thread.
bool EpollDriver::read_inline(FileTable::Entry& file, Transfer& transfer) {
  for (;;) {
    const iovec into{transfer.bytes(), transfer.left()};
    std::int64_t moved = ::preadv2(file.fd, &into, 1, static_cast<off_t>(transfer.offset()), RWF_NOWAIT);
    if (moved < 0) moved = -errno;
    if (moved == -EINTR) continue;
    if (moved == -EAGAIN) return false;
    if (moved == -EOPNOTSUPP || moved == -ENOSYS || moved == -EINVAL) {
      // EINVAL may also be the caller's alignment; the thread's pread will say so.
      file.can_nowait = moved == -EINVAL;
      return false;
    }
    if (transfer.advance(moved) == Transfer::Next::kDone) return true;
    ++stats_.transfers_continued;
  }
}

void EpollDriver::end_file(std::uint32_t slot, const Transfer& transfer) {
  ended_.push_back({slot, transfer.op(), transfer.result()});
}

void EpollDriver::arm(SocketState& socket, std::uint64_t name) {
  const std::uint32_t wanted =
      (socket.receiving ? std::uint32_t{EPOLLIN} : 0U) | (socket.blocked ? std::uint32_t{EPOLLOUT} : 0U);
  if (wanted == socket.armed) return;
  epoll_event event{};
  event.events = wanted;
  event.data.u64 = name;
  PN_CHECK(::epoll_ctl(epoll_, EPOLL_CTL_MOD, socket.prepared.fd, &event) == 0);
  socket.armed = wanted;
}

void EpollDriver::turn(Instant deadline, Sink& sink) {
  ++stats_.turns;
  flush();
  wait(deadline);
  collect();
  deliver(sink);
}

void EpollDriver::wait(Instant deadline) {
  signalled_ = false;
  for (SocketState& socket : sockets_) socket.readable = false;
  const bool have = !sent_.empty() || !ended_.empty();
  for (;;) {
    std::optional<Duration> limit;
    if (have) {
      limit = Duration(0);
    } else if (!deadline.is_never()) {
      limit = deadline - now();
      if (limit->count() < 0) limit = Duration(0);
    }
    if (wait_once(limit) >= 0 || errno != EINTR) return;
  }
}

int EpollDriver::wait_once(std::optional<Duration> limit) {
  std::array<epoll_event, 3> events{};
  const int room = static_cast<int>(events.size());
  int n = -1;
  if (precise_wait_) {
    timespec until{};
    if (limit) until = {limit->count() / 1'000'000'000, limit->count() % 1'000'000'000};
    n = ::epoll_pwait2(epoll_, events.data(), room, limit ? &until : nullptr, nullptr);
    // Older kernels, and seccomp filters that were written before it, do not know it.
    if (n < 0 && (errno == ENOSYS || errno == EPERM)) precise_wait_ = false;
  }
  if (!precise_wait_) {
    std::int64_t ms = -1;
    if (limit) ms = (limit->count() + 999'999) / 1'000'000;
    n = ::epoll_wait(epoll_, events.data(), room, static_cast<int>(ms > INT_MAX ? INT_MAX : ms));
  }
  PN_CHECK(n >= 0 || errno == EINTR);
  for (int i = 0; i < n; ++i) {
    const epoll_event& event = events[static_cast<std::size_t>(i)];
    if (event.data.u64 == kWakeName) {
      signalled_ = true;
    } else if (SocketState& socket = sockets_[event.data.u64]; (event.events & (EPOLLIN | EPOLLERR)) != 0) {
      socket.readable = socket.receiving;
      if (!socket.receiving && take_socket_error(socket.prepared.fd)) ++stats_.receive_errors;
    }
  }
  return n;
}

void EpollDriver::collect() {
  // A socket that became writable: send on, so that what ends now is delivered now.
  if (sockets_[0].blocked || sockets_[1].blocked) run_senders();
  if (signalled_) {
    std::uint64_t count = 0;
    PN_CHECK(::read(wake_.fd(), &count, sizeof count) == sizeof count || errno == EAGAIN);
  }
  if (on_workers_ != 0) {
    jobs_.clear();
    workers_.collect(jobs_);
    on_workers_ -= static_cast<std::uint32_t>(jobs_.size());
    for (const FileJob& job : jobs_) end_file(job.slot, job.transfer);
  }
  received_.clear();
  for (SocketState& socket : sockets_)
    if (socket.readable) socket.receiver->collect(received_, stats_);
}

void EpollDriver::deliver(Sink& sink) {
  // The sink may submit, never flush: nothing is appended to these lists while they are read.
  for (const Sent& sent : sent_) {
    --sends_in_flight_;
    sink.on_sent(sent.token, sent.result);
  }
  sent_.clear();
  for (const EndedFile& file : ended_) {
    free_slots_.push(file.slot);
    sink.on_file(file_slots_[file.slot].token, file.op, file.result);
  }
  ended_.clear();
  if (!received_.empty()) sink.on_datagrams(now(), received_);
  if (signalled_ && wake_.take()) sink.on_wake();
}

}  // namespace peernet::io
