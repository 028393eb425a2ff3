// XXH3-128 of chunks while they arrive: bytes that come in order are hashed while they are still in the cache, the rest
// when the chunk is whole.
#pragma once

#include <vector>

#include "base/check.hpp"
#include "base/range_set.hpp"
#include "base/types.hpp"
#include "crypto/hash.hpp"

namespace peernet::node {

class RunningHashes {
 public:
  explicit RunningHashes(std::size_t buffers) : hashes_(buffers) {}

  /// New bytes lie at `range` of a buffer. `life` changes whenever the buffer is used for another chunk, or anew for
  /// the same one: what was hashed before then counts no more. Never 0.
  void on_data(std::size_t buffer, std::uint32_t life, Range<std::uint32_t> range, ByteSpan bytes) {
    One& one = hashes_[buffer];
    if (one.life != life) {
      one.life = life;
      one.until = 0;
      one.hash.reset();
    }
    if (range.first != one.until) return;
    one.hash.update(bytes.subspan(range.first, range.size()));
    one.until = range.end;
  }

  /// Of all bytes of a chunk, which now is whole.
  Hash128 finish(std::size_t buffer, std::uint32_t life, ByteSpan chunk) {
    One& one = hashes_[buffer];
    if (one.life != life || one.until == 0) return crypto::xxh3_128(chunk);
    PN_CHECK(one.until <= chunk.size());
    one.hash.update(chunk.subspan(one.until));
    one.life = 0;
    return one.hash.finish();
  }

 private:
  struct One {
    crypto::Xxh3 hash;
    std::uint32_t life = 0;   ///< that the hash is of; 0: none
    std::uint32_t until = 0;  ///< bytes from the start on that are in it
  };
  std::vector<One> hashes_;
};

}  // namespace peernet::node
