#include "crypto/identity.hpp"

#include <openssl/evp.h>

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
using DigestPtr = std::unique_ptr<EVP_MD_CTX, Freed<EVP_MD_CTX, EVP_MD_CTX_free>>;

constexpr std::string_view kPemBegin = "-----BEGIN PRIVATE KEY-----";
constexpr std::string_view kPemEnd = "-----END PRIVATE KEY-----";
/// PKCS #8 of an Ed25519 key is this, then the 32-byte seed (RFC 8410 section 7).
constexpr std::array<unsigned char, 16> kPkcs8Prefix = {0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06,
                                                        0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20};
constexpr std::size_t kPkcs8Bytes = kPkcs8Prefix.size() + 32;
constexpr std::size_t kBase64Chars = kPkcs8Bytes / 3 * 4;
static_assert(kPkcs8Bytes % 3 == 0);
/// The X.509 certificate (RFC 5280 in DER, RFC 8410 for Ed25519): a SEQUENCE of what is signed, the algorithm, the
/// signature.
constexpr std::array<unsigned char, 3> kCertificatePrefix = {0x30, 0x81, 0xd4};
constexpr std::array<unsigned char, 106> kSignedPrefix = {
    // SEQUENCE of 135 bytes, what is signed
    0x30, 0x81, 0x87,
    // version 3
    0xa0, 0x03, 0x02, 0x01, 0x02,
    // serial number 1
    0x02, 0x01, 0x01,
    // signed with Ed25519
    0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70,
    // issuer CN=peernet
    0x30, 0x12, 0x31, 0x10, 0x30, 0x0e, 0x06, 0x03, 0x55, 0x04, 0x03, 0x0c, 0x07, 0x70, 0x65, 0x65, 0x72, 0x6e, 0x65,
    0x74,
    // from 1970-01-01 to 9999-12-31, which is "never" (RFC 5280 section 4.1.2.5)
    0x30, 0x22, 0x18, 0x0f, 0x31, 0x39, 0x37, 0x30, 0x30, 0x31, 0x30, 0x31, 0x30, 0x30, 0x30, 0x30, 0x30, 0x30, 0x5a,
    0x18, 0x0f, 0x39, 0x39, 0x39, 0x39, 0x31, 0x32, 0x33, 0x31, 0x32, 0x33, 0x35, 0x39, 0x35, 0x39, 0x5a,
    // subject CN=peernet
    0x30, 0x12, 0x31, 0x10, 0x30, 0x0e, 0x06, 0x03, 0x55, 0x04, 0x03, 0x0c, 0x07, 0x70, 0x65, 0x65, 0x72, 0x6e, 0x65,
    0x74,
    // an Ed25519 key of 32 bytes, which follows
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00};
constexpr std::array<unsigned char, 10> kSignaturePrefix = {0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x41, 0x00};
constexpr std::size_t kSignatureBytes = 64;

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
  // Only the key and the signature differ. X509_set_pubkey and X509_sign make the same bytes in 0.5 ms, most of which
  // goes by in a list of every encoder that OpenSSL has.
  ByteArray<kSignedPrefix.size() + sizeof(NodeId)> body;
  std::memcpy(body.data(), kSignedPrefix.data(), kSignedPrefix.size());
  std::memcpy(body.data() + kSignedPrefix.size(), id_.data(), id_.size());
  ByteArray<kSignatureBytes> signature;
  const DigestPtr signer(EVP_MD_CTX_new());
  std::size_t n = signature.size();
  PN_CHECK(signer != nullptr && EVP_DigestSignInit(signer.get(), nullptr, nullptr, nullptr, key.get()) == 1);
  PN_CHECK(EVP_DigestSign(signer.get(), reinterpret_cast<unsigned char*>(signature.data()), &n,
                          reinterpret_cast<const unsigned char*>(body.data()), body.size()) == 1 &&
           n == signature.size());
  std::vector<std::byte> der;
  der.reserve(kCertificatePrefix.size() + body.size() + kSignaturePrefix.size() + signature.size());
  const auto append = [&der](ByteSpan bytes) { der.insert(der.end(), bytes.begin(), bytes.end()); };
  append(std::as_bytes(std::span(kCertificatePrefix)));
  append(body);
  append(std::as_bytes(std::span(kSignaturePrefix)));
  append(signature);
  return der;
}

}  // namespace peernet::crypto
