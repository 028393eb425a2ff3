// TLS 1.3 by OpenSSL over memory BIOs. The only file of the project with SSL_ and RAND_ symbols: libssl draws its own
// randomness and reads the clock, so the whole of it stands behind the Handshake seam.
#include "crypto/handshake.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <array>
#include <cstring>
#include <string_view>
#include <utility>
#include <vector>

#include "base/check.hpp"
#include "crypto/hash.hpp"
#include "crypto/openssl_start.hpp"

namespace peernet::crypto {
namespace {

constexpr std::array<unsigned char, 10> kAlpn = {9, 'p', 'e', 'e', 'r', 'n', 'e', 't', '/', '1'};
constexpr std::string_view kExporterLabel = "EXPORTER-peernet-pn1";
constexpr long kMaxCertificateBytes = 2048;  // ours has about 230
constexpr Error kFailed{ErrorCode::kRefused, 0, "the TLS handshake failed"};

template <class T, void (*Free)(T*)>
struct Freed {
  void operator()(T* p) const { Free(p); }
};
using KeyPtr = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY, EVP_PKEY_free>>;
using ContextPtr = std::unique_ptr<SSL_CTX, Freed<SSL_CTX, SSL_CTX_free>>;
using SslPtr = std::unique_ptr<SSL, Freed<SSL, SSL_free>>;

/// Replaces OpenSSL's chain building (and its look at the clock): one certificate, Ed25519, signed by its own key.
int verify_certificate(X509_STORE_CTX* store, void*) {
  X509* const certificate = X509_STORE_CTX_get0_cert(store);
  const STACK_OF(X509)* const chain = X509_STORE_CTX_get0_untrusted(store);
  EVP_PKEY* const key = certificate == nullptr ? nullptr : X509_get0_pubkey(certificate);
  if (key != nullptr && sk_X509_num(chain) == 1 && EVP_PKEY_get_id(key) == EVP_PKEY_ED25519 &&
      X509_verify(certificate, key) == 1)
    return 1;
  X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_REJECTED);
  return 0;
}

int select_alpn(SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* in, unsigned int in_size,
                void*) {
  unsigned char* chosen = nullptr;
  if (SSL_select_next_proto(&chosen, out_size, kAlpn.data(), kAlpn.size(), in, in_size) != OPENSSL_NPN_NEGOTIATED)
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

class TlsHandshake final : public Handshake {
 public:
  TlsHandshake(SSL_CTX* context, bool initiator) : ssl_(SSL_new(context)), in_(BIO_new(BIO_s_mem())) {
    BIO* const out = BIO_new(BIO_s_mem());
    PN_CHECK(ssl_ != nullptr && in_ != nullptr && out != nullptr);
    out_ = out;
    SSL_set_bio(ssl_.get(), in_, out);  // owns both from here on
    output_.reserve(1024);
    if (initiator) {
      SSL_set_connect_state(ssl_.get());
      PN_CHECK(advance().has_value() && !output_.empty());  // nothing of a peer's is involved yet
    } else {
      SSL_set_accept_state(ssl_.get());
    }
  }

  Result<void> on_stream(ByteSpan bytes) override {
    if (failed_) return std::unexpected(kFailed);
    if (bytes.empty()) return {};
    if (finished_ || bytes.size() > kMaxHandshakeStream - received_) return fail();
    received_ += bytes.size();
    PN_CHECK(BIO_write(in_, bytes.data(), static_cast<int>(bytes.size())) == static_cast<int>(bytes.size()));
    return advance();
  }

  ByteSpan output() const override { return output_; }
  bool finished() const override { return finished_; }

  NodeId peer_id() const override {
    PN_CHECK(finished_);
    return peer_id_;
  }

  SessionSecrets export_secrets(ByteSpan context) const override {
    PN_CHECK(finished_);
    SessionSecrets out;
    ByteArray<3 * sizeof(Hash256)> bytes;
    PN_CHECK(SSL_export_keying_material(ssl_.get(), reinterpret_cast<unsigned char*>(bytes.data()), bytes.size(),
                                        kExporterLabel.data(), kExporterLabel.size(),
                                        reinterpret_cast<const unsigned char*>(context.data()), context.size(),
                                        1) == 1);
    std::memcpy(out.initiator_to_responder.data(), bytes.data(), 32);
    std::memcpy(out.responder_to_initiator.data(), bytes.data() + 32, 32);
    std::memcpy(out.binding.data(), bytes.data() + 64, 32);
    wipe(bytes);
    return out;
  }

 private:
  Result<void> advance() {
    ERR_clear_error();
    const int result = SSL_do_handshake(ssl_.get());
    drain();
    if (result != 1) return SSL_get_error(ssl_.get(), result) == SSL_ERROR_WANT_READ ? Result<void>{} : fail();
    // The exporter of a server answers before the client's Finished has come; only this says that it is over.
    if (SSL_is_init_finished(ssl_.get()) != 1 || BIO_pending(in_) != 0) return fail();
    if (!agreed_on_protocol() || !take_peer_id()) return fail();
    finished_ = true;
    return {};
  }

  void drain() {
    const std::size_t n = BIO_ctrl_pending(out_);
    if (n == 0) return;
    const std::size_t old = output_.size();
    output_.resize(old + n);
    PN_CHECK(BIO_read(out_, output_.data() + old, static_cast<int>(n)) == static_cast<int>(n));
  }

  bool agreed_on_protocol() const {
    const unsigned char* chosen = nullptr;
    unsigned int size = 0;
    SSL_get0_alpn_selected(ssl_.get(), &chosen, &size);  // a peer that offers no ALPN at all never meets the callback
    return size == kAlpn.size() - 1 && std::memcmp(chosen, kAlpn.data() + 1, size) == 0;
  }

  bool take_peer_id() {
    X509* const certificate = SSL_get0_peer_certificate(ssl_.get());
    EVP_PKEY* const key = certificate == nullptr ? nullptr : X509_get0_pubkey(certificate);
    std::size_t n = peer_id_.size();
    return key != nullptr &&
           EVP_PKEY_get_raw_public_key(key, reinterpret_cast<unsigned char*>(peer_id_.data()), &n) == 1 &&
           n == peer_id_.size();
  }

  std::unexpected<Error> fail() {
    failed_ = true;
    finished_ = false;
    ERR_clear_error();
    return std::unexpected(kFailed);
  }

  SslPtr ssl_;
  BIO* in_;             // owned by ssl_
  BIO* out_ = nullptr;  // owned by ssl_
  std::vector<std::byte> output_;
  std::size_t received_ = 0;
  NodeId peer_id_{};
  bool finished_ = false;
  bool failed_ = false;
};

class TlsHandshakeFactory final : public HandshakeFactory {
 public:
  TlsHandshakeFactory(ContextPtr context, const NodeId& id) : context_(std::move(context)), id_(id) {}

  std::unique_ptr<Handshake> start_initiator() override { return std::make_unique<TlsHandshake>(context_.get(), true); }
  std::unique_ptr<Handshake> start_responder() override {
    return std::make_unique<TlsHandshake>(context_.get(), false);
  }
  const NodeId& local_id() const override { return id_; }

 private:
  ContextPtr context_;  // SSL_new only counts a reference, so any thread may start
  NodeId id_;
};

bool configure(SSL_CTX* context, const Identity& identity) {
  const std::vector<std::byte> certificate = identity.certificate_der();
  const KeyPtr key(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr,
                                                reinterpret_cast<const unsigned char*>(identity.seed().data()),
                                                identity.seed().size()));
  if (key == nullptr) return false;
  SSL_CTX_set_options(context, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION);
  SSL_CTX_clear_options(context, SSL_OP_ENABLE_MIDDLEBOX_COMPAT);  // no middlebox sees this stream
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);             // half-open handshakes stay small
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_quiet_shutdown(context, 1);
  SSL_CTX_set_max_cert_list(context, kMaxCertificateBytes);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  SSL_CTX_set_cert_verify_callback(context, verify_certificate, nullptr);
  SSL_CTX_set_alpn_select_cb(context, select_alpn, nullptr);
  return SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) == 1 &&
         SSL_CTX_set_max_proto_version(context, TLS1_3_VERSION) == 1 &&
         SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256") == 1 &&
         SSL_CTX_set1_groups_list(context, "X25519") == 1 && SSL_CTX_set1_sigalgs_list(context, "ed25519") == 1 &&
         SSL_CTX_set1_client_sigalgs_list(context, "ed25519") == 1 && SSL_CTX_set_num_tickets(context, 0) == 1 &&
         SSL_CTX_set_max_early_data(context, 0) == 1 &&
         SSL_CTX_set_alpn_protos(context, kAlpn.data(), kAlpn.size()) == 0 &&  // 0 is success here
         SSL_CTX_use_certificate_ASN1(context, static_cast<int>(certificate.size()),
                                      reinterpret_cast<const unsigned char*>(certificate.data())) == 1 &&
         SSL_CTX_use_PrivateKey(context, key.get()) == 1;
}

}  // namespace

Result<std::unique_ptr<HandshakeFactory>> make_tls_handshake_factory(const Identity& identity) {
  internal::start_openssl();
  ContextPtr context(SSL_CTX_new(TLS_method()));
  if (context == nullptr || !configure(context.get(), identity)) {
    ERR_clear_error();
    return std::unexpected(Error{ErrorCode::kInternal, 0, "OpenSSL offers no TLS 1.3 with Ed25519 and X25519"});
  }
  return std::make_unique<TlsHandshakeFactory>(std::move(context), identity.id());
}

}  // namespace peernet::crypto
