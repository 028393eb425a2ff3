// AES-GCM by intel-ipsec-mb's direct calls: no jobs, no queues, one call a packet.
#include "crypto/aead_backends.hpp"

#ifdef PEERNET_HAVE_IPSEC_MB

#include <openssl/crypto.h>

#include <cstring>

#include "base/check.hpp"

#define NO_COMPAT_IMB_API_053  // the library's old short names clash with OpenSSL's
#include <intel-ipsec-mb.h>

namespace peernet::crypto::internal {
namespace {

/// The library's entry points for this CPU. They keep no state of their own, so that every thread may share them; the
/// manager they come from (180 KiB with its job queues) is not kept.
struct Functions {
  bool usable = false;
  const char* arch = "none";
  aes_gcm_pre_t pre128 = nullptr, pre256 = nullptr;
  aes_gcm_enc_dec_t seal128 = nullptr, seal256 = nullptr;
  aes_gcm_enc_dec_t open128 = nullptr, open256 = nullptr;
};

Functions load() {
  Functions f;
  IMB_MGR* const manager = alloc_mb_mgr(0);
  if (manager == nullptr) return f;
  IMB_ARCH arch = IMB_ARCH_NONE;
  init_mb_mgr_auto(manager, &arch);
  constexpr std::uint64_t kNeeded = IMB_FEATURE_AESNI | IMB_FEATURE_PCLMULQDQ;
  if (imb_get_errno(manager) == 0 && (manager->features & kNeeded) == kNeeded) {
    f.usable = true;
    f.arch = arch == IMB_ARCH_AVX512 ? "avx512" : arch == IMB_ARCH_AVX2 ? "avx2" : arch == IMB_ARCH_AVX ? "avx" : "sse";
    f.pre128 = manager->gcm128_pre;
    f.pre256 = manager->gcm256_pre;
    f.seal128 = manager->gcm128_enc;
    f.seal256 = manager->gcm256_enc;
    f.open128 = manager->gcm128_dec;
    f.open256 = manager->gcm256_dec;
  }
  free_mb_mgr(manager);
  return f;
}

const Functions& functions() {
  static const Functions f = load();
  return f;
}

const std::uint8_t* u8(const std::byte* p) {
  return reinterpret_cast<const std::uint8_t*>(p);
}
std::uint8_t* u8(std::byte* p) {
  return reinterpret_cast<std::uint8_t*>(p);
}

class IpsecMbAead final : public Aead {
 public:
  explicit IpsecMbAead(Cipher cipher) : key_bytes_(key_bytes(cipher)) {
    const Functions& f = functions();
    const bool small = cipher == Cipher::kAes128Gcm;
    pre_ = small ? f.pre128 : f.pre256;
    seal_ = small ? f.seal128 : f.seal256;
    open_ = small ? f.open128 : f.open256;
  }
  ~IpsecMbAead() override {
    OPENSSL_cleanse(&key_, sizeof key_);
    OPENSSL_cleanse(&context_, sizeof context_);
  }

  void set_key(ByteSpan key) override {
    PN_CHECK(key.size() == key_bytes_);
    pre_(key.data(), &key_);
    keyed_ = true;
  }

  void seal(const AeadNonce& nonce, ByteSpan aad, ByteSpan plaintext, MutableByteSpan out) override {
    PN_CHECK(keyed_ && out.size() >= plaintext.size() + kAeadTagBytes);
    seal_(&key_, &context_, u8(out.data()), u8(plaintext.data()), plaintext.size(), u8(nonce.data()), u8(aad.data()),
          aad.size(), u8(out.data()) + plaintext.size(), kAeadTagBytes);
  }

  bool open(const AeadNonce& nonce, ByteSpan aad, ByteSpan sealed, MutableByteSpan out) override {
    PN_CHECK(keyed_);
    if (sealed.size() < kAeadTagBytes) return false;
    const std::size_t length = sealed.size() - kAeadTagBytes;
    PN_CHECK(out.size() >= length);
    // The library computes the tag and leaves the comparison to its caller.
    ByteArray<kAeadTagBytes> tag;
    open_(&key_, &context_, u8(out.data()), u8(sealed.data()), length, u8(nonce.data()), u8(aad.data()), aad.size(),
          u8(tag.data()), kAeadTagBytes);
    if (CRYPTO_memcmp(tag.data(), sealed.data() + length, kAeadTagBytes) == 0) return true;
    if (length != 0) std::memset(out.data(), 0, length);
    return false;
  }

 private:
  alignas(64) gcm_key_data key_{};
  gcm_context_data context_{};
  aes_gcm_pre_t pre_;
  aes_gcm_enc_dec_t seal_;
  aes_gcm_enc_dec_t open_;
  std::size_t key_bytes_;
  bool keyed_ = false;
};

}  // namespace

bool ipsec_mb_usable() {
  return functions().usable;
}
const char* ipsec_mb_arch() {
  return functions().arch;
}
std::unique_ptr<Aead> make_ipsec_mb_aead(Cipher cipher) {
  if (!ipsec_mb_usable()) return nullptr;
  return std::make_unique<IpsecMbAead>(cipher);
}

}  // namespace peernet::crypto::internal

#else

namespace peernet::crypto::internal {

bool ipsec_mb_usable() {
  return false;
}
const char* ipsec_mb_arch() {
  return "none";
}
std::unique_ptr<Aead> make_ipsec_mb_aead(Cipher) {
  return nullptr;
}

}  // namespace peernet::crypto::internal

#endif
