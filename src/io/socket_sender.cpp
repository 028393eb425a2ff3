#include "io/socket_sender.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "io/control_message.hpp"
#include "io/sockaddr.hpp"

namespace peernet::io {
namespace {

constexpr std::size_t kSegmentsPerCall = 64;

// One message and all that it points to; not copied, as the pointers are into itself.
struct Outgoing {
  SockAddr name;
  iovec piece{};
  alignas(cmsghdr) std::array<std::byte, kSendControlBytes> control;
  msghdr header{};

  Outgoing() = default;
  Outgoing(const Outgoing&) = delete;
  Outgoing& operator=(const Outgoing&) = delete;

  /// False: this socket cannot say this address.
  bool prepare(const Send& send, int family, bool train) {
    const socklen_t length = to_sockaddr(send.to, family, name);
    if (length == 0) return false;
    piece = {const_cast<std::byte*>(send.bytes.data()), send.bytes.size()};
    SendControl wanted;
    wanted.to_v4 = send.to.is_v4();
    if (train) wanted.segment_size = static_cast<std::uint16_t>(send.segment_size);
    if (send.ecn != 0) wanted.ecn = send.ecn;
    header = {};
    header.msg_name = &name;
    header.msg_namelen = length;
    header.msg_iov = &piece;
    header.msg_iovlen = 1;
    header.msg_controllen = write_control(wanted, control.data());
    header.msg_control = header.msg_controllen != 0 ? control.data() : nullptr;
    return true;
  }
};

}  // namespace

void check_send(const Send& send) {
  PN_CHECK(send.bytes.size() <= kTrainBytesMax);
  PN_CHECK(is_single(send) || (send.segment_size > 0 && send.bytes.size() <= kTrainSegmentsMax * send.segment_size));
  PN_CHECK(send.socket.value() <= 1);
}

std::int32_t train_result(std::int32_t result) {
  return result == -EINVAL ? -EMSGSIZE : result;
}

SocketSender::SocketSender(const PreparedSocket& socket, bool gso, std::size_t capacity)
    : socket_(socket), gso_(gso), queue_(capacity) {}

bool SocketSender::run(std::vector<Sent>& done, DriverStats& stats) {
  while (!queue_.empty()) {
    const Send& send = queue_.front();
    if (!is_single(send) && !gso_) cutting_ = true;
    std::int32_t result = 0;
    const Step step = cutting_ ? send_cut(send, result) : send_whole(send, result);
    if (step == Step::kBlocked) {
      ++stats.sends_blocked;
      return false;
    }
    if (step == Step::kAgain) continue;
    if (cutting_) ++stats.sends_cut;
    done.push_back({send.token, result});
    queue_.pop();
    cutting_ = false;
    cut_sent_ = 0;
  }
  return true;
}

SocketSender::Step SocketSender::send_whole(const Send& send, std::int32_t& result) {
  const bool train = !is_single(send);
  Outgoing out;
  if (!out.prepare(send, socket_.family, train)) {
    result = -EAFNOSUPPORT;
    return Step::kEnded;
  }
  const ssize_t n = ::sendmsg(socket_.fd, &out.header, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (n >= 0) {
    result = static_cast<std::int32_t>(n);
    return Step::kEnded;
  }
  if (errno == EINTR) return Step::kAgain;
  if (errno == EAGAIN) return Step::kBlocked;
  if (train && errno == EIO) {  // a device without checksum offload, or a transformed route
    cutting_ = true;
    return Step::kAgain;
  }
  result = train ? train_result(-errno) : -errno;
  return Step::kEnded;
}

SocketSender::Step SocketSender::send_cut(const Send& send, std::int32_t& result) {
  Outgoing shape;
  if (!shape.prepare(send, socket_.family, false)) {
    result = -EAFNOSUPPORT;
    return Step::kEnded;
  }
  std::array<iovec, kSegmentsPerCall> pieces;
  std::array<mmsghdr, kSegmentsPerCall> messages;
  unsigned count = 0;
  for (std::size_t at = cut_sent_; at < send.bytes.size() && count < kSegmentsPerCall; ++count) {
    const std::size_t length = std::min<std::size_t>(send.segment_size, send.bytes.size() - at);
    pieces[count] = {const_cast<std::byte*>(send.bytes.data()) + at, length};
    messages[count] = {shape.header, 0};
    messages[count].msg_hdr.msg_iov = &pieces[count];
    at += length;
  }
  const int n = ::sendmmsg(socket_.fd, messages.data(), count, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (n < 0) {
    if (errno == EINTR) return Step::kAgain;
    if (errno == EAGAIN) return Step::kBlocked;
    result = -errno;
    return Step::kEnded;
  }
  for (int i = 0; i < n; ++i) cut_sent_ += pieces[static_cast<std::size_t>(i)].iov_len;
  if (cut_sent_ < send.bytes.size()) return Step::kAgain;
  result = static_cast<std::int32_t>(send.bytes.size());
  return Step::kEnded;
}

}  // namespace peernet::io
