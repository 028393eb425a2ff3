// The tracker core's own work (no sockets), and what a listed peer costs in memory. Sources are 64 addresses in 64
// /24s; time stands still, so that nothing expires unless a benchmark says so.
#include <benchmark/benchmark.h>

#include <cmath>
#include <cstdio>
#include <memory>

#include "base/bytes.hpp"
#include "base/rng.hpp"
#include "tracker/tracker_core.hpp"

namespace peernet::tracker {
namespace {

constexpr std::uint32_t kSources = 64;

std::size_t resident_bytes() {
  unsigned long size = 0;
  unsigned long resident = 0;
  std::FILE* statm = std::fopen("/proc/self/statm", "r");
  if (statm == nullptr) return 0;
  const int read = std::fscanf(statm, "%lu %lu", &size, &resident);
  std::fclose(statm);
  return read == 2 ? resident * 4096 : 0;
}

/// Bytes that this process has grown by, per peer. Later runs find memory that earlier ones have left: only the first
/// of a program counts, so that one benchmark is to be run at a time (--benchmark_filter).
double growth_per_peer(std::size_t before, double peers) {
  static const double first = static_cast<double>(resident_bytes() - before) / peers;
  return first;
}

SwarmId swarm_number(std::uint32_t n) {
  SwarmId id{};
  ByteWriter(id).u32(n);
  return id;
}

Address source(std::uint32_t n, std::uint16_t port) {
  return Address::v4(10, 0, static_cast<std::uint8_t>(n), 1, port);
}

class Rig {
 public:
  Rig() : core_(options()) {
    for (std::uint32_t s = 0; s < kSources; ++s) ids_[s] = connect(source(s, 1), false);
  }

  std::uint64_t connect(const Address& from, bool extended) {
    ByteArray<wire::kExtendedConnectSize> request;
    const std::size_t size = wire::encode_connect(request, {.extended = extended});
    core_.answer(now_, from, ByteSpan(request).first(size), out_, counters_);
    ByteReader r(ByteSpan(out_).subspan(8));
    return r.u64();
  }

  /// Peer i of all: source i % 64, with a port of its own.
  std::size_t announce(std::uint32_t i, const SwarmId& swarm, bool seeder) {
    ByteArray<wire::kAnnounceRequestSize> request;
    const std::size_t size = wire::encode(request, {.connection_id = ids_[i % kSources]},
                                          wire::AnnounceRequest{.swarm = swarm,
                                                                .left = seeder ? 0u : 1u,
                                                                .numwant = 30,
                                                                .port = static_cast<std::uint16_t>(1 + i / kSources)},
                                          {});
    return core_.answer(now_, source(i % kSources, 1), ByteSpan(request).first(size), out_, counters_);
  }
  std::size_t ask(const Address& from, ByteSpan request) { return core_.answer(now_, from, request, out_, counters_); }

  TrackerCore& core() { return core_; }
  Counters& counters() { return counters_; }
  Instant now() const { return now_; }
  void pass(Duration d) { now_ += d; }

 private:
  static CoreOptions options() {
    CoreOptions o;
    o.secret.fill(std::byte{3});
    o.limits.peers_per_address = 0;
    return o;
  }

