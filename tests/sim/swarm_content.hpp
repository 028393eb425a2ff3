// What a simulated swarm transfers: one file of random bytes with its manifest, tables and link. Every chunk begins so
// that other bytes of the same XXH3-128 can be made of it: a liar's best weapon needs no help from the code under test.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "content/entries.hpp"
#include "content/manifest.hpp"
#include "content/table.hpp"
#include "node/shared_content.hpp"
#include "peernet/link.hpp"

namespace peernet::sim {

class SwarmContent {
 public:
  SwarmContent(std::uint64_t seed, std::uint64_t bytes, std::uint32_t chunk_bytes, bool is_private);
  SwarmContent(const SwarmContent&) = delete;
  SwarmContent& operator=(const SwarmContent&) = delete;

  const content::ManifestCore& core() const { return core_; }
  const ContentId& id() const { return id_; }
  const SwarmId& swarm() const { return swarm_; }
  std::uint32_t chunks() const { return core_.chunk_count; }
  ByteSpan bytes() const { return bytes_; }
  ByteSpan chunk(ChunkIndex chunk) const {
    return ByteSpan(bytes_).subspan(core_.chunk_start(chunk), core_.chunk_span(chunk));
  }
  /// Other bytes with the XXH3-128 of this chunk. The collision needs no search: where the low half of a word equals
  /// that of the secret, XXH3 multiplies by zero, and only the sum of two such words counts.
  std::vector<std::byte> forged(ChunkIndex chunk) const;

  /// As a node shares it: complete. The content outlives it.
  std::shared_ptr<node::SharedContent> shared(std::shared_ptr<node::ContentBytes> bytes) const;
  peernet::Link link(const NodeId& publisher) const;

 private:
  std::vector<std::byte> bytes_;
  content::ManifestCore core_;
  ByteArray<content::kManifestBytes> core_bytes_{};
  ContentId id_{};
  crypto::MaybeSwarmKey key_;
  SwarmId swarm_{};
  content::PageTable entries_, xxh3_, sha256_;
};

}  // namespace peernet::sim
