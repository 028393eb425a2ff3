#include "base/bytes.hpp"

#include <gtest/gtest.h>

namespace peernet {
namespace {

TEST(Bytes, WhatIsWrittenIsReadBackInNetworkOrder) {
  ByteArray<15> buffer{};
  ByteWriter w(buffer);
  w.u8(0x01);
  w.u16(0x0203);
  w.u32(0x04050607);
  w.u64(0x08090a0b0c0d0e0f);
  EXPECT_FALSE(w.failed());
  for (std::size_t i = 0; i < buffer.size(); ++i) EXPECT_EQ(static_cast<std::size_t>(buffer[i]), i + 1);
  ByteReader r(buffer);
  EXPECT_EQ(r.u8(), 0x01);
  EXPECT_EQ(r.u16(), 0x0203);
  EXPECT_EQ(r.u32(), 0x04050607u);
  EXPECT_EQ(r.u64(), 0x08090a0b0c0d0e0fu);
  EXPECT_TRUE(r.finished());
}

TEST(Bytes, AShortReadFailsForGoodAndYieldsZeros) {
  const ByteArray<3> buffer{std::byte{1}, std::byte{2}, std::byte{3}};
  ByteReader r(buffer);
  EXPECT_EQ(r.u32(), 0u);
  EXPECT_TRUE(r.failed());
  EXPECT_EQ(r.u8(), 0u);
  EXPECT_FALSE(r.finished());
}

TEST(Bytes, AWriterNeverPassesItsEnd) {
  ByteArray<3> buffer{};
  ByteWriter w(MutableByteSpan(buffer).first(2));
  w.u32(0xffffffff);
  EXPECT_TRUE(w.failed());
  w.bytes(ByteArray<3>{});
  EXPECT_EQ(w.position(), 0u);
  EXPECT_EQ(buffer[2], std::byte{0});
}

}  // namespace
}  // namespace peernet
