// The responder's door: what to do with a HANDSHAKE packet that belongs to no session. Pure; costs no memory per
// sender. It decides, the owner acts: nothing here counts sessions.
#pragma once

#include <cstdint>
#include <memory>
#include <variant>

#include "base/address.hpp"
#include "base/time.hpp"
#include "base/types.hpp"
#include "crypto/initial_keys.hpp"
#include "wire/drop_reason.hpp"
#include "wire/packet.hpp"

namespace peernet::transport {

struct AcceptorOptions {
  Hash256 token_secret{};              ///< random, one for all shards of a node (a retried packet may hit another)
  std::uint32_t retry_above = 64;      ///< half-open sessions from which on addresses must prove themselves first
  std::uint32_t max_half_open = 1024;  ///< and from which on nobody new is let in
  /// Handshake work: a TLS handshake costs about 1.3 ms (FACTS); so many may start per second, with this burst.
  std::uint32_t handshakes_per_second = 200;
  std::uint32_t burst = 64;
};

/// What the owner knows at this moment.
struct Knock {
  Instant now;
  ByteSpan packet;
  Address from;
  std::uint32_t half_open = 0;  ///< sessions of this shard still in their handshake
};

/// Make a Session (kResponder) with these and feed it the same packet.
struct Accept {
  std::uint64_t initiator_id = 0;
  SessionId initiator_session;  ///< SessionConfig::remote_id
  SessionId first_receiver_id;  ///< SessionConfig::first_receiver_id
  bool address_validated = false;
};
/// Send these bytes back, keep nothing. Never longer than what came in.
struct SendRetry {
  ByteArray<wire::kRetryClearSize + wire::kMaxTokenSize + wire::kTagSize> bytes{};
  std::size_t size = 0;
};
struct Refuse {
  wire::DropReason reason;
};
using Verdict = std::variant<Refuse, SendRetry, Accept>;

/// One per shard; one thread.
class Acceptor {
 public:
  Acceptor(const AcceptorOptions& options, crypto::AeadBackend backend);

  /// The packet is only read. Route by receiver id, and by (sender address, initiator id) for repetitions of first
  /// packets, before asking here.
  Verdict on_packet(const Knock& knock);

 private:
  SendRetry make_retry(const Knock& knock, const wire::HandshakeHeader& header);
  bool take_budget(Instant now);
  bool authentic(const wire::HandshakeHeader& header, ByteSpan packet);

  AcceptorOptions options_;
  crypto::InitialProtection protection_;
  double budget_;
  Instant refilled_;
  ByteArray<2048> scratch_{};
};

}  // namespace peernet::transport
