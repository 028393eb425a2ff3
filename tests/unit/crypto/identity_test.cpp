#include "crypto/identity.hpp"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "unit/crypto/testing.hpp"

namespace peernet::crypto {
namespace {

TEST(Identity, NodeIdsAreThePublicKeysOfRfc8032) {
  const struct {
    const char* seed;
    const char* id;
  } vectors[] = {{"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
                  "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"},
                 {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
                  "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"}};
  for (const auto& v : vectors) EXPECT_EQ(to_hex(Identity::from_seed(array_of<32>(from_hex(v.seed))).id()), v.id);
}

TEST(Identity, IsGeneratedFromTheGivenRandomBytes) {
  SeededRandom a(1);
  SeededRandom b(1);
  SeededRandom c(2);
  const Identity first = Identity::generate(a);
  EXPECT_EQ(first.id(), Identity::generate(b).id());
  EXPECT_NE(first.id(), Identity::generate(c).id());
  EXPECT_NE(first.id(), Identity::generate(a).id());
}

TEST(Identity, ReadsTheExampleOfRfc8410) {
  const Result<Identity> identity = Identity::from_pem(
      "-----BEGIN PRIVATE KEY-----\n"
      "MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n"
      "-----END PRIVATE KEY-----\n");
  ASSERT_TRUE(identity.has_value());
  EXPECT_EQ(to_hex(identity->id()), "19bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1");
}

TEST(Identity, PemComesBackAndOpensslReadsIt) {
  SeededRandom random(3);
  const Identity identity = Identity::generate(random);
  const std::string pem = identity.to_pem();
  const Result<Identity> back = Identity::from_pem(pem);
  ASSERT_TRUE(back.has_value());
  EXPECT_EQ(back->id(), identity.id());
  EXPECT_EQ(back->seed(), identity.seed());
  std::string windows;
  for (const char c : pem) windows += c == '\n' ? std::string("\r\n") : std::string(1, c);
  EXPECT_TRUE(Identity::from_pem("\n " + windows + "\n").has_value());

  BIO* const bio = BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()));
  EVP_PKEY* const key = PEM_read_bio_PrivateKey(bio, nullptr, nullptr, nullptr);
  ASSERT_NE(key, nullptr);
  NodeId id;
  std::size_t n = id.size();
  EXPECT_EQ(EVP_PKEY_get_raw_public_key(key, reinterpret_cast<unsigned char*>(id.data()), &n), 1);
  EXPECT_EQ(id, identity.id());
  EVP_PKEY_free(key);
  BIO_free(bio);
}

TEST(Identity, RefusesEverythingElseAsAUsageError) {
  SeededRandom random(4);
  const std::string pem = Identity::generate(random).to_pem();
  const auto refused = [](std::string_view text) {
    const Result<Identity> result = Identity::from_pem(text);
    return !result.has_value() && result.error().code == ErrorCode::kUsage;
  };
  for (std::size_t n = 0; n + 1 < pem.size(); ++n) EXPECT_TRUE(refused(std::string_view(pem).substr(0, n))) << n;
  for (std::size_t n = 1; n < pem.size(); ++n) EXPECT_TRUE(refused(std::string_view(pem).substr(n))) << n;
  EXPECT_TRUE(refused("-----BEGIN PRIVATE KEY-----END PRIVATE KEY-----"));
  EXPECT_TRUE(refused(pem + pem));
  std::string wrong_algorithm = pem;
  wrong_algorithm[wrong_algorithm.find("K2Vw")] = 'L';
  EXPECT_TRUE(refused(wrong_algorithm));
  std::string not_base64 = pem;
  not_base64[60] = '*';
  EXPECT_TRUE(refused(not_base64));
  not_base64[60] = '=';
  EXPECT_TRUE(refused(not_base64));
  EXPECT_TRUE(refused("-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n"));
}

TEST(Identity, CertificateIsSelfSignedStableAndHasNoExpiry) {
  SeededRandom random(5);
  const Identity identity = Identity::generate(random);
  const std::vector<std::byte> der = identity.certificate_der();
  EXPECT_EQ(der, identity.certificate_der());
  EXPECT_LT(der.size(), 300u);
  const unsigned char* p = reinterpret_cast<const unsigned char*>(der.data());
  X509* const certificate = d2i_X509(nullptr, &p, static_cast<long>(der.size()));
  ASSERT_NE(certificate, nullptr);
  EVP_PKEY* const key = X509_get0_pubkey(certificate);
  EXPECT_EQ(X509_verify(certificate, key), 1);
  NodeId id;
  std::size_t n = id.size();
  EXPECT_EQ(EVP_PKEY_get_raw_public_key(key, reinterpret_cast<unsigned char*>(id.data()), &n), 1);
  EXPECT_EQ(id, identity.id());
  EXPECT_STREQ(reinterpret_cast<const char*>(ASN1_STRING_get0_data(X509_get0_notAfter(certificate))),
               "99991231235959Z");
  X509_free(certificate);
}

// Its bytes are put together here: these were made by X509_set_pubkey and X509_sign.
TEST(Identity, CertificateIsWhatOpensslBuilds) {
  EXPECT_EQ(to_hex(Identity::from_seed(ByteArray<32>{}).certificate_der()),
            "3081d4308187a003020102020101300506032b657030123110300e06035504030c07706565726e657430"
            "22180f31393730303130313030303030305a180f39393939313233313233353935395a30123110300e06"
            "035504030c07706565726e6574302a300506032b65700321003b6a27bcceb6a42d62a3a8d02a6f0d7365"
            "3215771de243a63ac048a18b59da29300506032b65700341007eb6a3f3ad88116ee719393a832e827a51"
            "d6b78870a299e5078d83a822001b9a673bf4a88c6df5b2ed2a1b415f659496151766a00208d3982c2f29"
            "26c409bf0b");
}

}  // namespace
}  // namespace peernet::crypto
