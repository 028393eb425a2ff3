#include "crypto/siphash.hpp"

#include <bit>
#include <cstring>

namespace peernet::crypto {
namespace {

constexpr std::size_t kWord = 8;
constexpr int kRoundsPerWord = 2;
constexpr int kFinalRounds = 4;

std::uint64_t load_little_endian(const std::byte* from) {
  std::uint64_t v;
  std::memcpy(&v, from, kWord);
  if constexpr (std::endian::native == std::endian::big) v = std::byteswap(v);
  return v;
}

struct State {
  std::uint64_t v0, v1, v2, v3;

  void rounds(int count) {
    for (int i = 0; i < count; ++i) {
      v0 += v1;
      v2 += v3;
      v1 = std::rotl(v1, 13) ^ v0;
      v3 = std::rotl(v3, 16) ^ v2;
      v0 = std::rotl(v0, 32);
      v2 += v1;
      v0 += v3;
      v1 = std::rotl(v1, 17) ^ v2;
      v3 = std::rotl(v3, 21) ^ v0;
      v2 = std::rotl(v2, 32);
    }
  }

  void absorb(std::uint64_t word) {
    v3 ^= word;
    rounds(kRoundsPerWord);
    v0 ^= word;
  }
};

}  // namespace

std::uint64_t siphash24(const Hash128& key, ByteSpan data) {
  const std::uint64_t k0 = load_little_endian(key.data());
  const std::uint64_t k1 = load_little_endian(key.data() + kWord);
  // The constants spell "somepseudorandomlygeneratedbytes".
  State s{k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d, k0 ^ 0x6c7967656e657261, k1 ^ 0x7465646279746573};
  const std::size_t whole = data.size() / kWord * kWord;
  for (std::size_t at = 0; at < whole; at += kWord) s.absorb(load_little_endian(data.data() + at));
  // The last word: what is left, and the length modulo 256 in its highest byte.
  std::uint64_t last = std::uint64_t{data.size()} << 56;
  for (std::size_t i = whole; i < data.size(); ++i)
    last |= std::uint64_t{std::to_integer<std::uint8_t>(data[i])} << (8 * (i - whole));
  s.absorb(last);
  s.v2 ^= 0xff;
  s.rounds(kFinalRounds);
  return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

}  // namespace peernet::crypto
