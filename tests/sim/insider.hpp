// A peer that has the keys and lies: packets that open, with contents no honest node sends. Each must close the
// session.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "crypto/handshake.hpp"
#include "crypto/packet_keys.hpp"

namespace peernet::sim {

/// Passes handshakes through and remembers what the last one agreed on.
class SpyingFactory final : public crypto::HandshakeFactory {
 public:
  explicit SpyingFactory(std::unique_ptr<crypto::HandshakeFactory> real) : real_(std::move(real)) {}

  std::unique_ptr<crypto::Handshake> start_initiator() override;
  std::unique_ptr<crypto::Handshake> start_responder() override;
  const NodeId& local_id() const override { return real_->local_id(); }

  /// Of the handshake that was started last, once it has exported them.
  const std::optional<crypto::SessionSecrets>& last_secrets() const { return *secrets_; }

 private:
  std::unique_ptr<crypto::HandshakeFactory> real_;
  std::shared_ptr<std::optional<crypto::SessionSecrets>> secrets_ =
      std::make_shared<std::optional<crypto::SessionSecrets>>();
};

enum class Lie : std::uint8_t {
  kAckOfSkipped,    ///< everything up to the newest packet, those that were never sent included
  kAckOfFuture,     ///< a number that has not been sent yet
  kMalformedFrame,  ///< a frame that ends before its body does
  kUnknownFrame,    ///< a type that nobody has defined and that is not GREASE
  kHandshakeDone,   ///< the responder's frame, said by the initiator
};
inline constexpr std::uint64_t kLies = 5;

struct LyingPacket {
  Lie lie{};
  crypto::PacketKeyOptions keys;
  Hash256 secret{};  ///< of the direction towards the victim
  SessionId victim{};
  PacketNumber number{};            ///< a fresh one
  PacketNumber newest_of_victim{};  ///< the last number that the victim has sent
};
std::vector<std::byte> make_lie(const LyingPacket& packet);

}  // namespace peernet::sim
