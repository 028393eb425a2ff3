#include "crypto/identity.hpp"

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <span>

#include "base/check.hpp"
#include "crypto/hash.hpp"
#include "crypto/openssl_start.hpp"

namespace peernet::crypto {
namespace {

template <class T, void (*Free)(T*)>
struct Freed {
  void operator()(T* p) const { Free(p); }
};
using KeyPtr = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY, EVP_PKEY_free>>;
using CertificatePtr = std::unique_ptr<X509, Freed<X509, X509_free>>;

constexpr std::string_view kPemBegin = "-----BEGIN PRIVATE KEY-----";
constexpr std::string_view kPemEnd = "-----END PRIVATE KEY-----";
/// PKCS #8 of an Ed25519 key is this, then the 32-byte seed (RFC 8410 section 7).
constexpr std::array<unsigned char, 16> kPkcs8Prefix = {0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06,
                                                        0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20};
constexpr std::size_t kPkcs8Bytes = kPkcs8Prefix.size() + 32;
constexpr std::size_t kBase64Chars = kPkcs8Bytes / 3 * 4;
static_assert(kPkcs8Bytes % 3 == 0);

KeyPtr private_key(const ByteArray<32>& seed) {
  internal::start_openssl();
  KeyPtr key(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr,
                                          reinterpret_cast<const unsigned char*>(seed.data()), seed.size()));
  PN_CHECK(key != nullptr);
  return key;
}

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

std::string_view trimmed(std::string_view s) {
  while (!s.empty() && is_space(s.front())) s.remove_prefix(1);
  while (!s.empty() && is_space(s.back())) s.remove_suffix(1);
  return s;
}

}  // namespace

Identity Identity::from_seed(const ByteArray<32>& seed) {
  NodeId id;
  std::size_t n = id.size();
  PN_CHECK(EVP_PKEY_get_raw_public_key(private_key(seed).get(), reinterpret_cast<unsigned char*>(id.data()), &n) == 1);
  PN_CHECK(n == id.size());
  return {seed, id};
}

Identity Identity::generate(RandomSource& random) {
  ByteArray<32> seed = random.array<32>();
  Identity out = from_seed(seed);
  wipe(seed);
  return out;
}

Identity::~Identity() {
  wipe(seed_);
}

std::string Identity::to_pem() const {
  std::array<unsigned char, kPkcs8Bytes> der;
  std::copy(kPkcs8Prefix.begin(), kPkcs8Prefix.end(), der.begin());
  std::memcpy(der.data() + kPkcs8Prefix.size(), seed_.data(), seed_.size());
  std::array<unsigned char, kBase64Chars + 1> text;
  PN_CHECK(EVP_EncodeBlock(text.data(), der.data(), static_cast<int>(der.size())) == static_cast<int>(kBase64Chars));
  std::string out;
  out.reserve(kPemBegin.size() + kBase64Chars + kPemEnd.size() + 3);
  out.append(kPemBegin).append("\n");
  out.append(reinterpret_cast<const char*>(text.data()), kBase64Chars).append("\n");
  out.append(kPemEnd).append("\n");
  wipe(std::as_writable_bytes(std::span(der)));
  wipe(std::as_writable_bytes(std::span(text)));
  return out;
}

Result<Identity> Identity::from_pem(std::string_view text) {
  const Error bad{ErrorCode::kUsage, 0, "the identity file is not an unencrypted Ed25519 private key (PKCS #8 PEM)"};
  text = trimmed(text);
  if (!text.starts_with(kPemBegin) || !text.ends_with(kPemEnd)) return std::unexpected(bad);
  if (text.size() < kPemBegin.size() + kPemEnd.size()) return std::unexpected(bad);
  text.remove_prefix(kPemBegin.size());
  text.remove_suffix(kPemEnd.size());
  text = trimmed(text);
  // 64 characters without padding; anything shorter, longer or with blanks inside is another kind of key.
  if (text.size() != kBase64Chars || text.find('=') != text.npos) return std::unexpected(bad);
  if (std::any_of(text.begin(), text.end(), is_space)) return std::unexpected(bad);
  std::array<unsigned char, kPkcs8Bytes> der;
  const int n =
      EVP_DecodeBlock(der.data(), reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
  if (n != static_cast<int>(kPkcs8Bytes) || !std::equal(kPkcs8Prefix.begin(), kPkcs8Prefix.end(), der.begin()))
    return std::unexpected(bad);
  ByteArray<32> seed;
  std::memcpy(seed.data(), der.data() + kPkcs8Prefix.size(), seed.size());
  Identity out = from_seed(seed);
  wipe(seed);
  wipe(std::as_writable_bytes(std::span(der)));
  return out;
}

std::vector<std::byte> Identity::certificate_der() const {
  const KeyPtr key = private_key(seed_);
  const CertificatePtr certificate(X509_new());
  X509* const x = certificate.get();
  PN_CHECK(x != nullptr && X509_set_version(x, X509_VERSION_3) == 1);
  PN_CHECK(ASN1_INTEGER_set(X509_get_serialNumber(x), 1) == 1);
  PN_CHECK(ASN1_TIME_set_string(X509_getm_notBefore(x), "19700101000000Z") == 1);
  PN_CHECK(ASN1_TIME_set_string(X509_getm_notAfter(x), "99991231235959Z") == 1);  // RFC 5280 4.1.2.5: no expiry
  X509_NAME* const name = X509_get_subject_name(x);
  const unsigned char* const common_name = reinterpret_cast<const unsigned char*>("peernet");
  PN_CHECK(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, common_name, -1, -1, 0) == 1);
  PN_CHECK(X509_set_issuer_name(x, name) == 1 && X509_set_pubkey(x, key.get()) == 1);
  PN_CHECK(X509_sign(x, key.get(), nullptr) > 0);
  std::vector<std::byte> der(static_cast<std::size_t>(std::max(i2d_X509(x, nullptr), 0)));
  unsigned char* p = reinterpret_cast<unsigned char*>(der.data());
  PN_CHECK(!der.empty() && i2d_X509(x, &p) == static_cast<int>(der.size()));
  return der;
}

}  // namespace peernet::crypto
