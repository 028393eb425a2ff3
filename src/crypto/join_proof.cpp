#include "crypto/join_proof.hpp"

#include <cstring>

#include "crypto/hash.hpp"

namespace peernet::crypto {
namespace {

ByteSpan secret_of(const MaybeSwarmKey& key) {
  return key ? ByteSpan(*key) : label("public");
}

}  // namespace

SwarmId swarm_id(const MaybeSwarmKey& key, const ContentId& content) {
  const Hash256 mac = hmac_sha256(secret_of(key), content);
  SwarmId id;
  std::memcpy(id.data(), mac.data(), id.size());
  return id;
}

Hash256 join_proof(const MaybeSwarmKey& key, const JoinClaim& claim) {
  const std::byte role{static_cast<std::uint8_t>(claim.role)};
  HmacSha256 mac(secret_of(key));
  mac.update(label("pn1 join"));
  mac.update({&role, 1});
  mac.update(claim.binding);
  mac.update(claim.prover);
  mac.update(claim.verifier);
  mac.update(claim.content);
  return mac.finish();
}

bool check_join_proof(const MaybeSwarmKey& key, const JoinClaim& claim, ByteSpan mac) {
  return equal_constant_time(join_proof(key, claim), mac);
}

}  // namespace peernet::crypto
