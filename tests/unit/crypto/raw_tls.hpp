// A TLS peer made of OpenSSL alone, with every choice open: what a stranger's program could say to ours.
#pragma once

#include <openssl/ssl.h>

#include <string>

#include "crypto/handshake.hpp"
#include "unit/crypto/testing.hpp"

namespace peernet::crypto {

class RawTls {
 public:
  enum class Side { kClient, kServer };
  enum class Certificate { kOwn, kNone, kP256, kForeign, kChain };
  struct Options {
    int max_version = TLS1_3_VERSION;
    std::string alpn = "\x09peernet/1";
    std::string groups = "X25519:P-256";
    std::string ciphersuites = "TLS_AES_128_GCM_SHA256";
    Certificate certificate = Certificate::kOwn;
    std::size_t tickets = 0;
  };

  RawTls(Side side, const Options& options);
  RawTls(const RawTls&) = delete;
  RawTls& operator=(const RawTls&) = delete;
  ~RawTls();

  /// True if both sides finish and nothing that was said is refused.
  bool run_against(Handshake& ours);
  NodeId id() const { return id_; }
  /// 96 bytes of RFC 8446 7.5 key material under PN/1's label.
  Bytes exported(ByteSpan context) const;

 private:
  void use_certificate(Certificate kind);

  Options options_;
  SSL_CTX* context_;
  SSL* ssl_;
  NodeId id_{};
};

}  // namespace peernet::crypto
