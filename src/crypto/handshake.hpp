// The handshake as transport sees it: bytes of a reliable stream in, bytes out, and secrets when it is finished.
// handshake.cpp is TLS 1.3 (OpenSSL); tests/sim/standin_handshake.hpp is a seeded stand-in with the same flights.
#pragma once

#include <memory>

#include "base/types.hpp"
#include "crypto/identity.hpp"
#include "peernet/error.hpp"

namespace peernet::crypto {

/// A peer may send this many handshake bytes in all; more is refused.
inline constexpr std::size_t kMaxHandshakeStream = 16 * 1024;

struct SessionSecrets {
  Hash256 initiator_to_responder{};  ///< first secret of PacketSealer / PacketOpener
  Hash256 responder_to_initiator{};
  Hash256 binding{};  ///< names this session in JOIN proofs; both sides have it, nobody else does
};

/// One handshake, one side. States: running -> finished, running -> failed; both are final.
class Handshake {
 public:
  Handshake() = default;
  Handshake(const Handshake&) = delete;
  Handshake& operator=(const Handshake&) = delete;
  virtual ~Handshake() = default;

  /// New bytes of the peer's stream, in order and each byte once. An error (kRefused) is final: drop the handshake,
  /// after sending what output() may have gained (an alert). Bytes beyond the handshake's end are an error too.
  virtual Result<void> on_stream(ByteSpan bytes) = 0;

  /// Everything this side has to say, from stream offset 0; only ever grows. Valid until the next on_stream.
  virtual ByteSpan output() const = 0;

  /// True once the peer's Finished was verified (RFC 8446 4.4.4) and ours is in output(). Gate keys on it.
  virtual bool finished() const = 0;

  /// The peer's proven identity. Only when finished (our own bug otherwise).
  virtual NodeId peer_id() const = 0;

  /// The session's secrets: 96 bytes of the TLS exporter (RFC 8446 7.5, label "EXPORTER-peernet-pn1") in the order of
  /// SessionSecrets, bound to `context`: version, initiator_id, both session ids, both parameter blocks. Only
  /// when finished (our own bug otherwise).
  virtual SessionSecrets export_secrets(ByteSpan context) const = 0;
};

/// Makes handshakes under one identity. start_* may be called from any thread; each handshake then belongs to one
/// thread. The factory outlives its handshakes.
class HandshakeFactory {
 public:
  virtual ~HandshakeFactory() = default;
  /// Its output() holds the first flight already.
  virtual std::unique_ptr<Handshake> start_initiator() = 0;
  virtual std::unique_ptr<Handshake> start_responder() = 0;
  virtual const NodeId& local_id() const = 0;
};

/// TLS 1.3 only, mutual Ed25519 certificates, X25519, ALPN "peernet/1", no tickets, no early data. Costs about a
/// millisecond a side (FACTS); the peer's certificate must be self-signed, Ed25519 and verify: identity is its key,
/// whoever that is, and the caller decides whether it is wanted. kInternal if OpenSSL lacks one of these.
Result<std::unique_ptr<HandshakeFactory>> make_tls_handshake_factory(const Identity& identity);

}  // namespace peernet::crypto
