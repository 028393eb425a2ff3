#include "wire/packet.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "base/rng.hpp"

namespace peernet::wire {
namespace {

std::vector<std::byte> filled(std::size_t n, std::uint8_t first = 1) {
  std::vector<std::byte> out(n);
  for (std::size_t i = 0; i < n; ++i) out[i] = static_cast<std::byte>(first + i);
  return out;
}

PacketHeader header_of(PacketType type) {
  return {type, kFlagAckNow, SessionId(0xa1b2c3d4), PacketNumber(0x0102030405060708)};
}

/// A whole packet: clear part and `tail` bytes behind it.
template <class Header>
std::vector<std::byte> packet_of(const Header& h, std::size_t tail) {
  std::vector<std::byte> out(2000);
  ByteWriter w(out);
  EXPECT_TRUE(encode(h, w));
  EXPECT_EQ(w.position(), clear_size(h));
  out.resize(w.position() + tail);
  return out;
}

TEST(Packet, DataHeaderRoundTrip) {
  const DataHeader in{header_of(PacketType::kData), RequestId(7), 0xfffffff0};
  std::vector<std::byte> packet(kDataOverhead + 1);
  encode(in, std::span<std::byte, kDataHeaderSize>(packet.data(), kDataHeaderSize));
  const auto header = decode_header(packet);
  ASSERT_TRUE(header);
  EXPECT_EQ(*header, in.packet);
  EXPECT_TRUE(header->ack_now());
  EXPECT_EQ(decode_data(*header, packet), in);
  EXPECT_EQ(sealed_offset(*header), 24u);
}

TEST(Packet, EachTypeHasItsSmallestSize) {
  for (const PacketType type : {PacketType::kHandshake, PacketType::kRetry, PacketType::kData, PacketType::kControl}) {
    std::vector<std::byte> packet(min_packet_size(type));
    encode(header_of(type), std::span<std::byte, kHeaderSize>(packet.data(), kHeaderSize));
    EXPECT_TRUE(decode_header(packet));
    for (std::size_t n = 0; n < packet.size(); ++n) {
      const auto cut = decode_header(ByteSpan(packet).first(n));
      ASSERT_FALSE(cut) << n;
      EXPECT_EQ(cut.error(), n == 0 ? DropReason::kEmpty : DropReason::kTooShort);
    }
  }
}

TEST(Packet, ForeignBytesAreNamed) {
  std::vector<std::byte> packet(kMaxDatagram);
  encode(header_of(PacketType::kControl), std::span<std::byte, kHeaderSize>(packet.data(), kHeaderSize));
  EXPECT_TRUE(decode_header(packet));
  packet.resize(kMaxDatagram + 1);
  EXPECT_EQ(decode_header(packet).error(), DropReason::kTooLong);
  packet.resize(1200);
  for (int first = 0; first < 256; ++first) {
    packet[0] = static_cast<std::byte>(first);
    const auto header = decode_header(packet);
    EXPECT_EQ(header.has_value(), first >= 0x51 && first <= 0x54) << first;
    if (!header) {
      EXPECT_EQ(header.error(), DropReason::kUnknownType);
    }
  }
}

TEST(Packet, UnknownFlagsAndReservedBytesAreIgnored) {
  std::vector<std::byte> packet(100);
  encode(header_of(PacketType::kControl), std::span<std::byte, kHeaderSize>(packet.data(), kHeaderSize));
  packet[1] = std::byte{0xfe};
  packet[2] = packet[3] = std::byte{0xff};
  const auto header = decode_header(packet);
  ASSERT_TRUE(header);
  EXPECT_FALSE(header->ack_now());
}

TEST(Packet, NumbersEndAtTheirLimit) {
  std::vector<std::byte> packet(100);
  PacketHeader h = header_of(PacketType::kControl);
  h.number = PacketNumber(kMaxPacketNumber);
  encode(h, std::span<std::byte, kHeaderSize>(packet.data(), kHeaderSize));
  EXPECT_TRUE(decode_header(packet));
  h.number = PacketNumber(kMaxPacketNumber + 1);
  encode(h, std::span<std::byte, kHeaderSize>(packet.data(), kHeaderSize));
  EXPECT_EQ(decode_header(packet).error(), DropReason::kBadPacketNumber);
}

TEST(Packet, ShardsComeFromTheLowByte) {
  EXPECT_EQ(shard_of(session_id_on(0xdeadbeef, 3), 4), 3);
  EXPECT_EQ(session_id_on(0xdeadbeef, 3).value(), 0xdeadbe03u);
  std::vector<int> hits(3);
  for (std::uint32_t id = 0; id < 256; ++id) ++hits[shard_of(SessionId(0x12340000 + id), 3)];
  for (const int n : hits) EXPECT_NEAR(n, 256 / 3, 1) << "a foreign id is spread over all shards";
}

TEST(Handshake, RoundTripWithAndWithoutToken) {
  for (const std::size_t token_size : {std::size_t{0}, std::size_t{1}, kMaxTokenSize}) {
    const auto token = filled(token_size);
    const HandshakeHeader in{header_of(PacketType::kHandshake), kVersion, 0x1122334455667788, SessionId(9), token};
    const auto packet = packet_of(in, kHandshakeBodySize + kTagSize);
    const auto header = decode_header(packet);
    ASSERT_TRUE(header);
    const auto out = decode_handshake(*header, packet);
    ASSERT_TRUE(out) << name_of(out.error());
    EXPECT_EQ(out->packet, in.packet);
    EXPECT_EQ(out->initiator_id, in.initiator_id);
    EXPECT_EQ(out->sender, in.sender);
    EXPECT_TRUE(std::ranges::equal(out->token, token));
    EXPECT_EQ(clear_size(*out), packet.size() - kHandshakeBodySize - kTagSize);
    for (std::size_t n = 0; n < packet.size(); ++n)
      EXPECT_EQ(decode_handshake(*header, ByteSpan(packet).first(n)).error(), DropReason::kTooShort) << n;
  }
}

TEST(Handshake, AnUnknownVersionIsToldWhateverFollows) {
  const HandshakeHeader in{header_of(PacketType::kHandshake), kVersion + 1, 1, SessionId(9), {}};
  auto packet = packet_of(in, 40);
  std::fill(packet.begin() + 28, packet.end(), std::byte{0xff});
  EXPECT_EQ(decode_handshake(*decode_header(packet), packet).error(), DropReason::kUnknownVersion);
}

TEST(Handshake, ATokenHasALimit) {
  const HandshakeHeader in{header_of(PacketType::kHandshake), kVersion, 1, SessionId(9), {}};
  auto packet = packet_of(in, 400);
  packet[kHandshakeClearSize - 1] = std::byte{kMaxTokenSize + 1};
  EXPECT_EQ(decode_handshake(*decode_header(packet), packet).error(), DropReason::kMalformedHandshake);
  const auto long_token = filled(kMaxTokenSize + 1);
  HandshakeHeader too_long = in;
  too_long.token = long_token;
  ByteWriter w(packet);
  EXPECT_FALSE(encode(too_long, w));
  EXPECT_EQ(w.position(), 0u);
}

TEST(Handshake, BodyRoundTripWithPadding) {
  const auto bytes = filled(100);
  const HandshakeBody in{12345, 77, bytes};
  std::vector<std::byte> out(1000, std::byte{0xee});
  ByteWriter w(out);
  ASSERT_TRUE(encode(in, w));
  const auto body = decode_handshake_body(out);  // what follows is padding
  ASSERT_TRUE(body);
  EXPECT_EQ(body->offset, in.offset);
  EXPECT_EQ(body->acked, in.acked);
  EXPECT_TRUE(std::ranges::equal(body->bytes, bytes));
  for (std::size_t n = 0; n < w.position(); ++n)
    EXPECT_EQ(decode_handshake_body(ByteSpan(out).first(n)).error(), DropReason::kMalformedHandshake) << n;
  ByteArray<109> small{};
  ByteWriter s(small);
  EXPECT_FALSE(encode(in, s));
}

TEST(Handshake, TheStreamHasALimit) {
  const auto bytes = filled(10);
  std::vector<std::byte> out(100);
  ByteWriter w(out);
  EXPECT_TRUE(encode(HandshakeBody{kMaxHandshakeStream - 10, kMaxHandshakeStream, bytes}, w));
  EXPECT_TRUE(decode_handshake_body(out));
  EXPECT_FALSE(encode(HandshakeBody{kMaxHandshakeStream - 9, 0, bytes}, w));
  EXPECT_FALSE(encode(HandshakeBody{0, kMaxHandshakeStream + 1, bytes}, w));
  out[3] = static_cast<std::byte>(static_cast<std::uint8_t>(out[3]) + 1);  // offset + 1
  EXPECT_EQ(decode_handshake_body(out).error(), DropReason::kHandshakeOverflow);
  out[0] = std::byte{0xff};
  EXPECT_EQ(decode_handshake_body(out).error(), DropReason::kHandshakeOverflow) << "no wrap-around";
  ByteWriter again(out);
  ASSERT_TRUE(encode(HandshakeBody{0, kMaxHandshakeStream, bytes}, again));
  out[7] = std::byte{1};
  EXPECT_EQ(decode_handshake_body(out).error(), DropReason::kMalformedHandshake) << "acknowledges what cannot exist";
}

TEST(Retry, RoundTrip) {
  const auto token = filled(40);
  Retry in{header_of(PacketType::kRetry), kVersion, 42, token};
  in.packet.number = PacketNumber(0);
  const auto packet = packet_of(in, kTagSize);
  const auto header = decode_header(packet);
  ASSERT_TRUE(header);
  const auto out = decode_retry(*header, packet);
  ASSERT_TRUE(out);
  EXPECT_EQ(out->packet, in.packet);
  EXPECT_EQ(out->initiator_id, 42u);
  EXPECT_TRUE(std::ranges::equal(out->token, token));
  EXPECT_EQ(clear_size(*out), packet.size() - kTagSize);
  for (std::size_t n = 0; n < packet.size(); ++n)
    EXPECT_EQ(decode_retry(*header, ByteSpan(packet).first(n)).error(), DropReason::kTooShort) << n;
  auto longer = packet;
  longer.emplace_back();
  EXPECT_EQ(decode_retry(*header, longer).error(), DropReason::kMalformedHandshake);
}

TEST(Retry, NeedsATokenAndOurVersion) {
  const auto token = filled(1);
  const Retry in{header_of(PacketType::kRetry), kVersion, 42, token};
  auto packet = packet_of(in, 200);
  packet[kRetryClearSize - 1] = std::byte{0};
  EXPECT_EQ(decode_retry(*decode_header(packet), packet).error(), DropReason::kMalformedHandshake);
  packet[kRetryClearSize - 1] = std::byte{kMaxTokenSize + 1};
  EXPECT_EQ(decode_retry(*decode_header(packet), packet).error(), DropReason::kMalformedHandshake);
  packet[19] = std::byte{9};
  EXPECT_EQ(decode_retry(*decode_header(packet), packet).error(), DropReason::kUnknownVersion);
  ByteWriter w(packet);
  EXPECT_FALSE(encode(Retry{}, w));
}

TEST(Packet, RandomBytesNeverPassTheirEnd) {
  Rng rng(1);
  std::size_t accepted = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::vector<std::byte> packet(rng.below(120));  // exact size: a sanitizer sees any read past it
    for (auto& b : packet) b = static_cast<std::byte>(rng.next());
    if (!packet.empty()) packet[0] = static_cast<std::byte>(0x51 + rng.below(4));
    if (packet.size() > 19) std::fill(packet.begin() + 16, packet.begin() + 19, std::byte{0});
    if (packet.size() > 19) packet[19] = std::byte{kVersion};
    const auto header = decode_header(packet);
    if (!header) continue;
    if (header->type == PacketType::kHandshake) accepted += decode_handshake(*header, packet) ? 1U : 0U;
    if (header->type == PacketType::kRetry) accepted += decode_retry(*header, packet) ? 1U : 0U;
    if (header->type == PacketType::kData) accepted += decode_data(*header, packet).packet == *header ? 1U : 0U;
  }
  EXPECT_GT(accepted, 100u);
}

TEST(DropReason, EachHasANameOfItsOwn) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < kDropReasonCount; ++i) names.emplace_back(name_of(static_cast<DropReason>(i)));
  EXPECT_EQ(std::ranges::count(names, "unknown"), 0);
  std::ranges::sort(names);
  EXPECT_EQ(std::ranges::adjacent_find(names), names.end());
  EXPECT_STREQ(name_of(DropReason::kCount), "unknown");
}

}  // namespace
}  // namespace peernet::wire
