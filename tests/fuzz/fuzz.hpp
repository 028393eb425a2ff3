// What every fuzz target shares. A target is one function that is given bytes and checks properties of what comes out.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/bytes.hpp"
#include "base/check.hpp"

namespace peernet::fuzz {

/// Takes typed values off the front of the fuzzer's input (zeros once it has ended) and leaves the rest as the input
/// proper.
class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size)
      : reader_(ByteSpan(reinterpret_cast<const std::byte*>(data), size)) {}

  std::uint8_t u8() { return reader_.u8(); }
  std::uint16_t u16() { return reader_.u16(); }
  std::uint32_t u32() { return reader_.u32(); }
  std::uint64_t u64() { return reader_.u64(); }
  bool ended() const { return reader_.remaining() == 0; }
  /// The next n bytes, or what there is of them.
  ByteSpan up_to(std::size_t n) { return reader_.bytes(std::min(n, reader_.remaining())); }
  /// What is left, in a block of exactly its size, so that ASan sees a read of one byte past it.
  std::vector<std::byte> rest() {
    const ByteSpan left = reader_.rest();
    return {left.begin(), left.end()};
  }

 private:
  ByteReader reader_;
};

}  // namespace peernet::fuzz