  TrackerCore core_;
  Counters counters_;
  Instant now_ = Instant::from_ns(0) + 1000s;
  std::array<std::uint64_t, kSources> ids_{};
  ByteArray<wire::kMaxTrackerReply> out_{};
};

// Announces of listed peers, each in swarm i % swarms.
void announce(benchmark::State& state) {
  const auto swarms = static_cast<std::uint32_t>(state.range(0));
  const auto peers = static_cast<std::uint32_t>(state.range(1));
  const std::size_t before = resident_bytes();
  const auto rig = std::make_unique<Rig>();
  for (std::uint32_t i = 0; i < peers; ++i) rig->announce(i, swarm_number(i % swarms), i % 3 == 0);
  state.counters["bytes_per_peer"] = growth_per_peer(before, peers);
  Rng rng(5);
  for (auto _ : state) {
    const auto i = static_cast<std::uint32_t>(rng.below(peers));
    benchmark::DoNotOptimize(rig->announce(i, swarm_number(i % swarms), i % 3 == 0));
  }
}
BENCHMARK(announce)
    ->Args({10'000, 100'000})
    ->Args({1, 1'000'000})
    ->Args({10'000, 1'000'000})
    ->Args({500'000, 1'000'000});

// 10,000 swarms whose sizes are as 1 / rank.
void zipf_memory(benchmark::State& state) {
  constexpr std::uint32_t kPeers = 1'000'000;
  const std::size_t before = resident_bytes();
  const auto rig = std::make_unique<Rig>();
  Rng rng(5);
  for (std::uint32_t i = 0; i < kPeers; ++i) {
    const double rank = std::exp(rng.unit() * std::log(10'001.0));
    rig->announce(i, swarm_number(static_cast<std::uint32_t>(rank)), i % 3 == 0);
  }
  state.counters["bytes_per_peer"] = growth_per_peer(before, kPeers);
  for (auto _ : state) benchmark::DoNotOptimize(rig->announce(7, swarm_number(1), false));
}
BENCHMARK(zipf_memory);

void scrape(benchmark::State& state) {
  const auto hashes = static_cast<std::size_t>(state.range(0));
  const auto rig = std::make_unique<Rig>();
  for (std::uint32_t i = 0; i < 100'000; ++i) rig->announce(i, swarm_number(i % 10'000), i % 3 == 0);
  const std::uint64_t id = rig->connect(source(0, 1), false);
  Rng rng(5);
  ByteArray<16 + 74 * 20> request;
  for (auto _ : state) {
    ByteWriter w(request);
    w.u64(id);
    w.u32(2);
    w.u32(0);
    for (std::size_t i = 0; i < hashes; ++i) w.bytes(swarm_number(static_cast<std::uint32_t>(rng.below(10'000))));
    benchmark::DoNotOptimize(rig->ask(source(0, 1), w.written()));
  }
}
BENCHMARK(scrape)->Arg(1)->Arg(74);

/// One million (node, content) pairs: nodes with 32 contents each, every content with `nodes_of_each` nodes.
class NodeRig : public Rig {
 public:
  static constexpr std::uint32_t kNodes = 1'000'000 / 32;

  explicit NodeRig(std::uint32_t nodes_of_each) : nodes_of_each_(nodes_of_each) {
    for (std::uint32_t node = 0; node < kNodes; ++node) {
      ids_.push_back(connect(address(node), true));
      for (std::uint32_t k = 0; k < 32; ++k) announce_node(node, content(node, k), 0);
    }
  }

  static Address address(std::uint32_t node) {
    return source(node % kSources, static_cast<std::uint16_t>(1 + node / kSources));
  }
  SwarmId content(std::uint32_t node, std::uint32_t k) const {
    const std::uint32_t group = node / nodes_of_each_;
    return swarm_number(group * 32 + k);
  }
  std::size_t announce_node(std::uint32_t node, const SwarmId& content, std::uint8_t numwant) {
    wire::NodeAnnounce announce;
    announce.swarm = content;
    announce.flags = wire::kContentServed | wire::kReachesV4 | (node % 4 == 0 ? wire::kContentComplete : 0);
    announce.numwant = numwant;
    announce.chunks = 1000;
    ByteWriter(announce.owned).u64(node * 0x9e3779b97f4a7c15ULL);
    ByteArray<wire::kNodeAnnounceSize> request;
    const std::size_t size = wire::encode(request, {.connection_id = ids_[node]}, announce);
    return ask(address(node), ByteSpan(request).first(size));
  }
  std::size_t heartbeat(std::uint32_t node) {
    wire::Heartbeat beat;
    for (std::uint32_t k = 0; k < 32; ++k) {
      wire::HeartbeatEntry entry;
      entry.swarm = content(node, k);
      entry.flags = wire::kContentServed | (node % 4 == 0 ? wire::kContentComplete : 0);
      beat.entries.push_back(entry);
    }
    ByteArray<wire::kMaxTrackerRequest> request;
    const std::size_t size = wire::encode(request, {.connection_id = ids_[node]}, beat);
    return ask(address(node), ByteSpan(request).first(size));
  }

 private:
  std::uint32_t nodes_of_each_;
  std::vector<std::uint64_t> ids_;
};

// A datagram of 32 contents; encoding it, some 0.5 us, is in the figure.
void heartbeat_of_32(benchmark::State& state) {
  const std::size_t before = resident_bytes();
  const auto rig = std::make_unique<NodeRig>(static_cast<std::uint32_t>(state.range(0)));
  state.counters["bytes_per_node"] = growth_per_peer(before, 1e6);
  Rng rng(5);
  for (auto _ : state) benchmark::DoNotOptimize(rig->heartbeat(static_cast<std::uint32_t>(rng.below(NodeRig::kNodes))));
}
BENCHMARK(heartbeat_of_32)->Arg(1)->Arg(10)->Arg(100)->Arg(NodeRig::kNodes);

void node_announce(benchmark::State& state) {
  const auto rig = std::make_unique<NodeRig>(static_cast<std::uint32_t>(state.range(0)));
  Rng rng(5);
  for (auto _ : state) {
    const auto node = static_cast<std::uint32_t>(rng.below(NodeRig::kNodes));
    benchmark::DoNotOptimize(
        rig->announce_node(node, rig->content(node, static_cast<std::uint32_t>(rng.below(32))), 20));
  }
}
BENCHMARK(node_announce)->Arg(10)->Arg(100)->Arg(NodeRig::kNodes);

// One whole round of the clock hand over a million of the living; "slice" is the longest single call.
template <class Filled>
void sweep_round(benchmark::State& state, Filled& rig) {
  double longest = 0;
  for (auto _ : state) {
    const Instant end = rig.now() + rig.core().times().beat / 4;
    std::uint32_t slices = 0;
    while (rig.core().next_sweep() <= end && ++slices < 1000) {
      const auto begun = std::chrono::steady_clock::now();
      rig.core().sweep(std::max(rig.now(), rig.core().next_sweep()), rig.counters());
      longest = std::max(longest, std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count());
    }
    rig.pass(0s);
  }
  state.counters["longest_us"] = longest * 1e6;
}
void sweep_legacy(benchmark::State& state) {
  const auto rig = std::make_unique<Rig>();
  for (std::uint32_t i = 0; i < 1'000'000; ++i) rig->announce(i, swarm_number(i % 10'000), i % 3 == 0);
  sweep_round(state, *rig);
}
BENCHMARK(sweep_legacy)->Iterations(1)->Repetitions(3);
void sweep_nodes(benchmark::State& state) {
  const auto rig = std::make_unique<NodeRig>(10);
  sweep_round(state, *rig);
}
BENCHMARK(sweep_nodes)->Iterations(1)->Repetitions(3);

}  // namespace
}  // namespace peernet::tracker

BENCHMARK_MAIN();
