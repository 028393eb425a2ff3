// Snapshots of a tracker: arbitrary files are refused or read in bounds, also under a checksum that fits; what is read,
// written again and read once more is the same.

#include "fuzz/fuzz.hpp"
#include "tracker/snapshot.hpp"

using namespace peernet;
using namespace peernet::tracker;

namespace {

std::vector<std::byte> copy_of(ByteSpan file, std::uint64_t& peers) {
  SwarmSummary swarm;
  SnapshotEncoder encoder(1);
  peers = 0;
  const auto contents = read_snapshot(file, {[&](const SwarmId& id, std::uint32_t completed) {
                                               swarm.swarm = id;
                                               swarm.completed = completed;
                                             },
                                             [&](const SwarmId& id, const PeerSummary& peer) {
                                               PN_CHECK(id == swarm.swarm && peer.node.address.port != 0);
                                               encoder.add(swarm, peer);
                                               ++peers;
                                             }});
  PN_CHECK(contents ? contents->peers == peers : peers == 0);
  if (!contents) return {};
  encoder.finish();
  return {encoder.gathered().begin(), encoder.gathered().end()};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::vector<std::byte> file = fuzz::Input(data, size).rest();
  std::uint64_t peers = 0;
  copy_of(file, peers);
  const Hash128 checksum = crypto::xxh3_128(file);
  file.insert(file.end(), checksum.begin(), checksum.end());
  file.shrink_to_fit();
  const std::vector<std::byte> first = copy_of(file, peers);
  if (first.empty()) return 0;
  std::uint64_t again = 0;
  const std::vector<std::byte> second = copy_of(first, again);
  PN_CHECK(again == peers && second == first);
  return 0;
}
