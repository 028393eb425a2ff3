#include "io/uring/receiver.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "io/sockaddr.hpp"

namespace peernet::io {

static_assert(sizeof(io_uring_recvmsg_out) == kReceiveHeaderBytes);

Result<std::unique_ptr<RingReceiver>> RingReceiver::open(const Ring& ring, const ReceiveShape& shape, SocketIndex index,
                                                         const RingFile& socket) {
  auto buffers = BufferRing::open(ring, {index.value(), shape.buffers, shape.buffer_bytes()});
  if (!buffers) return std::unexpected(buffers.error());
  return std::unique_ptr<RingReceiver>(new RingReceiver(std::move(*buffers), shape, index, socket));
}

RingReceiver::RingReceiver(BufferRing buffers, const ReceiveShape& shape, SocketIndex index, const RingFile& socket)
    : buffers_(std::move(buffers)), shape_(shape), index_(index), socket_(socket) {
  header_.msg_namelen = kReceiveNameBytes;
  header_.msg_controllen = kReceiveControlBytes;
  used_.reserve(shape.buffers);
}

void RingReceiver::arm(Ring& ring) {
  if (armed_ || !receiving_) return;
  io_uring_sqe& sqe = ring.next_sqe();
  sqe.opcode = IORING_OP_RECVMSG;
  sqe.fd = socket_.number;
  sqe.addr = reinterpret_cast<std::uint64_t>(&header_);
  sqe.len = 1;
  sqe.ioprio = IORING_RECV_MULTISHOT;
  sqe.flags = static_cast<std::uint8_t>(IOSQE_BUFFER_SELECT | (socket_.registered ? IOSQE_FIXED_FILE : 0U));
  sqe.buf_group = index_.value();
  sqe.user_data = RingName{RingOp::kReceive, 0, index_.value()}.pack();
  armed_ = true;
}

void RingReceiver::complete(const io_uring_cqe& cqe, std::vector<Received>& batch, DriverStats& stats) {
  if ((cqe.flags & IORING_CQE_F_MORE) == 0) {
    armed_ = false;
    ++stats.receive_ended;
  }
  if (cqe.res == -ENOBUFS) {
    ++stats.receive_out_of_buffers;
  } else if (cqe.res < 0) {
    ++stats.receive_errors;
  }
  if ((cqe.flags & IORING_CQE_F_BUFFER) == 0) return;
  const auto id = static_cast<std::uint16_t>(cqe.flags >> IORING_CQE_BUFFER_SHIFT);
  used_.push_back(id);
  if (cqe.res >= static_cast<std::int32_t>(kReceivePayloadOffset))
    deliver(id, static_cast<std::size_t>(cqe.res) - kReceivePayloadOffset, batch, stats);
}

void RingReceiver::deliver(std::uint16_t id, std::size_t length, std::vector<Received>& batch, DriverStats& stats) {
  std::byte* at = buffers_.buffer(id);
  io_uring_recvmsg_out out;
  std::memcpy(&out, at, sizeof out);
  if ((out.flags & MSG_TRUNC) != 0 || length > shape_.payload_bytes) {
    ++stats.truncated;
    return;
  }
  const std::byte* name = at + kReceiveHeaderBytes;
  const ReceiveControl control =
      read_control(name + kReceiveNameBytes, std::min<std::size_t>(out.controllen, kReceiveControlBytes));
  Received received;
  received.bytes = {at + kReceivePayloadOffset, length};
  received.segment_size = control.segment_size != 0 ? control.segment_size : static_cast<std::uint32_t>(length);
  received.from = from_sockaddr(name, std::min<std::size_t>(out.namelen, kReceiveNameBytes));
  received.ecn = control.ecn;
  received.socket = index_;
  batch.push_back(received);
  ++stats.datagram_buffers;
}

void RingReceiver::recycle() {
  if (!receiving_ || used_.empty()) return;
  for (const std::uint16_t id : used_) buffers_.put(id);
  buffers_.publish();
  used_.clear();
}

}  // namespace peernet::io
