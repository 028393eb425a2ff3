// How much useless work one receiver may make: what it asks for in vain costs points, something good clears them, and
// with too many of them its session ends. Honest receivers ask in vain now and then (a chunk that is being spread, a
// cancel that crosses the last byte), never thousands of times in a row.
#pragma once

#include <cstdint>

namespace peernet::swarm {

class Patience {
 public:
  static constexpr std::uint32_t kMost = 4096;
  // What things cost.
  static constexpr std::uint32_t kNotHad = 1;  ///< also: refused for now
  static constexpr std::uint32_t kIdleCancel = 1;
  static constexpr std::uint32_t kNotJoined = 4;  ///< crosses a LEAVE
  static constexpr std::uint32_t kTooMany = 4;    ///< more requests than it was told
  static constexpr std::uint32_t kJoin = 64;
  static constexpr std::uint32_t kBadRange = 512;  ///< nobody who has read the manifest asks that

  /// False: it is over.
  bool spend(std::uint32_t points) {
    spent_ += points;
    return spent_ <= kMost;
  }
  void on_good() { spent_ = 0; }

 private:
  std::uint32_t spent_ = 0;
};

}  // namespace peernet::swarm
