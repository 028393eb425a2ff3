#include "crypto/join_proof.hpp"

#include "unit/crypto/testing.hpp"

namespace peernet::crypto {
namespace {

Hash256 filled(std::uint8_t value) {
  Hash256 out;
  out.fill(std::byte{value});
  return out;
}

MaybeSwarmKey counting_key() {
  SwarmKey key;
  for (std::size_t i = 0; i < key.size(); ++i) key[i] = static_cast<std::byte>(i);
  return key;
}

const JoinClaim kClaim{JoinRole::kJoin, filled(1), filled(2), filled(3), filled(0xc0)};

TEST(JoinProof, HasTheDocumentedBytes) {
  EXPECT_EQ(to_hex(join_proof(counting_key(), kClaim)),
            "fa6a1bd6b2c3dc4f8af741954de2aef060ec51a7f6cc480b696bc344d6fb24d1");
  EXPECT_EQ(to_hex(swarm_id(counting_key(), filled(0xc0))), "a11805deadcbf1950216129a1df3168a8d75a796");
  EXPECT_EQ(to_hex(swarm_id(std::nullopt, filled(0xc0))), "5c95e7a2704aba89d49901193a10f5985b197054");
}

TEST(JoinProof, HoldsForItsOwnRoleSessionNodesAndContentOnly) {
  const Hash256 mac = join_proof(counting_key(), kClaim);
  EXPECT_TRUE(check_join_proof(counting_key(), kClaim, mac));
  const auto refused = [&](const JoinClaim& claim) { return !check_join_proof(counting_key(), claim, mac); };
  JoinClaim other = kClaim;
  other.role = JoinRole::kJoinResponse;  // a proof cannot be sent back as the answer to itself
  EXPECT_TRUE(refused(other));
  other = kClaim;
  other.binding = filled(9);
  EXPECT_TRUE(refused(other));
  other = kClaim;
  std::swap(other.prover, other.verifier);
  EXPECT_TRUE(refused(other));
  other = kClaim;
  other.prover = filled(9);
  EXPECT_TRUE(refused(other));
  other = kClaim;
  other.verifier = filled(9);
  EXPECT_TRUE(refused(other));
  other = kClaim;
  other.content = filled(9);
  EXPECT_TRUE(refused(other));
}

TEST(JoinProof, NeedsTheKey) {
  const Hash256 mac = join_proof(counting_key(), kClaim);
  EXPECT_FALSE(check_join_proof(MaybeSwarmKey(filled(0)), kClaim, mac));
  EXPECT_FALSE(check_join_proof(std::nullopt, kClaim, mac));
  EXPECT_TRUE(check_join_proof(std::nullopt, kClaim, join_proof(std::nullopt, kClaim)));
  EXPECT_FALSE(check_join_proof(counting_key(), kClaim, Hash256{}));
  EXPECT_FALSE(check_join_proof(counting_key(), kClaim, ByteSpan(mac).first(31)));
  EXPECT_FALSE(check_join_proof(counting_key(), kClaim, {}));
}

}  // namespace
}  // namespace peernet::crypto
