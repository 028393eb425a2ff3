// Proof that a node of a session knows a swarm's key, in both directions: nothing is requested, served or believed
// before.
#pragma once

#include <optional>

#include "base/types.hpp"

namespace peernet::crypto {

/// The key of a private swarm, or nothing for a public one (the literal text "public" takes its place).
using MaybeSwarmKey = std::optional<SwarmKey>;

/// What trackers and JOIN see of a swarm: the first 20 bytes of HMAC-SHA256(swarm key or "public", content id).
SwarmId swarm_id(const MaybeSwarmKey& key, const ContentId& content);

enum class JoinRole : std::uint8_t { kJoin = 1, kJoinResponse = 2 };

struct JoinClaim {
  JoinRole role = JoinRole::kJoin;
  Hash256 binding{};  ///< SessionSecrets::binding: a proof is worth nothing in another session
  NodeId prover{};    ///< who sends the proof
  NodeId verifier{};
  ContentId content{};
};

/// HMAC-SHA256(swarm key or "public", "pn1 join" | role u8 | binding | prover | verifier | content id).
Hash256 join_proof(const MaybeSwarmKey& key, const JoinClaim& claim);
[[nodiscard]] bool check_join_proof(const MaybeSwarmKey& key, const JoinClaim& claim, ByteSpan mac);

}  // namespace peernet::crypto
