// A handshake without a cipher in it: the same three flights as TLS 1.3 (221, 627 and 391 bytes, as FACTS measured),
// made from a seed, so that a simulated run repeats to the byte. It notices every changed byte, as TLS does, and it
// proves nothing: whoever speaks it may claim any node id.
#pragma once

#include <memory>

#include "base/rng.hpp"
#include "crypto/handshake.hpp"

namespace peernet::sim {

inline constexpr std::size_t kFirstFlightBytes = 157;
inline constexpr std::size_t kSecondFlightBytes = 578;
inline constexpr std::size_t kThirdFlightBytes = 402;

/// Two factories of one simulation need different seeds, or their randoms would be alike.
class StandinHandshakeFactory final : public crypto::HandshakeFactory {
 public:
  StandinHandshakeFactory(const NodeId& id, std::uint64_t seed) : id_(id), rng_(seed) {}

  std::unique_ptr<crypto::Handshake> start_initiator() override;
  std::unique_ptr<crypto::Handshake> start_responder() override;
  const NodeId& local_id() const override { return id_; }

 private:
  NodeId id_;
  Rng rng_;
};

}  // namespace peernet::sim
