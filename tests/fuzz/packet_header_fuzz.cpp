// Any datagram: the header and, by type, the DATA or HANDSHAKE clear part and the handshake body. What decodes encodes
// to something that decodes to the same.
#include <algorithm>

#include "fuzz/fuzz.hpp"
#include "wire/packet.hpp"

using namespace peernet;
using namespace peernet::wire;

namespace {

void check_data(const PacketHeader& header, ByteSpan packet) {
  const DataHeader data = decode_data(header, packet);
  ByteArray<kDataOverhead + 1> again{};
  encode(data, MutableByteSpan(again).first<kDataHeaderSize>());
  PN_CHECK(decode_header(again) == header);
  PN_CHECK(decode_data(header, again) == data);
}

void check_body(ByteSpan plaintext) {
  const auto body = decode_handshake_body(plaintext);
  if (!body) return;
  std::vector<std::byte> again(kHandshakeBodySize + body->bytes.size());
  ByteWriter w(again);
  PN_CHECK(encode(*body, w) && w.remaining() == 0);
  PN_CHECK(std::ranges::equal(again, plaintext.first(again.size())));
}

void check_handshake(const PacketHeader& header, ByteSpan packet) {
  const auto handshake = decode_handshake(header, packet);
  if (!handshake) return;
  const std::size_t clear = clear_size(*handshake);
  PN_CHECK(clear + kHandshakeBodySize + kTagSize <= packet.size());
  std::vector<std::byte> again(clear);
  ByteWriter w(again);
  PN_CHECK(encode(*handshake, w) && w.remaining() == 0);
  // Reserved bytes and unknown flags of the header are not kept; everything behind it is.
  PN_CHECK(std::ranges::equal(ByteSpan(again).subspan(kHeaderSize), packet.subspan(kHeaderSize, clear - kHeaderSize)));
  check_body(packet.subspan(clear, packet.size() - clear - kTagSize));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::vector<std::byte> packet = fuzz::Input(data, size).rest();
  check_body(packet);
  const auto header = decode_header(packet);
  if (!header) return 0;
  PN_CHECK(packet.size() >= min_packet_size(header->type) && header->number.value() <= kMaxPacketNumber);
  if (header->type == PacketType::kData) check_data(*header, packet);
  if (header->type == PacketType::kHandshake) check_handshake(*header, packet);
  return 0;
}
