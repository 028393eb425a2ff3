// The seam for unpredictable bytes: session ids, retry secrets, identities. The system's implementation is
// io/system_random.hpp; the simulator passes a seeded one.
#pragma once

#include "base/types.hpp"

namespace peernet {

class RandomSource {
 public:
  virtual ~RandomSource() = default;
  /// Fills all of `out`; cannot fail (an operating system without randomness is no place to run).
  virtual void fill(MutableByteSpan out) = 0;

  template <std::size_t N>
  ByteArray<N> array() {
    ByteArray<N> out;
    fill(out);
    return out;
  }
};

}  // namespace peernet
