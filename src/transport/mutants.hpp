// Planted bugs for the simulator: each must be found by tests/sim. Compiled only into transport_mutant_lib
// (PEERNET_MUTANTS); in the production library mutant() is a constant false and the branches vanish.
#pragma once

#include <cstdint>

namespace peernet::transport {

enum class Mutant : std::uint8_t {
  kNone,
  kReusePacketNumberAfterPto,  ///< the probe repeats the last packet number
  kMarkBeforeTagCompare,       ///< on_data and the replay window move before the tag compared equal
  kForgetEpochRoll,            ///< packets of the next epoch are not opened
  kIgnoreReplay,               ///< a packet seen before is delivered again
  kDoubleCountAckedBytes,      ///< acknowledged bytes leave flight twice
  kNeverRetransmitRequest,     ///< a lost REQUEST is forgotten
  kForgetLostData,             ///< a lost DATA range is not reported
  kExceedWindow,               ///< data_budget ignores the congestion window
  kAckUnreceived,              ///< an ACK range is one packet too long
  kAckRangeOffByOne,           ///< the last (lowest) ACK range received is cut by one packet
  kIgnoreAmplificationLimit,   ///< a responder sends as much as it likes before validation
  kLeakInFlightOnLoss,         ///< lost bytes stay in flight
  kNoPtoBackoff,               ///< the PTO does not double: a timer loop
  kDataAfterClose,             ///< file bytes are delivered after the session closed
  kMigrateOnOldPacket,         ///< a reordered packet moves the path
  kProbeLossShrinksWindow,     ///< a lost MTU probe counts as congestion
  kAcceptOptimisticAck,        ///< an ACK of a skipped packet number is believed
  kKeysBeforeFinished,         ///< a responder opens sealed packets before the initiator's Finished
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

}  // namespace peernet::transport
