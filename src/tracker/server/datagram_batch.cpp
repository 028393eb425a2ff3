#include "tracker/server/datagram_batch.hpp"

#include <cerrno>
#include <cstring>

namespace peernet::tracker::server {
namespace {

// What says to which address a datagram came says as well from which one its reply shall leave; but by which interface
// is the routing table's to choose.
void forget_interface(msghdr& message) {
  for (cmsghdr* item = CMSG_FIRSTHDR(&message); item != nullptr; item = CMSG_NXTHDR(&message, item)) {
    if (item->cmsg_level == IPPROTO_IPV6 && item->cmsg_type == IPV6_PKTINFO) {
      in6_pktinfo info;
      std::memcpy(&info, CMSG_DATA(item), sizeof info);
      // A link-local address means nothing without its interface.
      if (IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr)) continue;
      info.ipi6_ifindex = 0;
      std::memcpy(CMSG_DATA(item), &info, sizeof info);
    } else if (item->cmsg_level == IPPROTO_IP && item->cmsg_type == IP_PKTINFO) {
      in_pktinfo info;
      std::memcpy(&info, CMSG_DATA(item), sizeof info);
      info.ipi_ifindex = 0;
      std::memcpy(CMSG_DATA(item), &info, sizeof info);
    }
  }
}

}  // namespace

DatagramBatch::DatagramBatch() : memory_(std::make_unique_for_overwrite<Memory>()) {
  Memory& m = *memory_;
  for (unsigned i = 0; i < kSize; ++i) {
    m.in_pieces[i] = {m.requests[i].data(), kRequestBytes};
    m.out_pieces[i] = {m.replies[i].data(), 0};
    m.in[i] = {};
    m.in[i].msg_hdr.msg_name = &m.senders[i];
    m.in[i].msg_hdr.msg_iov = &m.in_pieces[i];
    m.in[i].msg_hdr.msg_iovlen = 1;
    m.out[i] = {};
    m.out[i].msg_hdr.msg_iov = &m.out_pieces[i];
    m.out[i].msg_hdr.msg_iovlen = 1;
    arm(i, false);
  }
}

void DatagramBatch::arm(unsigned i, bool with_source) {
  msghdr& header = memory_->in[i].msg_hdr;
  header.msg_namelen = sizeof(io::SockAddr);
  header.msg_control = with_source ? memory_->controls[i].data() : nullptr;
  header.msg_controllen = with_source ? kControlBytes : 0;
}

unsigned DatagramBatch::receive(int fd, bool with_source) {
  const unsigned stale = with_source == with_source_ ? received_ : kSize;
  for (unsigned i = 0; i < stale; ++i) arm(i, with_source);
  with_source_ = with_source;
  const int count = ::recvmmsg(fd, memory_->in.data(), kSize, MSG_DONTWAIT, nullptr);
  received_ = count > 0 ? static_cast<unsigned>(count) : 0;
  return received_;
}

void DatagramBatch::answer(TrackerCore& core, Instant now, Counters& counters) {
  Memory& m = *memory_;
  replies_ = 0;
  for (unsigned i = 0; i < received_; ++i) {
    msghdr& in = m.in[i].msg_hdr;
    const Address from = io::from_sockaddr(in.msg_name, in.msg_namelen);
    const ByteSpan datagram(m.requests[i].data(), m.in[i].msg_len);
    const std::size_t size = core.answer(now, from, datagram, m.replies[replies_], counters);
    if (size == 0) continue;
    m.out_pieces[replies_].iov_len = size;
    msghdr& out = m.out[replies_].msg_hdr;
    out.msg_name = in.msg_name;
    out.msg_namelen = in.msg_namelen;
    out.msg_control = in.msg_control;
    out.msg_controllen = in.msg_controllen;
    if (in.msg_controllen != 0) forget_interface(out);
    ++replies_;
  }
}

unsigned DatagramBatch::send(int fd) {
  unsigned dropped = 0;
  unsigned at = 0;
  while (at < replies_) {
    const int sent = ::sendmmsg(fd, &memory_->out[at], replies_ - at, MSG_DONTWAIT);
    if (sent > 0) {
      at += static_cast<unsigned>(sent);
    } else if (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS) {
      return dropped + (replies_ - at);  // no room: who asked asks again
    } else if (errno != EINTR) {
      ++dropped;  // this one cannot be sent (no route, a firewall); the next one may
      ++at;
    }
  }
  return dropped;
}

}  // namespace peernet::tracker::server
