#include "sim/mutants.hpp"

#include <array>

namespace peernet::sim {

using transport::Mutant;

namespace {
constexpr std::size_t kMutants = static_cast<std::size_t>(Mutant::kCount);
constexpr std::array<const char*, kMutants> kNames{"None",
                                                   "ReusePacketNumberAfterPto",
                                                   "MarkBeforeTagCompare",
                                                   "ForgetEpochRoll",
                                                   "IgnoreReplay",
                                                   "DoubleCountAckedBytes",
                                                   "NeverRetransmitRequest",
                                                   "ForgetLostData",
                                                   "ExceedWindow",
                                                   "AckUnreceived",
                                                   "AckRangeOffByOne",
                                                   "IgnoreAmplificationLimit",
                                                   "LeakInFlightOnLoss",
                                                   "NoPtoBackoff",
                                                   "DataAfterClose",
                                                   "MigrateOnOldPacket",
                                                   "ProbeLossShrinksWindow",
                                                   "AcceptOptimisticAck",
                                                   "KeysBeforeFinished"};

constexpr std::size_t kSwarmMutants = static_cast<std::size_t>(swarm::Mutant::kCount);
constexpr std::array<const char*, kSwarmMutants> kSwarmNames{"None",
                                                             "NeverRetryAfterTimeout",
                                                             "EndgameThirdCopy",
                                                             "ForgetCancelledCredit",
                                                             "AcceptUnrequestedRange",
                                                             "HaveNeverForgotten",
                                                             "CompleteWithMissing",
                                                             "RarestNeverOpensAgain",
                                                             "BanHonestOnMixedChunk",
                                                             "LoserKeepsItsRequest",
                                                             "SpreadingIsAFailure",
                                                             "BytesInTheWrongPlace",
                                                             "ServeUnwrittenChunk",
                                                             "HaveCursorSkips",
                                                             "UploadForgetsLostRange",
                                                             "SpreadingForever",
                                                             "CancelNotConfirmed",
                                                             "TrustFastHashOfAnyone",
                                                             "IgnoreTrackerPeers"};
}  // namespace

const char* name_of(Mutant mutant) {
  return kNames[static_cast<std::size_t>(mutant)];
}

const char* name_of(swarm::Mutant mutant) {
  return kSwarmNames[static_cast<std::size_t>(mutant)];
}

bool select_mutant(const std::string& name) {
#ifdef PEERNET_MUTANTS
  for (std::size_t i = 0; i < kMutants; ++i) {
    if (name != kNames[i]) continue;
    transport::g_mutant = static_cast<Mutant>(i);
    return true;
  }
  for (std::size_t i = 0; i < kSwarmMutants; ++i) {
    if (name != kSwarmNames[i]) continue;
    swarm::g_mutant = static_cast<swarm::Mutant>(i);
    return true;
  }
#endif
  return name == kNames[0];
}

}  // namespace peernet::sim
