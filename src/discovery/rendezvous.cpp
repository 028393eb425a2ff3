#include "discovery/rendezvous.hpp"

#include <algorithm>
#include <numeric>

#include "crypto/hash.hpp"

namespace peernet::discovery {

Hash256 rendezvous_weight(std::string_view tracker, const SwarmId& swarm) {
  crypto::Sha256 hash;
  hash.update(as_bytes(tracker.data(), tracker.size()));
  hash.update(swarm);
  return hash.finish();
}

std::vector<std::size_t> rank_trackers(std::span<const std::string_view> trackers, const SwarmId& swarm) {
  std::vector<Hash256> weights;
  weights.reserve(trackers.size());
  for (const std::string_view name : trackers) weights.push_back(rendezvous_weight(name, swarm));
  std::vector<std::size_t> order(trackers.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::sort(order, [&](std::size_t a, std::size_t b) {
    return weights[a] != weights[b] ? weights[a] > weights[b] : a < b;  // equal only where a name is given twice
  });
  return order;
}

}  // namespace peernet::discovery
