// Which peers go into a reply. Never the asker, never the dead; always as many as were wanted or are known; random, but
// useful ones first and no neighbourhood above its share (SubnetQuota) while there are others.
#pragma once

#include <cstdint>

#include "base/inplace_vector.hpp"
#include "base/rng.hpp"
#include "base/types.hpp"
#include "tracker/peer_records.hpp"
#include "tracker/peer_set.hpp"

namespace peernet::tracker {

/// How many candidates are looked at beyond the wanted number when some had to stand back for their neighbourhood. It
/// bounds the work of one reply to some 10 us; a smaller swarm is looked at whole.
inline constexpr std::uint32_t kFurtherCandidates = 4096;

/// Writes at most `places` (at most wire::kMaxPeersV4) peers into out, Record::kReplySize bytes each, and returns the
/// bytes. A leecher gets seeders and leechers in the proportion in which they exist, a seeder gets leechers first.
template <class Record>
std::size_t choose_legacy(const PeerSet<Record>& set, const Record& asker, std::uint32_t places, const Ages& ages,
                          Moment now, Rng& rng, MutableByteSpan out);

struct NodeWishes {
  std::uint32_t places = 0;  ///< at most wire::kMaxNodePeers
  bool v4 = true;            ///< families the asker reaches
  bool v6 = true;
};

using ChosenNodes = InplaceVector<wire::NodePeer, wire::kMaxNodePeers>;

/// Served nodes only. A quarter of the places goes to anybody, the rest to those who have most of what the asker lacks
/// (asker.owned); at most half to complete nodes while there are useful partial ones, and the reverse.
void choose_nodes(const PeerSet<Node>& set, const Node& asker, const NodeWishes& wishes, const Ages& ages, Moment now,
                  Rng& rng, ChosenNodes& out);

}  // namespace peernet::tracker
