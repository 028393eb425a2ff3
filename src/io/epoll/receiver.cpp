#include "io/epoll/receiver.hpp"

#include <sys/socket.h>

#include <cerrno>

#include "io/sockaddr.hpp"

namespace peernet::io {

Receiver::Receiver(const PreparedSocket& socket, SocketIndex index, const ReceiveShape& shape)
    : socket_(socket),
      index_(index),
      shape_(shape),
      memory_(std::size_t{shape.buffers} * shape.buffer_bytes()),
      pieces_(shape.buffers),
      messages_(shape.buffers) {}

void Receiver::prepare(std::size_t i) {
  std::byte* at = buffer(i);
  pieces_[i] = {at + kReceivePayloadOffset, shape_.payload_bytes};
  msghdr& header = messages_[i].msg_hdr;
  header = {};
  header.msg_name = at + kReceiveHeaderBytes;
  header.msg_namelen = kReceiveNameBytes;
  header.msg_iov = &pieces_[i];
  header.msg_iovlen = 1;
  header.msg_control = at + kReceiveHeaderBytes + kReceiveNameBytes;
  header.msg_controllen = kReceiveControlBytes;
}

void Receiver::collect(std::vector<Received>& batch, DriverStats& stats) {
  // Super-packets one by one, in the first and so the hottest buffers: recvmmsg is a fifth slower there (FACTS).
  const unsigned per_call = socket_.gro ? 1 : shape_.buffers;
  std::size_t taken = 0;
  while (taken < shape_.buffers) {
    for (std::size_t i = taken; i < taken + per_call && i < shape_.buffers; ++i) prepare(i);
    int n = 0;
    if (per_call == 1) {
      const ssize_t length = ::recvmsg(socket_.fd, &messages_[taken].msg_hdr, MSG_DONTWAIT);
      n = length < 0 ? -1 : 1;
      if (n == 1) messages_[taken].msg_len = static_cast<unsigned>(length);
    } else {
      const auto room = static_cast<unsigned>(shape_.buffers - taken);
      n = ::recvmmsg(socket_.fd, &messages_[taken], room, MSG_DONTWAIT, nullptr);
    }
    if (n < 0) {
      if (errno == EINTR) continue;
      if (errno != EAGAIN) ++stats.receive_errors;  // an ICMP error that was queued; reading it took it away
      return;
    }
    for (int i = 0; i < n; ++i) deliver(taken + static_cast<std::size_t>(i), batch, stats);
    taken += static_cast<std::size_t>(n);
    if (per_call > 1) return;  // fewer than asked means empty; the level-triggered wait tells if more came
  }
}

void Receiver::deliver(std::size_t i, std::vector<Received>& batch, DriverStats& stats) {
  const msghdr& header = messages_[i].msg_hdr;
  if ((header.msg_flags & MSG_TRUNC) != 0) {
    ++stats.truncated;
    return;
  }
  const std::size_t length = messages_[i].msg_len;
  const ReceiveControl control = read_control(static_cast<const std::byte*>(header.msg_control), header.msg_controllen);
  Received received;
  received.bytes = {buffer(i) + kReceivePayloadOffset, length};
  received.segment_size = control.segment_size != 0 ? control.segment_size : static_cast<std::uint32_t>(length);
  received.from = from_sockaddr(header.msg_name, header.msg_namelen);
  received.ecn = control.ecn;
  received.socket = index_;
  batch.push_back(received);
  ++stats.datagram_buffers;
}

}  // namespace peernet::io
