#include "io/uring/sender.hpp"

namespace peernet::io {
namespace {

// Trains of one other shape in a row before the socket's options follow: two sessions with different packet sizes that
// take turns shall not make a setsockopt of every train.
constexpr std::uint32_t kStreakToFollow = 8;

}  // namespace

RingSender::RingSender(std::uint32_t slots) : slots_(slots), free_(slots) {
  for (std::uint32_t i = 0; i < slots; ++i) free_.push(i);
}

void RingSender::set_socket(SocketIndex index, const PreparedSocket& prepared, const RingFile& file) {
  sockets_[index.value()] = {};
  sockets_[index.value()].prepared = prepared;
  sockets_[index.value()].file = file;
}

bool RingSender::submit(Ring& ring, const Send& send) {
  PN_CHECK(!free_.empty());
  Socket& socket = sockets_[send.socket.value()];
  const std::uint32_t index = free_.front();
  Slot& slot = slots_[index];
  slot.name_length = to_sockaddr(send.to, socket.prepared.family, slot.name);
  if (slot.name_length == 0) return false;
  free_.pop();
  ++in_flight_;
  slot.send = send;
  slot.generation = (slot.generation + 1) & RingName::kGenerationMask;
  if (!is_single(send)) consider_defaults(socket, send);

  SendControl control;
  control.to_v4 = send.to.is_v4();
  if (send.ecn != socket.defaults.ecn) control.ecn = send.ecn;
  if (!is_single(send)) {
    if (send.segment_size != socket.defaults.segment_size)
      control.segment_size = static_cast<std::uint16_t>(send.segment_size);
  } else if (socket.defaults.segment_size != 0 && send.bytes.size() > socket.defaults.segment_size) {
    control.segment_size = std::uint16_t{0};  // or the socket's option would cut it
  }
  slot.relies_on_defaults = !control.ecn || !control.segment_size;
  if (slot.relies_on_defaults) ++socket.relying;
  slot.header = {};
  slot.header.msg_controllen = write_control(control, slot.control.data());
  if (slot.header.msg_controllen != 0) {
    slot.piece = {const_cast<std::byte*>(send.bytes.data()), send.bytes.size()};
    slot.header.msg_name = &slot.name;
    slot.header.msg_namelen = slot.name_length;
    slot.header.msg_iov = &slot.piece;
    slot.header.msg_iovlen = 1;
    slot.header.msg_control = slot.control.data();
  }
  queue(ring, index);
  return true;
}

// The options may change only while no operation relies on them: one that waits for room in the socket buffer is cut as
// the options are when it leaves, not when it was queued.
void RingSender::consider_defaults(Socket& socket, const Send& send) {
  const SocketDefaults shape{static_cast<std::uint16_t>(send.segment_size), send.ecn};
  if (shape == socket.defaults) {
    socket.wanted_streak = 0;
    return;
  }
  socket.wanted_streak = shape == socket.wanted ? socket.wanted_streak + 1 : 1;
  socket.wanted = shape;
  const bool due = socket.defaults.segment_size == 0 || socket.wanted_streak >= kStreakToFollow;
  if (!due || socket.relying != 0) return;
  socket.defaults = set_socket_defaults(socket.prepared, shape) ? shape : SocketDefaults{};
  if (socket.defaults != shape) set_socket_defaults(socket.prepared, {});
  socket.wanted_streak = 0;
}

void RingSender::queue(Ring& ring, std::uint32_t index) {
  Slot& slot = slots_[index];
  const Socket& socket = sockets_[slot.send.socket.value()];
  io_uring_sqe& sqe = ring.next_sqe();
  sqe.fd = socket.file.number;
  sqe.flags = socket.file.registered ? IOSQE_FIXED_FILE : 0;
  sqe.user_data = RingName{RingOp::kSend, slot.generation, index}.pack();
  sqe.msg_flags = MSG_NOSIGNAL;
  if (slot.header.msg_controllen != 0) {
    sqe.opcode = IORING_OP_SENDMSG;
    sqe.addr = reinterpret_cast<std::uint64_t>(&slot.header);
    sqe.len = 1;
  } else {
    sqe.opcode = IORING_OP_SEND;
    sqe.addr = reinterpret_cast<std::uint64_t>(slot.send.bytes.data());
    sqe.len = static_cast<std::uint32_t>(slot.send.bytes.size());
    sqe.addr2 = reinterpret_cast<std::uint64_t>(&slot.name);
    sqe.addr_len = static_cast<std::uint16_t>(slot.name_length);
  }
}

const Send& RingSender::completed(const RingName& name) {
  PN_CHECK(name.slot < slots_.size() && slots_[name.slot].generation == name.generation);
  return slots_[name.slot].send;
}

void RingSender::free_slot(std::uint32_t index) {
  Slot& slot = slots_[index];
  if (slot.relies_on_defaults) --sockets_[slot.send.socket.value()].relying;
  --in_flight_;
  free_.push(index);
}

}  // namespace peernet::io
