// Control messages of UDP: segment size (UDP_SEGMENT, UDP_GRO) and the ECN bits (IP_TOS, IPV6_TCLASS).
#pragma once

#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <optional>

namespace peernet::io {

/// Room for what a receive can carry: UDP_GRO and one of IP_TOS / IPV6_TCLASS, 24 bytes each, and one to spare.
inline constexpr std::size_t kReceiveControlBytes = 80;
/// Room for what a send can carry: UDP_SEGMENT and one of IP_TOS / IPV6_TCLASS.
inline constexpr std::size_t kSendControlBytes = CMSG_SPACE(sizeof(std::uint16_t)) + CMSG_SPACE(sizeof(int));

struct ReceiveControl {
  std::uint32_t segment_size = 0;  ///< 0: the datagram was not coalesced
  std::uint8_t ecn = 0;
};

/// Reads `length` bytes of control messages; ignores what it does not know.
ReceiveControl read_control(const std::byte* control, std::size_t length);

struct SendControl {
  std::optional<std::uint16_t> segment_size;  ///< 0 asks for no segmentation where the socket option is set
  std::optional<std::uint8_t> ecn;
  bool to_v4 = false;  ///< IPv4 takes IP_TOS, on a dual-stack socket too
};

/// Writes the messages into `out` (kSendControlBytes, aligned as cmsghdr) and returns their length, 0 if there are
/// none.
std::size_t write_control(const SendControl& in, std::byte* out);

}  // namespace peernet::io
