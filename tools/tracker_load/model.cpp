#include "model.hpp"

#include <algorithm>
#include <cmath>

#include "packets.hpp"
#include "sources.hpp"

namespace peernet::tracker_load {
namespace {

constexpr std::uint8_t kKindMask = 3;
constexpr std::uint8_t kBusy = 16;
constexpr std::uint8_t kUnsure = 32;
constexpr std::int64_t kNsPerMs = 1'000'000;

}  // namespace

Model::Model(const Options& options)
    : seed_(options.seed),
      seeders_(options.seeders),
      start_(now()),
      starts_(options.swarms + 1),
      swarm_of_(options.peers),
      states_(options.peers),
      stopped_ms_(options.peers) {
  std::vector<double> weights(options.swarms);
  double sum = 0;
  for (std::uint32_t i = 0; i < options.swarms; ++i) sum += weights[i] = std::pow(i + 1.0, -options.zipf);
  const double spare = options.peers - options.swarms;  // one peer each, the rest by weight
  double before = 0;
  for (std::uint32_t i = 0; i < options.swarms; ++i) {
    starts_[i] = i + static_cast<std::uint32_t>(spare * (before / sum));
    before += weights[i];
  }
  starts_.back() = options.peers;
  for (std::uint32_t swarm = 0; swarm < options.swarms; ++swarm)
    std::fill(swarm_of_.begin() + first_of(swarm), swarm_of_.begin() + end_of(swarm), swarm);
}

PeerKind Model::initial_kind(std::uint32_t peer) const {
  return unit_of(seed_ ^ (std::uint64_t{peer} << 20)) < seeders_ ? PeerKind::kSeeder : PeerKind::kLeecher;
}

Model::PeerState Model::state_of(std::uint32_t peer) const {
  const std::uint8_t state = states_[peer].load(std::memory_order_relaxed);
  return {static_cast<PeerKind>(state & kKindMask), (state & kBusy) != 0, (state & kUnsure) != 0};
}

void Model::set_state(std::uint32_t peer, PeerState state) {
  const int bits = static_cast<int>(state.kind) | (state.busy ? kBusy : 0) | (state.unsure ? kUnsure : 0);
  states_[peer].store(static_cast<std::uint8_t>(bits), std::memory_order_relaxed);
}

void Model::set_busy(std::uint32_t peer) {
  PeerState state = state_of(peer);
  state.busy = true;
  set_state(peer, state);
}

void Model::set_unsure(std::uint32_t peer) {
  set_state(peer, {state_of(peer).kind, false, true});
}

void Model::set_answered(std::uint32_t peer, PeerKind kind, Instant at) {
  if (kind == PeerKind::kAbsent)
    stopped_ms_[peer].store(static_cast<std::uint32_t>((at - start_).count() / kNsPerMs) + 1,
                            std::memory_order_relaxed);
  set_state(peer, {kind, false, false});
}

bool Model::stopped_before(std::uint32_t peer, Instant at) const {
  return start_ + Duration(stopped_ms_[peer].load(std::memory_order_relaxed) * kNsPerMs) < at;
}

}  // namespace peernet::tracker_load
