// Up to 64 datagrams that are received with one call, and the replies to them that are sent with another.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/types.hpp"
#include "io/sockaddr.hpp"
#include "tracker/settings.hpp"
#include "tracker/tracker_core.hpp"

namespace peernet::tracker::server {

/// Of one worker. Everything lies in one block that is made once.
class DatagramBatch {
 public:
  static constexpr unsigned kSize = 64;

  DatagramBatch();

  /// Takes what waits in a socket, at most kSize, without waiting for more. 0: nothing, or an error of an earlier send.
  /// with_source: the socket tells to which address each datagram came (IP_PKTINFO, IPV6_RECVPKTINFO).
  unsigned receive(int fd, bool with_source);

  /// Has the core answer what was received; replies stand ready.
  void answer(TrackerCore& core, Instant now, Counters& counters);

  /// Sends the replies; returns how many the kernel did not take. Never waits.
  unsigned send(int fd);

 private:
  // One byte more than a request may have, so that a longer one is seen to be longer.
  static constexpr std::size_t kRequestBytes = 1504;
  static constexpr std::size_t kReplyBytes = wire::kMaxTrackerReply;
  static constexpr std::size_t kControlBytes = CMSG_SPACE(sizeof(in6_pktinfo));
  static_assert(kRequestBytes > wire::kMaxTrackerRequest);
  static_assert(kControlBytes >= CMSG_SPACE(sizeof(in_pktinfo)));

  struct Memory {
    std::array<ByteArray<kRequestBytes>, kSize> requests;
    std::array<ByteArray<kReplyBytes>, kSize> replies;
    std::array<io::SockAddr, kSize> senders;
    alignas(cmsghdr) std::array<ByteArray<kControlBytes>, kSize> controls;
    std::array<iovec, kSize> in_pieces;
    std::array<iovec, kSize> out_pieces;
    std::array<mmsghdr, kSize> in;
    std::array<mmsghdr, kSize> out;
  };

  void arm(unsigned i, bool with_source);

  std::unique_ptr<Memory> memory_;
  unsigned received_ = 0;
  bool with_source_ = false;
  unsigned replies_ = 0;
};

}  // namespace peernet::tracker::server
