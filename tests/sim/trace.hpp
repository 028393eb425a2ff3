// The fingerprint of a run: same seed, same trace. FNV-1a over the words that describe what happened.
#pragma once

#include <cstdint>

#include "base/time.hpp"

namespace peernet::sim {

class Trace {
 public:
  void add(std::uint64_t word) {
    hash_ = (hash_ ^ word) * 0x100000001b3ULL;
    hash_ ^= hash_ >> 29;  // plain FNV would never let a high bit reach the low ones
    ++words_;
  }
  void add(Instant at) { add(static_cast<std::uint64_t>(at.ns())); }
  std::uint64_t hash() const { return hash_; }
  std::uint64_t words() const { return words_; }

 private:
  std::uint64_t hash_ = 0xcbf29ce484222325ULL;
  std::uint64_t words_ = 0;
};

}  // namespace peernet::sim
