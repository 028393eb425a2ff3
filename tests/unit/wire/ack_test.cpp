// ACK ranges: RFC 9000 section 19.3.1 arithmetic, its borders, and lists that have to be cut.
#include <gtest/gtest.h>

#include <vector>

#include "wire/frames.hpp"

namespace peernet::wire {
namespace {

PacketRange range(std::uint64_t first, std::uint64_t last) {
  return {PacketNumber(first), PacketNumber(last)};
}

AckFrame ack_of(std::initializer_list<PacketRange> ranges) {
  AckFrame f;
  for (const PacketRange& r : ranges) f.ranges.push_back(r);
  return f;
}

struct Raw {
  std::uint64_t largest = 0;
  std::uint8_t count = 1;
  std::vector<std::uint32_t> lengths;  // first length, then gap and length in turn
};

FrameStatus read(const Raw& raw, AckFrame& out) {
  std::vector<std::byte> bytes(3 + 25 + raw.lengths.size() * 4);
  ByteWriter w(bytes);
  w.u8(0x01);
  w.u16(static_cast<std::uint16_t>(25 + raw.lengths.size() * 4));
  w.u64(raw.largest);
  for (int i = 0; i < 4; ++i) w.u32(0);
  w.u8(raw.count);
  for (const std::uint32_t v : raw.lengths) w.u32(v);
  EXPECT_FALSE(w.failed());
  FrameReader reader(bytes);
  Frame frame;
  const FrameStatus status = reader.next(frame);
  if (status == FrameStatus::kFrame) out = std::get<AckFrame>(frame);
  return status;
}

TEST(Ack, GapsAndLengthsAreThoseOfRfc9000) {
  AckFrame f;
  // largest 10, 2 below it; gap 0 means one missing number (7); then 6 and one below.
  ASSERT_EQ(read({10, 2, {2, 0, 1}}, f), FrameStatus::kFrame);
  EXPECT_EQ(f, ack_of({range(8, 10), range(5, 6)}));
  EXPECT_EQ(f.largest(), PacketNumber(10));
}

TEST(Ack, NothingGoesBelowZeroOrAboveTheLargestNumber) {
  AckFrame f;
  EXPECT_EQ(read({5, 1, {5}}, f), FrameStatus::kFrame);
  EXPECT_EQ(f, ack_of({range(0, 5)}));
  EXPECT_EQ(read({5, 1, {6}}, f), FrameStatus::kMalformed);
  EXPECT_EQ(read({5, 2, {3, 0, 0}}, f), FrameStatus::kFrame);
  EXPECT_EQ(f, ack_of({range(2, 5), range(0, 0)}));
  EXPECT_EQ(read({5, 2, {4, 0, 0}}, f), FrameStatus::kMalformed) << "1 - 0 - 2";
  EXPECT_EQ(read({5, 2, {3, 0, 1}}, f), FrameStatus::kMalformed);
  EXPECT_EQ(read({5, 2, {3, UINT32_MAX, 0}}, f), FrameStatus::kMalformed);
  EXPECT_EQ(read({kMaxPacketNumber, 1, {0}}, f), FrameStatus::kFrame);
  EXPECT_EQ(read({kMaxPacketNumber + 1, 1, {0}}, f), FrameStatus::kMalformed);
  EXPECT_EQ(read({UINT64_MAX, 1, {0}}, f), FrameStatus::kMalformed);
}

TEST(Ack, TheCountAgreesWithTheBytes) {
  AckFrame f;
  EXPECT_EQ(read({100, 0, {0}}, f), FrameStatus::kMalformed);
  EXPECT_EQ(read({100, 2, {0}}, f), FrameStatus::kMalformed);
  EXPECT_EQ(read({100, 1, {0, 0, 0}}, f), FrameStatus::kMalformed);
  std::vector<std::uint32_t> many(1 + 2 * 64);
  EXPECT_EQ(read({1000, 65, many}, f), FrameStatus::kMalformed);
  many.resize(1 + 2 * 63);
  EXPECT_EQ(read({1000, 64, many}, f), FrameStatus::kFrame);
  EXPECT_EQ(f.ranges.size(), 64u);
}

TEST(Ack, InATightPacketTheOldestRangesGo) {
  AckFrame f;
  for (std::uint64_t n = 0; n < kMaxAckRanges; ++n) f.ranges.push_back(range(1000 - 10 * n, 1003 - 10 * n));
  ASSERT_EQ(encoded_size(f), 3 + 29 + 63 * 8u);
  for (std::size_t room = 0; room <= encoded_size(f); ++room) {
    std::vector<std::byte> bytes(room);
    ByteWriter w(bytes);
    ASSERT_EQ(encode(f, w), room >= 32) << room;
    ASSERT_FALSE(w.failed());
    if (room < 32) {
      ASSERT_EQ(w.position(), 0u);
      continue;
    }
    FrameReader reader(w.written());
    Frame out;
    ASSERT_EQ(reader.next(out), FrameStatus::kFrame);
    const auto& got = std::get<AckFrame>(out).ranges;
    ASSERT_EQ(got.size(), 1 + (room - 32) / 8) << "as many as fit";
    for (std::size_t i = 0; i < got.size(); ++i) ASSERT_EQ(got[i], f.ranges[i]);
  }
}

AckFrame through_the_wire(const AckFrame& f) {
  std::vector<std::byte> bytes(encoded_size(f));
  ByteWriter w(bytes);
  EXPECT_TRUE(encode(f, w));
  EXPECT_EQ(w.position(), bytes.size());
  FrameReader reader(bytes);
  Frame out;
  EXPECT_EQ(reader.next(out), FrameStatus::kFrame);
  return std::get<AckFrame>(out);
}

TEST(Ack, WhatALengthCannotSayEndsTheListWithItsNewestPart) {
  constexpr std::uint64_t kWide = std::uint64_t{1} << 32;
  EXPECT_EQ(through_the_wire(ack_of({range(0, kWide - 1)})), ack_of({range(0, kWide - 1)})) << "the longest";
  EXPECT_EQ(through_the_wire(ack_of({range(0, 3 * kWide)})), ack_of({range(2 * kWide + 1, 3 * kWide)}));
  EXPECT_EQ(through_the_wire(ack_of({range(4 * kWide, 4 * kWide), range(10, 2 * kWide)})),
            ack_of({range(4 * kWide, 4 * kWide)}))
      << "a gap too wide";
  EXPECT_EQ(through_the_wire(ack_of({range(kWide + 11, kWide + 11), range(10, 10)})),
            ack_of({range(kWide + 11, kWide + 11), range(10, 10)}))
      << "the widest gap";
}

}  // namespace
}  // namespace peernet::wire
