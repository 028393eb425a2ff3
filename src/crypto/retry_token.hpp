// The responder's proof that an address receives what is sent to it, carried by the initiator: no state at the
// responder. Token = time u64 (seconds) and HMAC-SHA256(secret, "pn1 retry token" | time | address 16 | port u16 |
// initiator id u64).
#pragma once

#include "base/address.hpp"
#include "base/types.hpp"

namespace peernet::crypto {

inline constexpr std::size_t kRetryTokenBytes = 40;
inline constexpr std::uint64_t kRetryTokenSeconds = 30;
using RetryToken = ByteArray<kRetryTokenBytes>;

struct RetryTokenClaim {
  Address from;
  std::uint64_t initiator_id = 0;
  std::uint64_t now_s = 0;  ///< any monotonic seconds of the responder
};

enum class RetryTokenCheck : std::uint8_t { kValid, kForged, kExpired };

RetryToken make_retry_token(const Hash256& secret, const RetryTokenClaim& claim);
/// kExpired: genuine, but older than 30 s (or from the future).
RetryTokenCheck check_retry_token(const Hash256& secret, const RetryTokenClaim& claim, ByteSpan token);

}  // namespace peernet::crypto
