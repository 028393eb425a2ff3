// Starts OpenSSL without openssl.cnf: everything that matters is set in this room, reading it costs 0.4 ms of every
// start of a program, and a broken one must not break us. Called in front of whatever may be a process' first use. Not
// for other rooms.
#pragma once

#include <openssl/crypto.h>

namespace peernet::crypto::internal {

inline void start_openssl() {
  OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, nullptr);
}  // only its first call does work

}  // namespace peernet::crypto::internal
