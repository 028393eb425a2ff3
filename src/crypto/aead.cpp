#include "crypto/aead.hpp"

#include "crypto/aead_backends.hpp"

namespace peernet::crypto {

bool aead_backend_available(AeadBackend backend) {
  return backend != AeadBackend::kIpsecMb || internal::ipsec_mb_usable();
}

AeadBackend resolve_aead_backend(AeadBackend backend) {
  if (backend != AeadBackend::kAuto) return backend;
  return internal::ipsec_mb_usable() ? AeadBackend::kIpsecMb : AeadBackend::kOpenssl;
}

const char* name_of(AeadBackend backend) {
  return resolve_aead_backend(backend) == AeadBackend::kIpsecMb ? "ipsec-mb" : "openssl";
}

Result<std::unique_ptr<Aead>> make_aead(AeadBackend backend, Cipher cipher) {
  if (!aead_backend_available(backend))
    return std::unexpected(
        Error{ErrorCode::kUsage, 0, "--aead ipsec-mb is not available in this build or on this CPU"});
  if (resolve_aead_backend(backend) == AeadBackend::kIpsecMb) return internal::make_ipsec_mb_aead(cipher);
  return internal::make_openssl_aead(cipher);
}

}  // namespace peernet::crypto
