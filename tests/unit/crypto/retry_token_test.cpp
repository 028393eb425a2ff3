#include "crypto/retry_token.hpp"

#include "unit/crypto/testing.hpp"

namespace peernet::crypto {
namespace {

Hash256 counting_secret() {
  Hash256 secret;
  for (std::size_t i = 0; i < secret.size(); ++i) secret[i] = static_cast<std::byte>(i);
  return secret;
}

const RetryTokenClaim kClaim{Address::v4(192, 0, 2, 1, 4433), 0x0123456789abcdef, 1000};

TEST(RetryToken, HasTheDocumentedBytes) {
  EXPECT_EQ(to_hex(make_retry_token(counting_secret(), kClaim)),
            "00000000000003e86ecdfa9ca69d28e24833e37c87bc4174a759fa5a394ba3c48c9fa582652499c0");
}

TEST(RetryToken, LivesThirtySeconds) {
  const RetryToken token = make_retry_token(counting_secret(), kClaim);
  const auto check_at = [&](std::uint64_t now_s) {
    RetryTokenClaim claim = kClaim;
    claim.now_s = now_s;
    return check_retry_token(counting_secret(), claim, token);
  };
  EXPECT_EQ(check_at(1000), RetryTokenCheck::kValid);
  EXPECT_EQ(check_at(1030), RetryTokenCheck::kValid);
  EXPECT_EQ(check_at(1031), RetryTokenCheck::kExpired);
  EXPECT_EQ(check_at(999), RetryTokenCheck::kExpired);
  EXPECT_EQ(check_at(UINT64_MAX), RetryTokenCheck::kExpired);
}

TEST(RetryToken, IsWorthNothingElsewhere) {
  const RetryToken token = make_retry_token(counting_secret(), kClaim);
  RetryTokenClaim claim = kClaim;
  claim.from.port = 4434;
  EXPECT_EQ(check_retry_token(counting_secret(), claim, token), RetryTokenCheck::kForged);
  claim = kClaim;
  claim.from.ip[15] ^= std::byte{1};
  EXPECT_EQ(check_retry_token(counting_secret(), claim, token), RetryTokenCheck::kForged);
  claim = kClaim;
  claim.initiator_id ^= 1;
  EXPECT_EQ(check_retry_token(counting_secret(), claim, token), RetryTokenCheck::kForged);
  Hash256 other = counting_secret();
  other[31] ^= std::byte{1};
  EXPECT_EQ(check_retry_token(other, kClaim, token), RetryTokenCheck::kForged);
}

TEST(RetryToken, NoFlippedBitAndNoOtherLengthIsAccepted) {
  const RetryToken token = make_retry_token(counting_secret(), kClaim);
  for (std::size_t i = 0; i < token.size() * 8; ++i) {
    RetryToken bad = token;
    bad[i / 8] ^= static_cast<std::byte>(1 << (i % 8));
    EXPECT_EQ(check_retry_token(counting_secret(), kClaim, bad), RetryTokenCheck::kForged) << i;
  }
  for (std::size_t n = 0; n < token.size(); ++n)
    EXPECT_EQ(check_retry_token(counting_secret(), kClaim, ByteSpan(token).first(n)), RetryTokenCheck::kForged) << n;
  Bytes longer(token.begin(), token.end());
  longer.push_back(std::byte{0});
  EXPECT_EQ(check_retry_token(counting_secret(), kClaim, longer), RetryTokenCheck::kForged);
}

}  // namespace
}  // namespace peernet::crypto
