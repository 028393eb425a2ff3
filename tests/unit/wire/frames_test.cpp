#include "wire/frames.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "sample_frames.hpp"

namespace peernet::wire {
namespace {

using Buffer = std::vector<std::byte>;

Buffer encoded(const Frame& frame) {
  Buffer out(encoded_size(frame));
  ByteWriter w(out);
  EXPECT_TRUE(encode(frame, w));
  EXPECT_EQ(w.position(), out.size()) << name_of(type_of(frame));
  return out;
}

/// Frame of a raw type and body, header computed.
Buffer raw(std::uint8_t type, std::initializer_list<int> body) {
  Buffer out{static_cast<std::byte>(type), std::byte{0}, static_cast<std::byte>(body.size())};
  for (const int b : body) out.push_back(static_cast<std::byte>(b));
  return out;
}

FrameStatus status_of(const Buffer& body) {
  const Buffer exact(body.begin(), body.end());  // no spare capacity: a sanitizer sees any read past the end
  FrameReader reader(exact);
  Frame frame;
  FrameStatus status = FrameStatus::kFrame;
  while (status == FrameStatus::kFrame) status = reader.next(frame);
  return status;
}

TEST(Frames, EachTypeRoundTrips) {
  for (const FrameType type : SampleFrames::all_types()) {
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
      SampleFrames sample(seed);
      const Frame in = sample.of(type);
      ASSERT_EQ(type_of(in), type);
      const Buffer bytes = encoded(in);
      if (type != FrameType::kPadding) {
        ASSERT_LE(bytes.size(), kMaxFrameSize) << name_of(type);
      }
      FrameReader reader(bytes);
      Frame out;
      if (type != FrameType::kPadding) {
        ASSERT_EQ(reader.next(out), FrameStatus::kFrame) << name_of(type) << " seed " << seed;
        ASSERT_EQ(in, out) << name_of(type) << " seed " << seed;
        ASSERT_TRUE(std::ranges::equal(reader.encoded(), bytes));
      }
      ASSERT_EQ(reader.next(out), FrameStatus::kEnd);
    }
  }
}

TEST(Frames, EveryTruncationFailsCleanly) {
  for (const FrameType type : SampleFrames::all_types()) {
    SampleFrames sample(7);
    const Buffer bytes = encoded(sample.of(type));
    for (std::size_t n = 1; n < bytes.size(); ++n) {
      const Buffer cut(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(n));
      ASSERT_EQ(status_of(cut), FrameStatus::kMalformed) << name_of(type) << " cut to " << n;
    }
  }
}

/// Bodies shortened and lengthened with a length field that agrees: only those whose shape allows it are accepted, and
/// they decode to something that encodes to the same bytes.
TEST(Frames, EveryWrongBodyLengthIsNoticed) {
  for (const FrameType type : SampleFrames::all_types()) {
    if (type == FrameType::kPadding) continue;
    SampleFrames sample(11);
    const Buffer bytes = encoded(sample.of(type));
    const bool elastic = type == FrameType::kClose || type == FrameType::kHaveMap || type == FrameType::kHashes ||
                         type == FrameType::kPex;
    for (std::size_t body = 0; body < bytes.size() + 3; ++body) {
      if (body + kFrameHeaderSize == bytes.size()) continue;
      Buffer changed = bytes;
      changed.resize(kFrameHeaderSize + body, std::byte{1});
      changed[1] = static_cast<std::byte>(body >> 8);
      changed[2] = static_cast<std::byte>(body);
      FrameReader reader(changed);
      Frame frame;
      const FrameStatus status = reader.next(frame);
      if (!elastic) {
        ASSERT_EQ(status, FrameStatus::kMalformed) << name_of(type) << " body " << body;
      }
      if (status == FrameStatus::kFrame) {
        ASSERT_EQ(encoded(frame), changed) << name_of(type) << " body " << body;
      }
    }
  }
}

TEST(Frames, AWriterThatIsTooSmallIsLeftAlone) {
  for (const FrameType type : SampleFrames::all_types()) {
    if (type == FrameType::kAck) continue;  // an ACK shrinks instead
    SampleFrames sample(3);
    const Frame frame = sample.of(type);
    Buffer out(encoded_size(frame) - 1);
    ByteWriter w(out);
    EXPECT_FALSE(encode(frame, w)) << name_of(type);
    EXPECT_EQ(w.position(), 0u);
    EXPECT_FALSE(w.failed());
  }
}

TEST(Frames, ManyInOnePacketComeInOrder) {
  SampleFrames sample(5);
  Buffer body(kMaxDatagram);
  ByteWriter w(body);
  std::vector<Frame> in;
  for (int round = 0; round < 3; ++round)
    for (const FrameType type : SampleFrames::all_types()) {
      const Frame frame = sample.of(type);
      ASSERT_TRUE(encode(frame, w));
      if (type != FrameType::kPadding) in.push_back(frame);
    }
  FrameReader reader(w.written());
  Frame out;
  for (const Frame& frame : in) {
    ASSERT_EQ(reader.next(out), FrameStatus::kFrame);
    ASSERT_EQ(out, frame);
  }
  EXPECT_EQ(reader.next(out), FrameStatus::kEnd);
  EXPECT_EQ(reader.next(out), FrameStatus::kEnd);
}

TEST(Frames, GreaseIsSkippedAndOtherUnknownTypesAreTold) {
  std::size_t known = 0, grease = 0;
  for (int type = 0; type < 256; ++type) {
    const Buffer one = raw(static_cast<std::uint8_t>(type), {1, 2, 3});
    FrameReader reader(one);
    Frame frame;
    const FrameStatus status = reader.next(frame);
    if (type == 0x3f || type == 0x5f || type == 0x7f || type == 0x9f || type == 0xbf || type == 0xdf || type == 0xff) {
      EXPECT_EQ(status, FrameStatus::kEnd) << type;
      EXPECT_TRUE(reader.ack_eliciting()) << type;
      ++grease;
    } else if (std::string(name_of(static_cast<FrameType>(type))) == "unknown") {
      EXPECT_EQ(status, FrameStatus::kUnknownType) << type;
      EXPECT_EQ(reader.unknown_type(), type);
      EXPECT_EQ(reader.next(frame), FrameStatus::kUnknownType) << "the answer stays";
    } else {
      ++known;
    }
  }
  EXPECT_EQ(grease, 7u);
  EXPECT_EQ(known, SampleFrames::all_types().size());
}

TEST(Frames, WhatElicitsAnAcknowledgement) {
  for (const FrameType type : SampleFrames::all_types()) {
    SampleFrames sample(2);
    const Buffer bytes = encoded(sample.of(type));
    FrameReader reader(bytes);
    Frame frame;
    while (reader.next(frame) == FrameStatus::kFrame) {
    }
    const bool silent = type == FrameType::kAck || type == FrameType::kPadding || type == FrameType::kClose;
    EXPECT_EQ(reader.ack_eliciting(), !silent) << name_of(type);
    EXPECT_EQ(is_reliable(type), type != FrameType::kAck && type != FrameType::kPadding);
  }
}

TEST(Frames, AFrameBehindAMalformedOneIsNotDelivered) {
  Buffer body = raw(0x03, {1, 2, 3, 4, 5, 6, 7});  // PING with 7 bytes
  const Buffer good = raw(0x03, {0, 0, 0, 0, 0, 0, 0, 1});
  body.insert(body.end(), good.begin(), good.end());
  FrameReader reader(body);
  Frame frame;
  EXPECT_EQ(reader.next(frame), FrameStatus::kMalformed);
  EXPECT_EQ(reader.next(frame), FrameStatus::kMalformed);
  EXPECT_FALSE(reader.ack_eliciting());
}

TEST(Frames, ValuesOutsideTheirListsAreMalformed) {
  const auto patched = [](const Frame& frame, std::size_t at, int value) {
    Buffer bytes = encoded(frame);
    bytes[kFrameHeaderSize + at] = static_cast<std::byte>(value);
    return status_of(bytes);
  };
  EXPECT_EQ(patched(JoinResFrame{}, 2, 1), FrameStatus::kEnd);
  EXPECT_EQ(patched(JoinResFrame{}, 2, 2), FrameStatus::kMalformed);
  RequestFrame request;
  request.length = 1;
  EXPECT_EQ(patched(request, 6, 4), FrameStatus::kEnd);
  EXPECT_EQ(patched(request, 6, 5), FrameStatus::kMalformed);
  EXPECT_EQ(patched(request, 18, 0), FrameStatus::kMalformed) << "length 0";
  request.offset = UINT32_MAX - 1;
  EXPECT_EQ(patched(request, 18, 1), FrameStatus::kEnd);
  EXPECT_EQ(patched(request, 18, 2), FrameStatus::kMalformed) << "offset + length passes u32";
  EXPECT_EQ(patched(RejectFrame{}, 4, 0), FrameStatus::kMalformed);
  EXPECT_EQ(patched(RejectFrame{}, 4, 7), FrameStatus::kEnd);
  EXPECT_EQ(patched(RejectFrame{}, 4, 8), FrameStatus::kMalformed);
  EXPECT_EQ(patched(LeaveFrame{}, 2, 0), FrameStatus::kMalformed);
  EXPECT_EQ(patched(LeaveFrame{}, 2, 4), FrameStatus::kMalformed);
  const Buffer bits(1);
  EXPECT_EQ(patched(HaveMapFrame{{}, UINT32_MAX / kHaveMapChunks, bits}, 2, 0), FrameStatus::kEnd);
  EXPECT_EQ(patched(HaveMapFrame{{}, 0, bits}, 2, 0xff), FrameStatus::kMalformed) << "no such page";
  HaveFrame have;
  have.ranges.push_back({ChunkIndex(UINT32_MAX), 1});
  EXPECT_EQ(patched(have, 11, 1), FrameStatus::kEnd);
  EXPECT_EQ(patched(have, 11, 2), FrameStatus::kMalformed) << "passes the last chunk";
  EXPECT_EQ(patched(have, 11, 0), FrameStatus::kMalformed) << "an empty range";
  EXPECT_EQ(patched(have, 3, kMaxHaveRanges + 1), FrameStatus::kMalformed);
  EXPECT_EQ(patched(have, 2, 0xfe), FrameStatus::kEnd) << "unknown HAVE flags are ignored";
}

TEST(Frames, AnUnknownCloseCodeIsNone) {
  const Buffer bytes = raw(0x07, {0xff, 0xff, 'h', 'i'});
  FrameReader reader(bytes);
  Frame frame;
  ASSERT_EQ(reader.next(frame), FrameStatus::kFrame);
  EXPECT_EQ(std::get<CloseFrame>(frame), (CloseFrame{CloseCode::kNone, "hi"}));
}

TEST(Frames, ListsEndAtTheirLimits) {
  const auto with_body = [](FrameType type, std::size_t size) {
    Buffer out(kFrameHeaderSize + size);
    out[0] = static_cast<std::byte>(type);
    out[1] = static_cast<std::byte>(size >> 8);
    out[2] = static_cast<std::byte>(size);
    return status_of(out);
  };
  EXPECT_EQ(with_body(FrameType::kClose, 2 + kMaxCloseText), FrameStatus::kEnd);
  EXPECT_EQ(with_body(FrameType::kClose, 2 + kMaxCloseText + 1), FrameStatus::kMalformed);
  EXPECT_EQ(with_body(FrameType::kHaveMap, 6 + kHaveMapBytes), FrameStatus::kEnd);
  EXPECT_EQ(with_body(FrameType::kHaveMap, 6 + kHaveMapBytes + 1), FrameStatus::kMalformed);
  EXPECT_EQ(with_body(FrameType::kHaveMap, 6), FrameStatus::kMalformed);
  EXPECT_EQ(with_body(FrameType::kHashes, 8 + kHashSize * kMaxHashesPerFrame), FrameStatus::kEnd);
  EXPECT_EQ(with_body(FrameType::kHashes, 8 + kHashSize * (kMaxHashesPerFrame + 1)), FrameStatus::kMalformed);
  EXPECT_EQ(with_body(FrameType::kHashes, 8), FrameStatus::kMalformed);
  EXPECT_EQ(with_body(FrameType::kPex, 1), FrameStatus::kMalformed);
  PexFrame pex;
  while (!pex.peers.full()) pex.peers.push_back(Address::v4(1, 2, 3, 4, 5));
  Buffer bytes = encoded(pex);
  EXPECT_EQ(status_of(bytes), FrameStatus::kEnd);
  bytes.insert(bytes.end(), bytes.begin() + 3, bytes.begin() + 10);
  bytes[2] = static_cast<std::byte>(static_cast<int>(bytes[2]) + 7);
  EXPECT_EQ(status_of(bytes), FrameStatus::kMalformed) << "a 33rd peer";
}

TEST(FramesDeathTest, OurOwnFramesOutsideTheLimitsAbort) {
  Buffer out(2000);
  ByteWriter w(out);
  EXPECT_DEATH(encode(AckFrame{}, w), "empty");
  const std::string text(kMaxCloseText + 1, 'x');
  EXPECT_DEATH(encode(CloseFrame{CloseCode::kNone, text}, w), "kMaxCloseText");
  EXPECT_DEATH(encode(RequestFrame{}, w), "length");
}

}  // namespace
}  // namespace peernet::wire
