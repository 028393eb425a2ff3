#include "crypto/retry_token.hpp"

#include "base/bytes.hpp"
#include "crypto/hash.hpp"

namespace peernet::crypto {
namespace {

Hash256 token_mac(const Hash256& secret, const RetryTokenClaim& claim, std::uint64_t time_s) {
  ByteArray<8 + 16 + 2 + 8> fields;
  ByteWriter w(fields);
  w.u64(time_s);
  w.bytes(claim.from.ip);
  w.u16(claim.from.port);
  w.u64(claim.initiator_id);
  HmacSha256 mac(secret);
  mac.update(label("pn1 retry token"));
  mac.update(fields);
  return mac.finish();
}

}  // namespace

RetryToken make_retry_token(const Hash256& secret, const RetryTokenClaim& claim) {
  RetryToken token;
  ByteWriter w(token);
  w.u64(claim.now_s);
  w.bytes(token_mac(secret, claim, claim.now_s));
  return token;
}

RetryTokenCheck check_retry_token(const Hash256& secret, const RetryTokenClaim& claim, ByteSpan token) {
  if (token.size() != kRetryTokenBytes) return RetryTokenCheck::kForged;
  ByteReader r(token);
  const std::uint64_t time_s = r.u64();
  if (!equal_constant_time(token_mac(secret, claim, time_s), r.rest())) return RetryTokenCheck::kForged;
  const bool fresh = claim.now_s - time_s <= kRetryTokenSeconds;  // a time to come wraps and is far too old
  return fresh ? RetryTokenCheck::kValid : RetryTokenCheck::kExpired;
}

}  // namespace peernet::crypto
