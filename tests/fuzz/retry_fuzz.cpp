// RETRY packets: what decodes is the whole packet, and encodes to the same bytes but for reserved ones.
#include <algorithm>

#include "fuzz/fuzz.hpp"
#include "wire/packet.hpp"

using namespace peernet;
using namespace peernet::wire;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::vector<std::byte> packet = fuzz::Input(data, size).rest();
  if (!packet.empty()) packet[0] = static_cast<std::byte>(PacketType::kRetry);
  const auto header = decode_header(packet);
  if (!header) return 0;
  const auto retry = decode_retry(*header, packet);
  if (!retry) return 0;
  PN_CHECK(clear_size(*retry) + kTagSize == packet.size());
  PN_CHECK(!retry->token.empty() && retry->token.size() <= kMaxTokenSize);
  std::vector<std::byte> again(clear_size(*retry));
  ByteWriter w(again);
  PN_CHECK(encode(*retry, w) && w.remaining() == 0);
  PN_CHECK(std::ranges::equal(ByteSpan(again).subspan(kHeaderSize),
                              ByteSpan(packet).subspan(kHeaderSize, again.size() - kHeaderSize)));
  ByteWriter too_small(MutableByteSpan(again).first(again.size() - 1));
  PN_CHECK(!encode(*retry, too_small) && too_small.position() == 0);
  return 0;
}
