// What is transferred: up to 16 MiB of bytes that are a function of the seed and the position.
#pragma once

#include <vector>

#include "base/check.hpp"
#include "base/rng.hpp"
#include "base/types.hpp"

namespace peernet::sim {

/// All seeds share one table of random bytes; each looks at it from its own starting place, so that two seeds, and two
/// offsets of one seed, never show the same bytes and no seed pays for making 10 MB anew.
class Content {
 public:
  static constexpr std::uint64_t kMaxSize = 12 << 20;

  Content(std::uint64_t seed, std::uint64_t size)
      : start_(Rng(seed ^ 0xc0117e17).below(table().size() - kMaxSize)), size_(size) {
    PN_CHECK(size <= kMaxSize);
  }

  std::uint64_t size() const { return size_; }
  ByteSpan at(std::uint64_t offset, std::size_t length) const {
    PN_CHECK(offset + length <= size_);
    return ByteSpan(table()).subspan(start_ + offset, length);
  }

 private:
  static const std::vector<std::byte>& table() {
    static const std::vector<std::byte> bytes = [] {
      std::vector<std::byte> out(16 << 20);
      Rng rng(0x7ab1e);
      for (auto& b : out) b = static_cast<std::byte>(rng.next() >> 56);
      return out;
    }();
    return bytes;
  }

  std::uint64_t start_;
  std::uint64_t size_;
};

}  // namespace peernet::sim
