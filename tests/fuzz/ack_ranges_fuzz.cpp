// ACK bodies: the ranges that come out are ordered, apart and within bounds, survive another round trip, and the newest
// of them survive a packet that is too small for all.
#include <algorithm>

#include "base/range_set.hpp"
#include "fuzz/fuzz.hpp"
#include "wire/frames.hpp"

using namespace peernet;
using namespace peernet::wire;

namespace {

bool read_ack(ByteSpan frame, AckFrame& out) {
  FrameReader reader(frame);
  Frame any;
  if (reader.next(any) != FrameStatus::kFrame) return false;
  out = std::get<AckFrame>(any);
  return reader.next(any) == FrameStatus::kEnd;
}

void check_order(const AckFrame& ack) {
  PN_CHECK(!ack.ranges.empty() && ack.largest().value() <= kMaxPacketNumber);
  RangeSet<std::uint64_t, WhenFull::kRefuse> set(kMaxAckRanges);
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < ack.ranges.size(); ++i) {
    const PacketRange& r = ack.ranges[i];
    PN_CHECK(r.first <= r.last);
    if (i > 0) PN_CHECK(r.last + 2 <= ack.ranges[i - 1].first);
    PN_CHECK(set.insert({r.first.value(), r.last.value() + 1}));
    total += r.last - r.first + 1;
  }
  PN_CHECK(set.size() == ack.ranges.size() && set.total() == total);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  const std::uint16_t room = input.u16();
  const std::vector<std::byte> body = input.rest();
  if (body.size() > UINT16_MAX) return 0;
  std::vector<std::byte> frame(kFrameHeaderSize + body.size());
  ByteWriter w(frame);
  w.u8(static_cast<std::uint8_t>(FrameType::kAck));
  w.u16(static_cast<std::uint16_t>(body.size()));
  w.bytes(body);
  AckFrame ack;
  if (!read_ack(frame, ack)) return 0;
  check_order(ack);

  std::vector<std::byte> again(encoded_size(ack));
  ByteWriter whole(again);
  PN_CHECK(encode(ack, whole) && std::ranges::equal(again, frame));

  std::vector<std::byte> small(room % (again.size() + 1));
  ByteWriter tight(small);
  if (!encode(ack, tight)) {
    PN_CHECK(tight.position() == 0);
    return 0;
  }
  AckFrame cut;
  PN_CHECK(read_ack(tight.written(), cut));
  PN_CHECK(cut.ranges.size() <= ack.ranges.size() &&
           std::equal(cut.ranges.begin(), cut.ranges.end(), ack.ranges.begin()));
  return 0;
}
