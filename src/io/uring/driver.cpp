#include "io/uring/driver.hpp"

#include <poll.h>

#include <algorithm>
#include <bit>
#include <cerrno>

#include "io/clock.hpp"

namespace peernet::io {
namespace {

// Beside sends and file operations: two receives, the wake-up, two polls for room in a socket, one cancellation.
constexpr std::uint32_t kOwnOperations = 8;

RingOptions ring_options(const DriverOptions& options, const Capabilities& capabilities, std::uint32_t buffers) {
  RingOptions out;
  const std::uint32_t operations = options.max_sends + options.max_file_ops + kOwnOperations;
  out.submission_entries = std::bit_ceil(operations);
  const std::uint32_t completions = options.completion_queue != 0 ? options.completion_queue : operations + buffers;
  out.completion_entries = std::max(std::bit_ceil(completions), out.submission_entries);  // the kernel takes no less
  // Disabled until the first turn: the thread that enables a SINGLE_ISSUER ring is the one it belongs to.
  out.setup_flags = IORING_SETUP_R_DISABLED;
  if (capabilities.single_issuer) out.setup_flags |= IORING_SETUP_SINGLE_ISSUER;
  if (capabilities.single_issuer && capabilities.defer_taskrun) {
    out.setup_flags |= IORING_SETUP_DEFER_TASKRUN;
  } else {
    out.setup_flags |= IORING_SETUP_COOP_TASKRUN;
  }
  return out;
}

bool register_sparse_files(const Ring& ring, std::uint32_t slots) {
  io_uring_rsrc_register table{};
  table.nr = slots;
  table.flags = IORING_RSRC_REGISTER_SPARSE;
  return ring.do_register(IORING_REGISTER_FILES2, &table, sizeof table) >= 0;
}

}  // namespace

Result<std::unique_ptr<Driver>> UringDriver::open(const DriverOptions& options, const Capabilities& capabilities,
                                                  const ShardSockets& sockets) {
  const auto prepared = prepare_sockets(options, capabilities, sockets);
  if (!prepared) return std::unexpected(prepared.error());
  std::uint32_t buffers = 0;
  for (std::size_t i = 0; i < 2; ++i) buffers += receive_shape(options, prepared->sockets[i], i == 0).buffers;
  auto ring = Ring::open(ring_options(options, capabilities, buffers));
  if (!ring) return std::unexpected(ring.error());
  const bool registered = register_sparse_files(*ring, kFirstFile + options.max_files);
  std::unique_ptr<UringDriver> driver(new UringDriver(std::move(*ring), options, capabilities, *prepared, registered));
  if (driver->wake_.fd() < 0) return std::unexpected(Error{ErrorCode::kKernel, errno, "open an eventfd"});
  driver->received_.reserve(buffers);
  if (const auto opened = driver->open_receivers(); !opened) return std::unexpected(opened.error());
  return driver;
}

UringDriver::UringDriver(Ring ring, const DriverOptions& options, const Capabilities& capabilities,
                         const PreparedSockets& prepared, bool files_registered)
    : options_(options),
      capabilities_(capabilities),
      prepared_(prepared),
      ring_(std::move(ring)),
      sender_(options.max_sends),
      files_(options, kFirstFile, files_registered) {
  const bool registered = files_registered && register_own_files();
  for (std::size_t i = 0; i < sockets_.size(); ++i) {
    SocketState& socket = sockets_[i];
    socket.prepared = prepared.sockets[i];
    if (socket.prepared.fd < 0) continue;
    socket.file = registered ? RingFile{static_cast<std::int32_t>(i), true} : RingFile{socket.prepared.fd, false};
    sender_.set_socket(SocketIndex(static_cast<std::uint8_t>(i)), socket.prepared, socket.file);
    socket.cutter = std::make_unique<SocketSender>(socket.prepared, false, options.max_sends);
  }
  sent_.reserve(options.max_sends);
  ended_.reserve(options.max_file_ops);
}

bool UringDriver::register_own_files() {
  const std::array<int, kFirstFile> own{prepared_.sockets[0].fd, prepared_.sockets[1].fd, wake_.fd()};
  io_uring_files_update update{};
  update.fds = reinterpret_cast<std::uint64_t>(own.data());
  return ring_.do_register(IORING_REGISTER_FILES_UPDATE, &update, kFirstFile) == static_cast<int>(kFirstFile);
}

Result<void> UringDriver::open_receivers() {
  for (std::size_t i = 0; i < sockets_.size(); ++i) {
    SocketState& socket = sockets_[i];
    if (socket.prepared.fd < 0) continue;
    const SocketIndex index(static_cast<std::uint8_t>(i));
    auto receiver = RingReceiver::open(ring_, receive_shape(options_, socket.prepared, i == 0), index, socket.file);
    if (!receiver) return std::unexpected(receiver.error());
    socket.receiver = std::move(*receiver);
  }
  return {};
}

UringDriver::~UringDriver() {
  drain_at_end();
}

DriverInfo UringDriver::info() const {
  DriverInfo out;
  out.engine = Engine::kUring;
  out.gso = prepared_.gso;
  out.gro = prepared_.sockets[0].gro;
  out.registered_buffers = files_.uses_registered_memory();
  out.receive_buffer_bytes = prepared_.receive_buffer_bytes;
  return out;
}

Instant UringDriver::now() const {
  return monotonic_now();
}

SocketMemory UringDriver::socket_memory(SocketIndex socket) const {
  return read_socket_memory(sockets_[socket.value()].prepared.fd);
}

void UringDriver::use_memory(MutableByteSpan region) {
  if (capabilities_.registered_buffers) files_.use_memory(ring_, region);
}

bool UringDriver::submit_send(const Send& send) {
  check_send(send);
  if (sends_in_flight_ == options_.max_sends) return false;
  SocketState& socket = sockets_[send.socket.value()];
  PN_CHECK(socket.receiver);
  ++sends_in_flight_;
  const bool ours_to_cut = !prepared_.gso && !is_single(send);
  // An address that the socket cannot say goes there too: it ends with an error in the next turn.
  if (ours_to_cut || !sender_.submit(ring_, send)) socket.cutter->push(send);
  return true;
}

bool UringDriver::submit_read(OpToken token, FileHandle file, MutableByteSpan into, std::uint64_t offset) {
  return submit_file(token, file, Transfer(FileOp::kRead, into.data(), into.size(), offset, files_.direct(file)));
}

bool UringDriver::submit_write(OpToken token, FileHandle file, ByteSpan bytes, std::uint64_t offset) {
  auto* from = const_cast<std::byte*>(bytes.data());  // only ever read
  return submit_file(token, file, Transfer(FileOp::kWrite, from, bytes.size(), offset, files_.direct(file)));
}

bool UringDriver::submit_fsync(OpToken token, FileHandle file) {
  return submit_file(token, file, Transfer(FileOp::kFsync, nullptr, 0, 0, files_.direct(file)));
}

bool UringDriver::submit_file(OpToken token, FileHandle file, const Transfer& transfer) {
  return files_.submit(ring_, token, file, transfer);
}

void UringDriver::set_receiving(SocketIndex socket, bool on) {
  SocketState& state = sockets_[socket.value()];
  if (!state.receiver) return;
  state.receiver->set_receiving(on);
}

void UringDriver::start() {
  if (started_) return;
  PN_CHECK(ring_.do_register(IORING_REGISTER_ENABLE_RINGS, nullptr, 0) >= 0);
  started_ = true;
}

// Everything that shall be in the ring while it waits.
void UringDriver::prepare() {
  for (SocketState& socket : sockets_)
    if (socket.receiver) socket.receiver->arm(ring_);
  if (!wake_armed_) {
    const bool registered = sockets_[0].file.registered;
    io_uring_sqe& sqe = ring_.next_sqe();
    sqe.opcode = IORING_OP_READ;
    sqe.fd = registered ? static_cast<std::int32_t>(kWakeFile) : wake_.fd();
    sqe.flags = registered ? IOSQE_FIXED_FILE : 0;
    sqe.addr = reinterpret_cast<std::uint64_t>(&wake_count_);
    sqe.len = sizeof wake_count_;
    sqe.user_data = RingName{RingOp::kWake, 0, 0}.pack();
    wake_armed_ = true;
  }
  run_cutters();
}

void UringDriver::run_cutters() {
  for (std::size_t i = 0; i < sockets_.size(); ++i) {
    SocketState& socket = sockets_[i];
    if (!socket.cutter || socket.cutter->empty() || socket.waits_writable) continue;
    if (socket.cutter->run(sent_, stats_)) continue;
    io_uring_sqe& sqe = ring_.next_sqe();
    sqe.opcode = IORING_OP_POLL_ADD;
    sqe.fd = socket.file.number;
    sqe.flags = socket.file.registered ? IOSQE_FIXED_FILE : 0;
    sqe.poll32_events = POLLOUT;
    sqe.user_data = RingName{RingOp::kWritable, 0, static_cast<std::uint32_t>(i)}.pack();
    socket.waits_writable = true;
  }
}

void UringDriver::flush() {
  start();
  run_cutters();
  if (ring_.queued() == 0) return;
  const int n = ring_.enter(0, std::nullopt);
  // What could not be taken now stays queued for the turn.
  PN_CHECK(n >= 0 || n == -EINTR || n == -EAGAIN || n == -EBUSY || n == -ETIME || n == -ENOMEM);
}

void UringDriver::turn(Instant deadline, Sink& sink) {
  ++stats_.turns;
  start();
  prepare();
  wait(deadline);
  collect();
  deliver(sink);
}

void UringDriver::wait(Instant deadline) {
  for (;;) {
    bool wait_for_one = ring_.ready() == 0 && sent_.empty();
    std::optional<Duration> limit;
    if (wait_for_one && !deadline.is_never()) {
      limit = deadline - now();
      if (limit->count() <= 0) {
        limit.reset();
        wait_for_one = false;
      }
    }
    const int n = ring_.enter(wait_for_one ? 1 : 0, limit);
    if (n >= 0 || n == -ETIME || ring_.ready() != 0) return;
    if (n == -EAGAIN || n == -EBUSY || n == -ENOMEM) return;  // the kernel wants its completions taken first
    PN_CHECK(n == -EINTR);
  }
}

void UringDriver::collect() {
  ring_.drain([this](const io_uring_cqe& cqe) { complete(cqe); });
  // What did not fit waits in the kernel and moves over at the next enter.
  while (ring_.overflown()) {
    ++stats_.completions_overflowed;
    ring_.enter(0, std::nullopt);
    if (ring_.drain([this](const io_uring_cqe& cqe) { complete(cqe); }) == 0) break;
  }
}

void UringDriver::complete(const io_uring_cqe& cqe) {
  const RingName name = RingName::unpack(cqe.user_data);
  switch (name.op) {
    case RingOp::kReceive:
      sockets_[name.slot].receiver->complete(cqe, received_, stats_);
      break;
    case RingOp::kSend:
      complete_send(cqe);
      break;
    case RingOp::kFile:
      if (RingFiles::Ended ended; files_.complete(ring_, cqe, ended, stats_)) ended_.push_back(ended);
      break;
    case RingOp::kWake:
      wake_armed_ = false;
      signalled_ = true;
      break;
    case RingOp::kWritable:
      sockets_[name.slot].waits_writable = false;
      break;
    case RingOp::kCancel:
      break;
  }
}

void UringDriver::complete_send(const io_uring_cqe& cqe) {
  const RingName name = RingName::unpack(cqe.user_data);
  const Send send = sender_.completed(name);
  if (cqe.res == -EINTR || cqe.res == -EAGAIN) {
    sender_.resubmit(ring_, name.slot);
    return;
  }
  sender_.free_slot(name.slot);
  const bool train = !is_single(send);
  if (train && cqe.res == -EIO) {  // a device without checksum offload, or a transformed route
    sockets_[send.socket.value()].cutter->push(send);
    return;
  }
  sent_.push_back({send.token, train ? train_result(cqe.res) : cqe.res});
}

void UringDriver::deliver(Sink& sink) {
  // The sink may submit, never flush: nothing is appended to these lists while they are read.
  for (const Sent& sent : sent_) {
    --sends_in_flight_;
    sink.on_sent(sent.token, sent.result);
  }
  sent_.clear();
  for (const RingFiles::Ended& ended : ended_) sink.on_file(files_.finish(ended.slot), ended.op, ended.result);
  ended_.clear();
  if (!received_.empty()) sink.on_datagrams(now(), received_);
  received_.clear();
  for (SocketState& socket : sockets_)
    if (socket.receiver) socket.receiver->recycle();
  const bool woken = signalled_ && wake_.take();
  signalled_ = false;
  if (woken) sink.on_wake();
}

std::uint32_t UringDriver::in_ring() const {
  std::uint32_t n = sender_.in_flight() + files_.in_flight() + (wake_armed_ ? 1 : 0);
  for (const SocketState& socket : sockets_) {
    if (socket.receiver && socket.receiver->armed()) ++n;
    if (socket.waits_writable) ++n;
  }
  return n;
}

// The kernel may write to our memory until each operation has completed.
void UringDriver::drain_at_end() {
  if (!started_ || in_ring() == 0) return;
  io_uring_sqe& sqe = ring_.next_sqe();
  sqe.opcode = IORING_OP_ASYNC_CANCEL;
  sqe.cancel_flags = IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL;
  sqe.user_data = RingName{RingOp::kCancel, 0, 0}.pack();
  while (in_ring() != 0) {
    const int n = ring_.enter(1, std::nullopt);
    // EEXIST: this is another thread than the ring's, whose end has already cancelled and awaited all it had started.
    if (n == -EEXIST) return;
    PN_CHECK(n >= 0 || n == -EINTR || n == -EAGAIN || n == -EBUSY || n == -ENOMEM);
    collect();
    for (const RingFiles::Ended& ended : ended_) files_.finish(ended.slot);
    ended_.clear();
    sent_.clear();
    received_.clear();
  }
}

}  // namespace peernet::io
