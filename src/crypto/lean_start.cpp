#include "crypto/lean_start.hpp"

#include <openssl/ssl.h>

#include <cstdint>

namespace peernet::crypto {

void start_lean() {
  // libssl asks for the tables of old names itself, however it is started: libcrypto must have heard "without" before.
  constexpr std::uint64_t kCrypto = OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ADD_ALL_CIPHERS |
                                    OPENSSL_INIT_NO_ADD_ALL_DIGESTS | OPENSSL_INIT_NO_LOAD_CRYPTO_STRINGS |
                                    OPENSSL_INIT_NO_ATEXIT;
  OPENSSL_init_crypto(kCrypto, nullptr);
  OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_LOAD_SSL_STRINGS, nullptr);
}

}  // namespace peernet::crypto
