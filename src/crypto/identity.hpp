// A node's identity: an Ed25519 key pair (RFC 8032). The node id is the public key.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/random_source.hpp"
#include "base/types.hpp"
#include "peernet/error.hpp"

namespace peernet::crypto {

class Identity {
 public:
  /// `seed` is the RFC 8032 private key: 32 random bytes.
  static Identity from_seed(const ByteArray<32>& seed);
  static Identity generate(RandomSource& random);
  /// Reads what to_pem() writes: an unencrypted PKCS #8 "PRIVATE KEY" (RFC 8410), as `openssl genpkey -algorithm
  /// ed25519` makes it. kUsage if it is anything else.
  static Result<Identity> from_pem(std::string_view text);

  Identity(const Identity&) = default;
  Identity& operator=(const Identity&) = default;
  ~Identity();

  const NodeId& id() const { return id_; }
  const ByteArray<32>& seed() const { return seed_; }
  /// Secret. The caller wipes it and keeps the file at mode 0600.
  std::string to_pem() const;

  /// A self-signed X.509 certificate (DER) of this key, valid from 1970 until 9999: peers look at the key, not at
  /// dates. The same key always gives the same bytes.
  std::vector<std::byte> certificate_der() const;

 private:
  Identity(const ByteArray<32>& seed, const NodeId& id) : seed_(seed), id_(id) {}

  ByteArray<32> seed_;
  NodeId id_;
};

}  // namespace peernet::crypto
