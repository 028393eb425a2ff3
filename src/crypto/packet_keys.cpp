#include "crypto/packet_keys.hpp"

#include <utility>

#include "base/check.hpp"
#include "crypto/hash.hpp"
#include "crypto/nonce.hpp"

namespace peernet::crypto {
namespace {

EpochKeys make_keys(const PacketKeyOptions& options) {
  Result<std::unique_ptr<Aead>> aead = make_aead(options.backend, options.cipher);
  PN_CHECK(aead.has_value());
  return {std::move(*aead), {}};
}

void derive(EpochKeys& keys, Cipher cipher, const Hash256& secret) {
  ByteArray<32> key;
  const MutableByteSpan used = MutableByteSpan(key).first(key_bytes(cipher));
  hkdf_expand(secret, label("pn1 key"), used);
  hkdf_expand(secret, label("pn1 iv"), keys.iv);
  keys.aead->set_key(used);
  wipe(key);
}

Hash256 secret_after(const Hash256& secret) {
  Hash256 next;
  hkdf_expand(secret, label("pn1 next"), next);
  return next;
}

/// current <- next, and the keys after that are derived into `next`; what `next` held before is overwritten.
void step(EpochKeys& current, EpochKeys& next, Hash256& next_secret, Cipher cipher) {
  std::swap(current, next);
  Hash256 after = secret_after(next_secret);
  next_secret = after;  // over the old one
  wipe(after);
  derive(next, cipher, next_secret);
}

void wipe_keys(EpochKeys& keys) {
  wipe(keys.iv);
}  // an Aead wipes its own key

}  // namespace

PacketSealer::PacketSealer(const PacketKeyOptions& options, const Hash256& secret)
    : options_(options), next_secret_(secret_after(secret)), current_(make_keys(options)), next_(make_keys(options)) {
  PN_CHECK(options.epoch_shift >= 1 && options.epoch_shift <= 40);
  derive(current_, options.cipher, secret);
  derive(next_, options.cipher, next_secret_);
}
PacketSealer::PacketSealer(PacketSealer&&) noexcept = default;
PacketSealer& PacketSealer::operator=(PacketSealer&&) noexcept = default;
PacketSealer::~PacketSealer() {
  wipe(next_secret_);
  wipe_keys(current_);
  wipe_keys(next_);
}

void PacketSealer::roll() {
  step(current_, next_, next_secret_, options_.cipher);
  ++epoch_;
}

void PacketSealer::seal(PacketNumber pn, ByteSpan aad, ByteSpan in, MutableByteSpan out) {
  PN_CHECK(pn >= least_allowed_);
  least_allowed_ = pn + 1;
  while (epoch_ < epoch_of(pn, options_.epoch_shift)) roll();
  current_.aead->seal(internal::nonce_of(current_.iv, pn), aad, in, out);
}

PacketOpener::PacketOpener(const PacketKeyOptions& options, const Hash256& secret)
    : options_(options),
      next_secret_(secret_after(secret)),
      previous_(make_keys(options)),
      current_(make_keys(options)),
      next_(make_keys(options)) {
  PN_CHECK(options.epoch_shift >= 1 && options.epoch_shift <= 40);
  derive(current_, options.cipher, secret);
  derive(next_, options.cipher, next_secret_);
}
PacketOpener::PacketOpener(PacketOpener&&) noexcept = default;
PacketOpener& PacketOpener::operator=(PacketOpener&&) noexcept = default;
PacketOpener::~PacketOpener() {
  wipe(next_secret_);
  wipe_keys(previous_);
  wipe_keys(current_);
  wipe_keys(next_);
}

void PacketOpener::roll() {
  std::swap(previous_, current_);
  step(current_, next_, next_secret_, options_.cipher);
  ++epoch_;
  previous_alive_ = true;
}

OpenResult PacketOpener::open(PacketNumber pn, ByteSpan aad, ByteSpan in, MutableByteSpan out) {
  const KeyEpoch epoch = epoch_of(pn, options_.epoch_shift);
  const bool is_next = epoch == epoch_ + 1;
  EpochKeys* keys = nullptr;
  if (epoch == epoch_) {
    keys = &current_;
  } else if (is_next) {
    keys = &next_;
  } else if (previous_alive_ && epoch + 1 == epoch_) {
    keys = &previous_;
  } else {
    return OpenResult::kBadEpoch;
  }
  if (!keys->aead->open(internal::nonce_of(keys->iv, pn), aad, in, out)) return OpenResult::kBadTag;
  if (is_next) roll();
  const std::uint64_t border = epoch_.value() << options_.epoch_shift;
  if (previous_alive_ && pn.value() >= border + kPreviousEpochGrace) {
    previous_alive_ = false;
    const Hash256 zeros{};
    previous_.aead->set_key(ByteSpan(zeros).first(key_bytes(options_.cipher)));  // overwrites the old key
    wipe(previous_.iv);
  }
  return OpenResult::kOk;
}

}  // namespace peernet::crypto
