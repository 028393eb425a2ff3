#include "unit/crypto/raw_tls.hpp"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/x509.h>

namespace peernet::crypto {
namespace {

X509* certificate_of(EVP_PKEY* subject, EVP_PKEY* signer, const EVP_MD* digest) {
  X509* const x = X509_new();
  X509_set_version(x, X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
  X509_gmtime_adj(X509_getm_notBefore(x), -100);
  X509_gmtime_adj(X509_getm_notAfter(x), 1000);
  X509_NAME* const name = X509_get_subject_name(x);
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("raw"), -1, -1, 0);
  X509_set_issuer_name(x, name);
  X509_set_pubkey(x, subject);
  EXPECT_GT(X509_sign(x, signer, digest), 0);
  return x;
}

int accept_any_certificate(int, X509_STORE_CTX*) {
  return 1;
}

int select_alpn(SSL*, const unsigned char** out, unsigned char* size, const unsigned char*, unsigned int, void* alpn) {
  const std::string& own = *static_cast<const std::string*>(alpn);  // said whether it was offered or not
  *out = reinterpret_cast<const unsigned char*>(own.data()) + 1;
  *size = static_cast<unsigned char>(own.size() - 1);
  return SSL_TLSEXT_ERR_OK;
}

}  // namespace

RawTls::RawTls(Side side, const Options& options) : options_(options), context_(SSL_CTX_new(TLS_method())) {
  SSL_CTX_set_max_proto_version(context_, options_.max_version);
  SSL_CTX_set_ciphersuites(context_, options_.ciphersuites.c_str());
  SSL_CTX_set1_groups_list(context_, options_.groups.c_str());
  SSL_CTX_set_verify(context_, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, accept_any_certificate);
  SSL_CTX_set_num_tickets(context_, options_.tickets);
  if (!options_.alpn.empty()) {
    SSL_CTX_set_alpn_protos(context_, reinterpret_cast<const unsigned char*>(options_.alpn.data()),
                            static_cast<unsigned>(options_.alpn.size()));
    SSL_CTX_set_alpn_select_cb(context_, select_alpn, &options_.alpn);
  }
  use_certificate(options_.certificate);
  ssl_ = SSL_new(context_);
  SSL_set_bio(ssl_, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
  if (side == Side::kClient) {
    SSL_set_connect_state(ssl_);
  } else {
    SSL_set_accept_state(ssl_);
  }
}

RawTls::~RawTls() {
  SSL_free(ssl_);
  SSL_CTX_free(context_);
}

void RawTls::use_certificate(Certificate kind) {
  if (kind == Certificate::kNone) return;
  EVP_PKEY* const key =
      kind == Certificate::kP256 ? EVP_EC_gen("P-256") : EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519");
  EVP_PKEY* const other = EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519");
  const EVP_MD* const digest = kind == Certificate::kP256 ? EVP_sha256() : nullptr;
  X509* const own = certificate_of(key, kind == Certificate::kForeign ? other : key, digest);
  EXPECT_EQ(SSL_CTX_use_certificate(context_, own), 1);
  EXPECT_EQ(SSL_CTX_use_PrivateKey(context_, key), 1);
  if (kind == Certificate::kChain) {
    X509* const second = certificate_of(other, other, nullptr);
    SSL_CTX_add1_chain_cert(context_, second);
    X509_free(second);
  }
  std::size_t n = id_.size();
  if (kind != Certificate::kP256) EVP_PKEY_get_raw_public_key(key, reinterpret_cast<unsigned char*>(id_.data()), &n);
  X509_free(own);
  EVP_PKEY_free(other);
  EVP_PKEY_free(key);
}

Bytes RawTls::exported(ByteSpan context) const {
  constexpr std::string_view kLabel = "EXPORTER-peernet-pn1";
  Bytes out(96);
  EXPECT_EQ(SSL_export_keying_material(ssl_, reinterpret_cast<unsigned char*>(out.data()), out.size(), kLabel.data(),
                                       kLabel.size(), reinterpret_cast<const unsigned char*>(context.data()),
                                       context.size(), 1),
            1);
  return out;
}

bool RawTls::run_against(Handshake& ours) {
  std::size_t taken = 0;
  bool done = false;
  for (int turn = 0; turn < 10; ++turn) {
    const ByteSpan said = ours.output().subspan(taken);
    taken += said.size();
    if (!said.empty()) BIO_write(SSL_get_rbio(ssl_), said.data(), static_cast<int>(said.size()));
    if (!done) {
      ERR_clear_error();
      const int result = SSL_do_handshake(ssl_);
      if (result != 1 && SSL_get_error(ssl_, result) != SSL_ERROR_WANT_READ) return false;
      done = result == 1;
    }
    Bytes answer(BIO_ctrl_pending(SSL_get_wbio(ssl_)));
    if (!answer.empty()) BIO_read(SSL_get_wbio(ssl_), answer.data(), static_cast<int>(answer.size()));
    if (!ours.on_stream(answer).has_value()) return false;
  }
  return done && ours.finished();
}

}  // namespace peernet::crypto
