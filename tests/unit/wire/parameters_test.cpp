#include "wire/parameters.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace peernet::wire {
namespace {

Parameters example() {
  Parameters p;
  p.features = 0x8000000000000001;
  p.instance_id = 0x1122334455667788;
  p.shard_count = 4;
  p.ciphers = kCipherAes128Gcm | kCipherAes256Gcm;
  p.ack_delay_max_ms = 25;
  p.idle_timeout_ms = 30'000;
  p.max_datagram = 1472;
  p.max_requests = 64;
  return p;
}

std::vector<std::byte> stream_of(const Parameters& p, std::size_t extra = 0) {
  std::vector<std::byte> out(kMaxParameterBlock + 2);
  ByteWriter w(out);
  const std::vector<std::byte> tail(extra, std::byte{0x77});
  EXPECT_TRUE(encode(p, w, tail));
  out.resize(w.position());
  return out;
}

TEST(Parameters, RoundTripWithIgnorableTail) {
  for (const std::size_t extra : {std::size_t{0}, std::size_t{1}, kMaxParameterBlock - kParametersSize}) {
    const auto stream = stream_of(example(), extra);
    const auto block = parameter_block(stream);
    ASSERT_TRUE(block && *block);
    EXPECT_EQ((*block)->size(), kParametersSize + extra);
    EXPECT_EQ(*decode_parameters(**block), example());
  }
}

TEST(Parameters, AnIncompleteBlockIsWaitedFor) {
  auto stream = stream_of(example(), 5);
  for (std::size_t n = 0; n < stream.size(); ++n) {
    const auto block = parameter_block(ByteSpan(stream).first(n));
    ASSERT_TRUE(block) << n;
    EXPECT_FALSE(*block) << n;
  }
  stream.resize(stream.size() + 100);  // TLS bytes behind it
  EXPECT_EQ((*parameter_block(stream))->size(), kParametersSize + 5);
}

TEST(Parameters, LengthsOutOfBoundsAreRefusedAtOnce) {
  for (const std::size_t size : {std::size_t{0}, kParametersSize - 1, kMaxParameterBlock + 1, std::size_t{0xffff}}) {
    const std::byte stream[2] = {static_cast<std::byte>(size >> 8), static_cast<std::byte>(size)};
    EXPECT_EQ(parameter_block(stream).error(), DropReason::kBadParameters) << size;
  }
  const auto stream = stream_of(example());
  const ByteSpan block = ByteSpan(stream).subspan(2);
  for (std::size_t n = 0; n < block.size(); ++n)
    EXPECT_EQ(decode_parameters(block.first(n)).error(), DropReason::kBadParameters) << n;
  std::vector<std::byte> small(33);
  ByteWriter w(small);
  EXPECT_FALSE(encode(example(), w));
  EXPECT_EQ(w.position(), 0u);
}

TEST(Parameters, EachLimitHolds) {
  const auto refused = [](auto change, DropReason reason) {
    Parameters p = example();
    change(p);
    const auto stream = stream_of(p);
    const auto out = decode_parameters(ByteSpan(stream).subspan(2));
    return !out && out.error() == reason;
  };
  const auto bad = DropReason::kBadParameters;
  EXPECT_TRUE(refused([](Parameters& p) { p.version = 2; }, DropReason::kUnknownVersion));
  EXPECT_TRUE(refused([](Parameters& p) { p.shard_count = 0; }, bad));
  EXPECT_TRUE(refused([](Parameters& p) { p.ciphers = 0xfc; }, bad));
  EXPECT_TRUE(refused([](Parameters& p) { p.ack_delay_max_ms = kMaxAckDelayMs + 1; }, bad));
  EXPECT_TRUE(refused([](Parameters& p) { p.idle_timeout_ms = kMinIdleTimeoutMs - 1; }, bad));
  EXPECT_TRUE(refused([](Parameters& p) { p.max_datagram = kMinDatagram - 1; }, bad));
  EXPECT_TRUE(refused([](Parameters& p) { p.max_requests = 0; }, bad));
  EXPECT_FALSE(refused(
      [](Parameters& p) {
        p.ack_delay_max_ms = kMaxAckDelayMs;
        p.idle_timeout_ms = kMinIdleTimeoutMs;
        p.max_datagram = kMinDatagram;
        p.max_requests = 1;
        p.shard_count = 255;
        p.ciphers = 0xff;
      },
      bad));
}

TEST(Parameters, TheAnswerHoldsOneOfferedCipher) {
  EXPECT_EQ(choose_cipher(3, 3), kCipherAes128Gcm);
  EXPECT_EQ(choose_cipher(3, 2), kCipherAes256Gcm);
  EXPECT_EQ(choose_cipher(2, 3), kCipherAes256Gcm);
  EXPECT_EQ(choose_cipher(1, 2), 0);
  EXPECT_EQ(choose_cipher(0xfc, 0xfc), 0) << "unknown bits are no ciphers";
  Parameters offer = example(), answer = example();
  EXPECT_FALSE(answers(offer, answer)) << "two";
  answer.ciphers = kCipherAes256Gcm;
  EXPECT_TRUE(answers(offer, answer));
  offer.ciphers = kCipherAes128Gcm;
  EXPECT_FALSE(answers(offer, answer)) << "not offered";
  offer.ciphers = answer.ciphers = 4;
  EXPECT_FALSE(answers(offer, answer)) << "not one that exists";
}

}  // namespace
}  // namespace peernet::wire
