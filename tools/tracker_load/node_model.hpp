// Simulated nodes of the extension by arithmetic: what each is called, has and owns. Nothing is kept per entry.
#pragma once

#include <cstdint>
#include <optional>

#include "options.hpp"
#include "packets.hpp"
#include "wire/tracker_messages.hpp"

namespace peernet::tracker_load {

/// Entry e of node n is in swarm (n * contents + e) % swarms.
class NodeModel {
 public:
  /// `first_address` is node 0's, as a number; the others follow.
  NodeModel(const Options& options, std::uint32_t first_address)
      : seed_(options.seed),
        seeders_(options.seeders),
        nodes_(options.nodes),
        contents_(options.contents_per_node),
        swarms_(options.swarms),
        first_address_(first_address),
        step_(options.source_step) {}

  std::uint32_t nodes() const { return nodes_; }
  std::uint32_t contents() const { return contents_; }
  std::uint32_t swarms() const { return swarms_; }
  std::uint64_t entries() const { return std::uint64_t{nodes_} * contents_; }
  std::uint32_t address_of(std::uint32_t node) const { return first_address_ + node * step_; }
  std::uint32_t swarm_of(std::uint32_t node, std::uint32_t entry) const {
    return static_cast<std::uint32_t>((std::uint64_t{node} * contents_ + entry) % swarms_);
  }
  bool is_in(std::uint32_t node, std::uint32_t swarm) const {
    return (swarm + swarms_ - swarm_of(node, 0)) % swarms_ < contents_;
  }
  bool complete(std::uint32_t node) const { return unit_of(seed_ ^ (std::uint64_t{node} << 20)) < seeders_; }
  wire::NodeTag tag_of(std::uint32_t node) const;
  /// Nothing if no node of ours is called this.
  std::optional<std::uint32_t> node_of(const wire::NodeTag& tag) const;
  wire::OwnershipBits owned_by(std::uint32_t node) const;
  std::uint8_t flags_of(std::uint32_t node) const;
  /// A listed node is as it announced itself.
  bool is_as_announced(std::uint32_t node, const Address& address, std::uint8_t flags,
                       const wire::OwnershipBits& owned) const;

  std::size_t write_announce(std::uint32_t node, std::uint32_t entry, std::uint32_t numwant,
                             const wire::TrackerHeader& header, MutableByteSpan out) const;
  /// A heartbeat for `count` entries from `entry` on.
  std::size_t write_heartbeat(std::uint32_t node, std::uint32_t entry, std::uint32_t count,
                              const wire::TrackerHeader& header, MutableByteSpan out) const;

 private:
  std::uint64_t seed_;
  double seeders_;
  std::uint32_t nodes_;
  std::uint32_t contents_;
  std::uint32_t swarms_;
  std::uint32_t first_address_;
  std::uint32_t step_;
};

}  // namespace peernet::tracker_load
