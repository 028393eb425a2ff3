// Datagrams by the batch: sendmmsg and recvmmsg.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <vector>

#include "base/types.hpp"
#include "sources.hpp"
#include "stats.hpp"

namespace peernet::tracker_load {

inline constexpr std::size_t kMaxBatch = 64;

/// Datagrams to send, written one behind the other into a buffer.
class SendBatch {
 public:
  SendBatch();

  void clear();
  std::size_t messages() const { return messages_; }
  /// Where the next request is written: kMaxTrackerRequest bytes at least.
  MutableByteSpan room() { return MutableByteSpan(buffer_).subspan(used_); }
  /// The last `bytes` of room() are a request of the message that end_message() ends.
  void append(std::size_t bytes) { used_ += bytes; }
  /// Ends a message. A train of several requests of `segment` bytes (only its last may be shorter) leaves as one send.
  void end_message(std::size_t segment);
  /// Ends a message of one datagram that goes to `target` from the IPv4 address `source`, a number.
  void end_message_from(std::uint32_t source, const SocketAddress& target);
  std::size_t bytes() const { return used_; }
  /// Sends all without blocking; what the kernel refuses is counted, and is lost as in a network.
  void send(int fd, Stats& stats);

 private:
  struct alignas(cmsghdr) Control {
    std::array<std::byte, CMSG_SPACE(sizeof(in_pktinfo))> bytes;
  };

  void end(void* control_data, std::size_t control_size, int level, int type);

  std::vector<std::byte> buffer_;
  std::size_t used_ = 0;
  std::size_t message_start_ = 0;
  std::size_t messages_ = 0;
  std::array<mmsghdr, kMaxBatch> headers_{};
  std::array<iovec, kMaxBatch> spans_{};
  std::array<Control, kMaxBatch> controls_{};
};

class ReceiveBatch {
 public:
  ReceiveBatch();

  /// Takes what is there; the number of datagrams. Less than kMaxBatch: there are no more.
  std::size_t receive(int fd, Stats& stats);
  ByteSpan at(std::size_t i) const { return ByteSpan(buffer_).subspan(i * kSlot, headers_[i].msg_len); }

 private:
  static constexpr std::size_t kSlot = 4096;

  std::vector<std::byte> buffer_;
  std::array<mmsghdr, kMaxBatch> headers_{};
  std::array<iovec, kMaxBatch> spans_{};
};

}  // namespace peernet::tracker_load
