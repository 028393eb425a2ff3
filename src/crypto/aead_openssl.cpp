// AES-GCM by OpenSSL EVP: the context is kept, a packet only resets the IV (half the cost of a fresh context).
#include <openssl/evp.h>

#include <climits>
#include <cstring>

#include "base/check.hpp"
#include "crypto/aead_backends.hpp"
#include "crypto/openssl_start.hpp"

namespace peernet::crypto::internal {
namespace {

// Fetched once a process: a fetch costs microseconds and locks, and cached ciphers live as long as OpenSSL itself.
const EVP_CIPHER* fetched(Cipher cipher) {
  const auto fetch = [](const char* name) {
    internal::start_openssl();
    return EVP_CIPHER_fetch(nullptr, name, nullptr);
  };
  static const EVP_CIPHER* const aes128 = fetch("AES-128-GCM");
  static const EVP_CIPHER* const aes256 = fetch("AES-256-GCM");
  return cipher == Cipher::kAes128Gcm ? aes128 : aes256;
}

const unsigned char* u8(const std::byte* p) {
  return reinterpret_cast<const unsigned char*>(p);
}
unsigned char* u8(std::byte* p) {
  return reinterpret_cast<unsigned char*>(p);
}

int checked_int(std::size_t n) {
  PN_CHECK(n <= static_cast<std::size_t>(INT_MAX));
  return static_cast<int>(n);
}

class OpensslAead final : public Aead {
 public:
  explicit OpensslAead(Cipher cipher) : key_bytes_(key_bytes(cipher)), context_(EVP_CIPHER_CTX_new()) {
    PN_CHECK(context_ != nullptr);
    PN_CHECK(EVP_CipherInit_ex(context_, fetched(cipher), nullptr, nullptr, nullptr, 1) == 1);
  }
  ~OpensslAead() override { EVP_CIPHER_CTX_free(context_); }  // cleanses the key

  void set_key(ByteSpan key) override {
    PN_CHECK(key.size() == key_bytes_);
    PN_CHECK(EVP_CipherInit_ex(context_, nullptr, nullptr, u8(key.data()), nullptr, 1) == 1);
    keyed_ = true;
  }

  void seal(const AeadNonce& nonce, ByteSpan aad, ByteSpan plaintext, MutableByteSpan out) override {
    PN_CHECK(keyed_ && out.size() >= plaintext.size() + kAeadTagBytes);
    int n = 0;
    PN_CHECK(EVP_CipherInit_ex(context_, nullptr, nullptr, nullptr, u8(nonce.data()), 1) == 1);
    PN_CHECK(EVP_CipherUpdate(context_, nullptr, &n, u8(aad.data()), checked_int(aad.size())) == 1);
    if (!plaintext.empty())  // a null input would mean "finish" to EVP
      PN_CHECK(EVP_CipherUpdate(context_, u8(out.data()), &n, u8(plaintext.data()), checked_int(plaintext.size())) ==
               1);
    PN_CHECK(EVP_CipherFinal_ex(context_, u8(out.data()) + plaintext.size(), &n) == 1);
    PN_CHECK(EVP_CIPHER_CTX_ctrl(context_, EVP_CTRL_AEAD_GET_TAG, static_cast<int>(kAeadTagBytes),
                                 u8(out.data()) + plaintext.size()) == 1);
  }

  bool open(const AeadNonce& nonce, ByteSpan aad, ByteSpan sealed, MutableByteSpan out) override {
    PN_CHECK(keyed_);
    if (sealed.size() < kAeadTagBytes) return false;
    const std::size_t length = sealed.size() - kAeadTagBytes;
    PN_CHECK(out.size() >= length);
    ByteArray<kAeadTagBytes> tag;
    std::memcpy(tag.data(), sealed.data() + length, tag.size());
    int n = 0;
    PN_CHECK(EVP_CipherInit_ex(context_, nullptr, nullptr, nullptr, u8(nonce.data()), 0) == 1);
    PN_CHECK(EVP_CIPHER_CTX_ctrl(context_, EVP_CTRL_AEAD_SET_TAG, static_cast<int>(kAeadTagBytes), tag.data()) == 1);
    PN_CHECK(EVP_CipherUpdate(context_, nullptr, &n, u8(aad.data()), checked_int(aad.size())) == 1);
    if (length != 0)
      PN_CHECK(EVP_CipherUpdate(context_, u8(out.data()), &n, u8(sealed.data()), checked_int(length)) == 1);
    ByteArray<kAeadTagBytes> nothing;  // GCM's final writes no bytes, but wants somewhere not to write them
    if (EVP_CipherFinal_ex(context_, u8(nothing.data()), &n) == 1) return true;
    if (length != 0) std::memset(out.data(), 0, length);
    return false;
  }

 private:
  std::size_t key_bytes_;
  EVP_CIPHER_CTX* context_;
  bool keyed_ = false;
};

}  // namespace

std::unique_ptr<Aead> make_openssl_aead(Cipher cipher) {
  return std::make_unique<OpensslAead>(cipher);
}

}  // namespace peernet::crypto::internal
