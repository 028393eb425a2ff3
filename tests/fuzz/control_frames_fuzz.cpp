// The opened body of a CONTROL packet. Each frame that is delivered encodes to a frame that reads back equal; the
// reader always ends, and its answer stays what it was.
#include <algorithm>
#include <cstring>

#include "fuzz/fuzz.hpp"
#include "wire/frames.hpp"

using namespace peernet;
using namespace peernet::wire;

namespace {

/// The planted bug of the canary: an encoder that gives NOT_HAD for every reason of REJECT. The fuzzer has to build
/// such a frame (type, length and value agree) and the property below has to notice.
void plant_bug([[maybe_unused]] Frame& frame) {
#ifdef PEERNET_FUZZ_CANARY
  if (auto* reject = std::get_if<RejectFrame>(&frame)) reject->reason = RejectReason::kNotHad;
#endif
}

void check_round_trip(const Frame& frame, ByteSpan original) {
  Frame copy = frame;
  plant_bug(copy);
  std::vector<std::byte> bytes(encoded_size(copy));
  PN_CHECK(bytes.size() <= kMaxFrameSize);
  ByteWriter w(bytes);
  PN_CHECK(encode(copy, w) && w.remaining() == 0);
  FrameReader reader(bytes);
  Frame again;
  PN_CHECK(reader.next(again) == FrameStatus::kFrame && again == frame);
  PN_CHECK(reader.next(again) == FrameStatus::kEnd);
  // A frame may shrink only by being told canonically (an IPv4 address in IPv6 dress, an unknown close code).
  PN_CHECK(bytes.size() <= original.size());
}

/// The body length that a frame of this type has; `wanted` where any is possible.
std::size_t fitting_length(std::uint8_t type, const std::uint8_t* body, std::size_t available, std::size_t wanted) {
  const auto at = [&](std::size_t i) { return i < available ? std::size_t{body[i]} : 0; };
  switch (static_cast<FrameType>(type)) {
    case FrameType::kAck:
      return 29 + (std::clamp<std::size_t>(at(24), 1, kMaxAckRanges) - 1) * 8;
    case FrameType::kHandshakeDone:
      return 0;
    case FrameType::kPing:
    case FrameType::kPong:
    case FrameType::kPathChallenge:
    case FrameType::kPathResponse:
      return 8;
    case FrameType::kJoin:
      return 54;
    case FrameType::kJoinRes:
      return 35;
    case FrameType::kHave:
      return 4 + at(3) % (kMaxHaveRanges + 1) * 8;
    case FrameType::kHaveMap:
      return 6 + std::clamp<std::size_t>(wanted, 1, kHaveMapBytes);
    case FrameType::kRequest:
      return 23;
    case FrameType::kCancel:
    case FrameType::kCancelled:
      return 4;
    case FrameType::kReject:
      return 5;
    case FrameType::kHashReq:
      return 6;
    case FrameType::kHashes:
      return 8 + (1 + wanted % kMaxHashesPerFrame) * kHashSize;
    case FrameType::kLimits:
      return 12;
    case FrameType::kLeave:
      return 3;
    default:
      return wanted % 256;
  }
}

}  // namespace

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

/// A blind mutation nearly always breaks a length field, and with it all that follows. Three times in four the lengths
/// are put right afterwards (zeros are appended where the last frame needs them), so that the values behind them get
/// their turn.
extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size,
                                               unsigned int seed) {
  size = LLVMFuzzerMutate(data, size, max_size);
  if (seed % 4 == 0) return size;
  for (std::size_t at = 0; at + kFrameHeaderSize <= size;) {
    const std::uint8_t* body = data + at + kFrameHeaderSize;
    const std::size_t available = size - at - kFrameHeaderSize;
    const std::size_t wanted = std::size_t{data[at + 1]} << 8 | data[at + 2];
    const std::size_t length = fitting_length(data[at], body, available, wanted);
    if (at + kFrameHeaderSize + length > max_size) return at;
    data[at + 1] = static_cast<std::uint8_t>(length >> 8);
    data[at + 2] = static_cast<std::uint8_t>(length);
    at += kFrameHeaderSize + length;
    if (at > size) {
      std::memset(data + size, 0, at - size);
      size = at;
    }
  }
  return size;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::vector<std::byte> body = fuzz::Input(data, size).rest();
  FrameReader reader(body);
  Frame frame;
  FrameStatus status;
  std::size_t frames = 0;
  while ((status = reader.next(frame)) == FrameStatus::kFrame) {
    PN_CHECK(++frames * kFrameHeaderSize <= body.size());
    check_round_trip(frame, reader.encoded());
  }
  PN_CHECK(reader.next(frame) == status);
  return 0;
}
