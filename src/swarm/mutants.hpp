// Planted bugs for the simulator: each must be found by tests/sim. Compiled only into swarm_mutant_lib
// (PEERNET_MUTANTS); in the production library mutant() is a constant false and the branches vanish.
#pragma once

#include <cstdint>

namespace peernet::swarm {

enum class Mutant : std::uint8_t {
  kNone,
  // Download
  kNeverRetryAfterTimeout,  ///< what a stalled source held counts as asked for ever
  kEndgameThirdCopy,        ///< the endgame asks for ranges that two sources send already
  kForgetCancelledCredit,   ///< a confirmed cancel does not return its credit
  kAcceptUnrequestedRange,  ///< bytes beyond their request have a target
  kHaveNeverForgotten,      ///< "not had" is not believed: the chunk is asked there again and again
  kCompleteWithMissing,     ///< complete with one chunk missing
  kRarestNeverOpensAgain,   ///< a chunk that was given up is not begun again
  kBanHonestOnMixedChunk,   ///< wrong bytes from several sources are blamed on the first of them
  kLoserKeepsItsRequest,    ///< the endgame's loser is not cancelled when all its bytes are here
  kSpreadingIsAFailure,     ///< who gives chunks to others first is suspended for it
  kBytesInTheWrongPlace,    ///< a packet within a chunk lands one byte too early
  // UploadQueue, HaveLog, serving
  kServeUnwrittenChunk,     ///< a chunk is announced and served once it is verified, before it is written
  kHaveCursorSkips,         ///< a receiver that is told of new chunks misses the last of them
  kUploadForgetsLostRange,  ///< a lost range of an upload is not sent again
  kSpreadingForever,        ///< a chunk once given to another receiver is refused however long ago that was
  kCancelNotConfirmed,      ///< a CANCEL ends the upload and nobody tells the receiver
  // Fetch
  kTrustFastHashOfAnyone,  ///< XXH3-128 alone suffices for whatever source
  kIgnoreTrackerPeers,     ///< nobody is dialled whom a tracker names
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
