// AES-GCM, differential: intel-ipsec-mb against OpenSSL, apart and in place, on every size and AAD; then one changed
// byte.
#include <algorithm>

#include "crypto/aead.hpp"
#include "fuzz/fuzz.hpp"

using namespace peernet;
using namespace peernet::crypto;

namespace {

std::unique_ptr<Aead> make(AeadBackend backend, Cipher cipher) {
  // A build without ipsec-mb compares OpenSSL with itself: only the round trips and the refusals are left then.
  Result<std::unique_ptr<Aead>> aead =
      make_aead(aead_backend_available(backend) ? backend : AeadBackend::kOpenssl, cipher);
  PN_CHECK(aead.has_value());
  return std::move(*aead);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  const Cipher cipher = (input.u8() & 1) != 0 ? Cipher::kAes128Gcm : Cipher::kAes256Gcm;
  const std::size_t aad_size = input.u8() % 48;
  const std::uint32_t change_at = input.u32();
  const std::uint8_t change = input.u8();
  ByteArray<32> key{};
  ByteWriter(key).u64(input.u64());
  AeadNonce nonce{};
  ByteWriter(nonce).u64(input.u64());
  const std::vector<std::byte> all = input.rest();
  const std::vector<std::byte> aad(all.begin(),
                                   all.begin() + static_cast<std::ptrdiff_t>(std::min(aad_size, all.size())));
  const std::vector<std::byte> text(all.begin() + static_cast<std::ptrdiff_t>(aad.size()), all.end());

  const std::unique_ptr<Aead> a = make(AeadBackend::kIpsecMb, cipher);
  const std::unique_ptr<Aead> b = make(AeadBackend::kOpenssl, cipher);
  a->set_key(ByteSpan(key).first(key_bytes(cipher)));
  b->set_key(ByteSpan(key).first(key_bytes(cipher)));
  std::vector<std::byte> by_a(text.size() + kAeadTagBytes);
  std::vector<std::byte> by_b(text.size() + kAeadTagBytes);
  a->seal(nonce, aad, text, by_a);
  b->seal(nonce, aad, text, by_b);
  PN_CHECK(by_a == by_b);
  std::vector<std::byte> in_place(text);
  in_place.resize(by_a.size());
  a->seal(nonce, aad, ByteSpan(in_place).first(text.size()), in_place);
  PN_CHECK(in_place == by_a);

  std::vector<std::byte> out(text.size());
  PN_CHECK(a->open(nonce, aad, by_b, out) && out == text);
  PN_CHECK(b->open(nonce, aad, by_a, out) && out == text);
  PN_CHECK(a->open(nonce, aad, in_place, MutableByteSpan(in_place).first(text.size())));
  PN_CHECK(std::equal(text.begin(), text.end(), in_place.begin()));
  if (change != 0) {
    by_a[change_at % by_a.size()] ^= static_cast<std::byte>(change);
    PN_CHECK(!a->open(nonce, aad, by_a, out) && out == std::vector<std::byte>(text.size()));
    PN_CHECK(!b->open(nonce, aad, by_a, out) && out == std::vector<std::byte>(text.size()));
  }
  return 0;
}
