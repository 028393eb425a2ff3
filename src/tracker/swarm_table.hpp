// The swarms of one stripe: a dense array of them, and an index by their id's keyed hash.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "tracker/peer_records.hpp"
#include "tracker/peer_set.hpp"

namespace peernet::tracker {

/// A swarm id with its keyed hash: the high bits choose the stripe, the low 32 the place in the stripe's index.
struct SwarmName {
  SwarmId id{};
  std::uint64_t hash = 0;
};

struct Swarm {
  SwarmId id{};
  std::uint32_t completed = 0;
  PeerSet<LegacyV4> legacy_v4;
  PeerSet<LegacyV6> legacy_v6;
  PeerSet<Node> nodes;

  template <class Record>
  PeerSet<Record>& of() {
    if constexpr (std::is_same_v<Record, LegacyV4>) return legacy_v4;
    if constexpr (std::is_same_v<Record, LegacyV6>) return legacy_v6;
    if constexpr (std::is_same_v<Record, Node>) return nodes;
  }
  std::uint32_t peers() const { return legacy_v4.size() + legacy_v6.size() + nodes.size(); }
  std::uint32_t seeders() const { return legacy_v4.front() + legacy_v6.front(); }
  std::uint32_t leechers() const { return legacy_v4.size() + legacy_v6.size() - seeders(); }
};

/// Numbers of swarms are dense: removing one gives its number to the last. So a walk from the highest number down sees
/// every swarm that was there all the time. Not for several threads.
class SwarmTable {
 public:
  explicit SwarmTable(const TableHash& hash) : hash_(hash) {}

  std::uint32_t size() const { return size_; }
  Swarm& at(std::uint32_t number) { return chunks_[number / kChunk][number % kChunk]; }
  const Swarm& at(std::uint32_t number) const { return chunks_[number / kChunk][number % kChunk]; }
  Swarm* find(const SwarmName& name);
  /// A swarm that is not there.
  Swarm& add(const SwarmName& name);
  void remove(const SwarmName& name);
  void check_invariants() const;

  // For lookups in stages.
  void prefetch_index(const SwarmName& name) const {
    if (!slots_.empty()) __builtin_prefetch(&slots_[name.hash & mask()]);
  }
  void prefetch_swarm(const SwarmName& name) const;

 private:
  static constexpr std::uint32_t kChunk = 32;
  struct Slot {
    std::uint32_t tag = 0;     // the low half of the hash
    std::uint32_t number = 0;  // of the swarm, plus 1; 0: free
  };

  std::size_t mask() const { return slots_.size() - 1; }
  std::size_t place_of(const SwarmName& name) const;
  void resize(std::size_t slots);
  void clear_slot(std::size_t hole);

  TableHash hash_;
  std::vector<Slot> slots_;  // linear probing; a power of two or empty
  std::vector<std::unique_ptr<Swarm[]>> chunks_;
  std::uint32_t size_ = 0;
};

}  // namespace peernet::tracker
