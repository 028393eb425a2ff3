#include "crypto/initial_keys.hpp"

#include "base/bytes.hpp"
#include "base/check.hpp"
#include "crypto/hash.hpp"
#include "crypto/nonce.hpp"

namespace peernet::crypto {
namespace {

InitialKey key_from(const Hash256& initial, ByteSpan direction) {
  Hash256 secret;
  hkdf_expand(initial, direction, secret);
  InitialKey out;
  hkdf_expand(secret, label("pn1 key"), out.key);
  hkdf_expand(secret, label("pn1 iv"), out.iv);
  return out;
}

std::unique_ptr<Aead> make(AeadBackend backend) {
  Result<std::unique_ptr<Aead>> aead = make_aead(backend, Cipher::kAes128Gcm);
  PN_CHECK(aead.has_value());
  return std::move(*aead);
}

}  // namespace

Hash256 initial_salt() {
  return sha256(label("PeerNet PN/1 initial salt"));
}

InitialKeys derive_initial_keys(std::uint64_t initiator_id) {
  ByteArray<8> id;
  ByteWriter(id).u64(initiator_id);
  const Hash256 initial = hkdf_extract(initial_salt(), id);
  return {key_from(initial, label("pn1 initiator")), key_from(initial, label("pn1 responder"))};
}

InitialKey retry_key() {
  return key_from(hkdf_extract(initial_salt(), label("retry")), label("pn1 retry"));
}

InitialProtection::InitialProtection(AeadBackend backend)
    : initiator_(make(backend)), responder_(make(backend)), retry_(make(backend)) {
  const InitialKey retry = retry_key();
  retry_->set_key(retry.key);
  retry_nonce_ = retry.iv;
}

void InitialProtection::rekey(std::uint64_t initiator_id) {
  if (keyed_ && initiator_id == initiator_id_) return;
  const InitialKeys keys = derive_initial_keys(initiator_id);
  initiator_->set_key(keys.initiator.key);
  responder_->set_key(keys.responder.key);
  initiator_iv_ = keys.initiator.iv;
  responder_iv_ = keys.responder.iv;
  initiator_id_ = initiator_id;
  keyed_ = true;
}

void InitialProtection::seal(From from, PacketNumber pn, ByteSpan aad, ByteSpan in, MutableByteSpan out) {
  PN_CHECK(keyed_);
  const bool initiator = from == From::kInitiator;
  (initiator ? initiator_ : responder_)
      ->seal(internal::nonce_of(initiator ? initiator_iv_ : responder_iv_, pn), aad, in, out);
}

bool InitialProtection::open(From from, PacketNumber pn, ByteSpan aad, ByteSpan in, MutableByteSpan out) {
  PN_CHECK(keyed_);
  const bool initiator = from == From::kInitiator;
  return (initiator ? initiator_ : responder_)
      ->open(internal::nonce_of(initiator ? initiator_iv_ : responder_iv_, pn), aad, in, out);
}

ByteArray<kAeadTagBytes> InitialProtection::retry_tag(ByteSpan packet_without_tag) {
  ByteArray<kAeadTagBytes> tag;
  retry_->seal(retry_nonce_, packet_without_tag, {}, tag);
  return tag;
}

bool InitialProtection::check_retry_tag(ByteSpan packet_without_tag, ByteSpan tag) {
  return tag.size() == kAeadTagBytes && retry_->open(retry_nonce_, packet_without_tag, tag, {});
}

}  // namespace peernet::crypto
