// What all shards of a node share: settings that never change, and the few things with a lock or an atomic of their
// own.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <span>

#include "crypto/handshake.hpp"
#include "io/io.hpp"
#include "io/system_random.hpp"
#include "node/fetch_store.hpp"
#include "node/name_lookup.hpp"
#include "node/shared_limit.hpp"
#include "peernet/config.hpp"
#include "storage/state_thread.hpp"
#include "storage/writer_thread.hpp"
#include "tracker/settings.hpp"
#include "wire/drop_reason.hpp"

namespace peernet::node {

/// Counters of one shard: written by its thread alone, read by anyone (relaxed: each number stands for itself).
struct ShardCounters {
  std::array<std::atomic<std::uint64_t>, wire::kDropReasonCount> drops{};
  std::atomic<std::uint64_t> datagrams{0};
  std::atomic<std::uint64_t> sessions_accepted{0};
  std::atomic<std::uint64_t> sessions_established{0};
  std::atomic<std::uint64_t> retries_sent{0};
  std::atomic<std::uint64_t> send_errors{0};
  std::atomic<std::uint64_t> source_changes{0};
  tracker::Counters tracker;  ///< of the embedded tracker

  void drop(wire::DropReason reason) { bump(drops[static_cast<std::size_t>(reason)]); }
  static void bump(std::atomic<std::uint64_t>& counter, std::uint64_t n = 1) {
    counter.store(counter.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
};

struct NodeContext {
  NodeConfig config;
  io::Capabilities capabilities;
  std::unique_ptr<crypto::HandshakeFactory> handshakes;
  Hash256 retry_secret{};
  std::uint64_t instance_id = 0;
  std::uint8_t shard_count = 1;
  /// On all shards, half-open ones included. Relaxed: shards that look at the same moment may pass a limit by one each.
  std::atomic<std::uint32_t> sessions{0};
  SharedLimit limit_up{0};
  SharedLimit limit_down{0};
  /// What a shard cannot do itself; the simulator has its own.
  std::function<std::unique_ptr<RandomSource>()> make_random = [] { return std::make_unique<io::SystemRandom>(); };
  StoreFactory make_store;
  /// Buffered writes and slow calls of all downloads. Threads start at their first use.
  std::unique_ptr<storage::WriterThread> writer;
  std::unique_ptr<storage::StateThread> state;
  /// Address families that the node's sockets send to.
  bool reaches_v4 = true;
  bool reaches_v6 = true;
  std::uint16_t port = 0;  ///< of the node's sockets
  /// For threads that are not joined.
  std::shared_ptr<HomePost> home = std::make_shared<HomePost>();

  explicit NodeContext(const NodeConfig& c) : config(c), limit_up(c.limit_up), limit_down(c.limit_down) {}

  /// Above the user's limit newcomers are not let in; what this node dials is its own choice.
  bool full() const { return config.max_peers != 0 && sessions.load(std::memory_order_relaxed) >= config.max_peers; }
  bool reaches(const Address& address) const { return address.is_v4() ? reaches_v4 : reaches_v6; }
  /// What trackers know this node by.
  wire::NodeTag tag() const {
    wire::NodeTag out;
    std::ranges::copy(std::span(handshakes->local_id()).first(out.size()), out.begin());
    return out;
  }
};

}  // namespace peernet::node
