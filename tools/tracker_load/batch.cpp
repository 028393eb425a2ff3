#include "batch.hpp"

#include <netinet/udp.h>

#include <cerrno>
#include <cstring>

#include "base/bytes.hpp"
#include "base/check.hpp"
#include "wire/tracker_spec.hpp"

namespace peernet::tracker_load {
namespace {

constexpr std::size_t kMaxSegments = 64;
constexpr std::uint64_t kGiveUpAfter = 1000;  // refused sends in a row of a target that is not there

}  // namespace

SendBatch::SendBatch() : buffer_((kMaxBatch * kMaxSegments + 1) * wire::kMaxTrackerRequest) {}

void SendBatch::clear() {
  used_ = 0;
  message_start_ = 0;
  messages_ = 0;
}

void SendBatch::end(void* control_data, std::size_t control_size, int level, int type) {
  PN_CHECK(messages_ < kMaxBatch);
  spans_[messages_] = {buffer_.data() + message_start_, used_ - message_start_};
  msghdr& header = headers_[messages_].msg_hdr;
  header = {};
  header.msg_iov = &spans_[messages_];
  header.msg_iovlen = 1;
  if (control_data != nullptr) {
    header.msg_control = controls_[messages_].bytes.data();
    header.msg_controllen = CMSG_SPACE(control_size);
    cmsghdr* const control = CMSG_FIRSTHDR(&header);
    control->cmsg_level = level;
    control->cmsg_type = type;
    control->cmsg_len = CMSG_LEN(control_size);
    std::memcpy(CMSG_DATA(control), control_data, control_size);
  }
  message_start_ = used_;
  ++messages_;
}

void SendBatch::end_message(std::size_t segment) {
  auto size = static_cast<std::uint16_t>(segment);
  const bool train = used_ - message_start_ > segment;
  end(train ? &size : nullptr, sizeof size, IPPROTO_UDP, UDP_SEGMENT);
}

void SendBatch::end_message_from(std::uint32_t source, const SocketAddress& target) {
  in_pktinfo info{};
  info.ipi_spec_dst.s_addr = to_big_endian(source);
  end(&info, sizeof info, IPPROTO_IP, IP_PKTINFO);
  msghdr& header = headers_[messages_ - 1].msg_hdr;
  header.msg_name = const_cast<sockaddr*>(target.get());
  header.msg_namelen = target.size;
}

void SendBatch::send(int fd, Stats& stats) {
  stats.add(Count::kBytesOut, used_);
  for (std::size_t done = 0; done < messages_;) {
    const int sent = ::sendmmsg(fd, headers_.data() + done, static_cast<unsigned>(messages_ - done), MSG_DONTWAIT);
    if (sent > 0) {
      done += static_cast<std::size_t>(sent);
    } else if (errno == EAGAIN || errno == ENOBUFS) {
      return stats.add(Count::kSendBlocked);
    } else {
      stats.add(Count::kSocketErrors);
      // A refusal of an earlier datagram: this one has not been tried yet.
      if (errno != ECONNREFUSED && errno != EINTR) return;
      if (stats.at(Count::kSocketErrors) > kGiveUpAfter) return;
    }
  }
}

ReceiveBatch::ReceiveBatch() : buffer_(kMaxBatch * kSlot) {
  for (std::size_t i = 0; i < kMaxBatch; ++i) {
    spans_[i] = {buffer_.data() + i * kSlot, kSlot};
    headers_[i].msg_hdr.msg_iov = &spans_[i];
    headers_[i].msg_hdr.msg_iovlen = 1;
  }
}

std::size_t ReceiveBatch::receive(int fd, Stats& stats) {
  for (;;) {
    const int got = ::recvmmsg(fd, headers_.data(), kMaxBatch, MSG_DONTWAIT, nullptr);
    if (got > 0) return static_cast<std::size_t>(got);
    if (got == 0 || errno != ECONNREFUSED) return 0;
    stats.add(Count::kSocketErrors);
  }
}

}  // namespace peernet::tracker_load
