// Planted bugs for the simulator: each must be found by tests/sim. Compiled only into swarm_mutant_lib
// (PEERNET_MUTANTS); in the production library mutant() is a constant false and the branches vanish.
#pragma once

#include <cstdint>

namespace peernet::swarm {

enum class Mutant : std::uint8_t {
  kNone,
  kServeUnwrittenChunk,     ///< a chunk is announced and served once it is verified, before it is written
  kHaveCursorSkips,         ///< a receiver that is told of new chunks misses the last of them
  kUploadForgetsLostRange,  ///< a lost range of an upload is not sent again
  kSpreadingForever,        ///< a chunk once given to another receiver is refused however long ago that was
  kCancelNotConfirmed,      ///< a CANCEL ends the upload and nobody tells the receiver
  kCount
};

#ifdef PEERNET_MUTANTS
inline Mutant g_mutant = Mutant::kNone;  // set by a test between runs, single-threaded
inline bool mutant(Mutant m) {
  return g_mutant == m;
}
#else
constexpr bool mutant(Mutant) {
  return false;
}
#endif

}  // namespace peernet::swarm
