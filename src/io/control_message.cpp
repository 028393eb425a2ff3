#include "io/control_message.hpp"

#include <netinet/in.h>
#include <netinet/udp.h>

#include <cstring>

namespace peernet::io {
namespace {

constexpr std::uint8_t kEcnMask = 3;

std::byte* put(std::byte* at, int level, int type, const void* data, std::size_t size) {
  cmsghdr header{};
  header.cmsg_level = level;
  header.cmsg_type = type;
  header.cmsg_len = CMSG_LEN(size);
  std::memset(at, 0, CMSG_SPACE(size));
  std::memcpy(at, &header, sizeof header);
  std::memcpy(at + CMSG_LEN(0), data, size);
  return at + CMSG_SPACE(size);
}

// An integer that some messages carry as a byte and others as an int.
std::uint32_t integer(const std::byte* data, std::size_t size) {
  if (size >= sizeof(int)) {
    int v = 0;
    std::memcpy(&v, data, sizeof v);
    return static_cast<std::uint32_t>(v);
  }
  return size >= 1 ? std::to_integer<std::uint32_t>(data[0]) : 0;
}

}  // namespace

ReceiveControl read_control(const std::byte* control, std::size_t length) {
  // Walked by hand with memcpy: the buffer is the kernel's layout at an address that owes cmsghdr no alignment.
  ReceiveControl out;
  std::size_t at = 0;
  while (length - at >= sizeof(cmsghdr)) {
    cmsghdr header;
    std::memcpy(&header, control + at, sizeof header);
    if (header.cmsg_len < CMSG_LEN(0) || header.cmsg_len > length - at) break;
    const std::byte* data = control + at + CMSG_LEN(0);
    const std::size_t size = header.cmsg_len - CMSG_LEN(0);
    if (header.cmsg_level == SOL_UDP && header.cmsg_type == UDP_GRO) {
      out.segment_size = integer(data, size);
    } else if ((header.cmsg_level == IPPROTO_IP && header.cmsg_type == IP_TOS) ||
               (header.cmsg_level == IPPROTO_IPV6 && header.cmsg_type == IPV6_TCLASS)) {
      out.ecn = static_cast<std::uint8_t>(integer(data, size) & kEcnMask);
    }
    const std::size_t step = CMSG_ALIGN(header.cmsg_len);
    if (step > length - at) break;
    at += step;
  }
  return out;
}

std::size_t write_control(const SendControl& in, std::byte* out) {
  std::byte* at = out;
  if (in.segment_size) {
    const std::uint16_t size = *in.segment_size;
    at = put(at, SOL_UDP, UDP_SEGMENT, &size, sizeof size);
  }
  if (in.ecn) {
    const int value = *in.ecn & kEcnMask;
    at = in.to_v4 ? put(at, IPPROTO_IP, IP_TOS, &value, sizeof value)
                  : put(at, IPPROTO_IPV6, IPV6_TCLASS, &value, sizeof value);
  }
  return static_cast<std::size_t>(at - out);
}

}  // namespace peernet::io
