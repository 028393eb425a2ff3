// What aead.cpp chooses from. Not for other rooms.
#pragma once

#include <memory>

#include "crypto/aead.hpp"

namespace peernet::crypto::internal {

std::unique_ptr<Aead> make_openssl_aead(Cipher cipher);

/// Null if the library is not compiled in or this CPU has no AES and carry-less multiply instructions (the library
/// would fall back to emulation, slower than OpenSSL).
std::unique_ptr<Aead> make_ipsec_mb_aead(Cipher cipher);
bool ipsec_mb_usable();
/// The instruction set the library chose, such as "avx512"; "none" if it is not usable.
const char* ipsec_mb_arch();

}  // namespace peernet::crypto::internal
