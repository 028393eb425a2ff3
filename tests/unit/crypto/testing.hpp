// What the tests of this room share.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/random_source.hpp"
#include "base/rng.hpp"
#include "base/types.hpp"

namespace peernet::crypto {

using Bytes = std::vector<std::byte>;

inline Bytes from_hex(std::string_view hex) {
  const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  Bytes out;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
    out.push_back(static_cast<std::byte>(digit(hex[i]) * 16 + digit(hex[i + 1])));
  return out;
}

inline std::string to_hex(ByteSpan bytes) {
  std::string out;
  for (const std::byte b : bytes) {
    out += "0123456789abcdef"[std::to_integer<int>(b) >> 4];
    out += "0123456789abcdef"[std::to_integer<int>(b) & 15];
  }
  return out;
}

inline Bytes from_text(std::string_view text) {
  const ByteSpan bytes = as_bytes(text.data(), text.size());
  return {bytes.begin(), bytes.end()};
}

inline void fill_random(Rng& rng, MutableByteSpan out) {
  for (std::byte& b : out) b = static_cast<std::byte>(rng.next() & 0xff);
}

inline Bytes random_bytes(Rng& rng, std::size_t n) {
  Bytes out(n);
  fill_random(rng, out);
  return out;
}

template <std::size_t N>
ByteArray<N> random_array(Rng& rng) {
  ByteArray<N> out;
  fill_random(rng, out);
  return out;
}

template <std::size_t N>
ByteArray<N> array_of(ByteSpan bytes) {
  ByteArray<N> out{};
  EXPECT_EQ(bytes.size(), N);
  std::copy_n(bytes.begin(), std::min(bytes.size(), N), out.begin());
  return out;
}

class SeededRandom final : public RandomSource {
 public:
  explicit SeededRandom(std::uint64_t seed) : rng_(seed) {}
  void fill(MutableByteSpan out) override { fill_random(rng_, out); }

 private:
  Rng rng_;
};

/// Allocations of the whole program since its start, OpenSSL's included (allocation_counter.cpp).
std::uint64_t allocations();

}  // namespace peernet::crypto
