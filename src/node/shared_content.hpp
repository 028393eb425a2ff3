// A content that this node serves. That of a share is complete, never changes and is served by all shards; that of a
// get grows while the get runs and is served by its home shard alone.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "content/layout.hpp"
#include "content/table.hpp"
#include "crypto/join_proof.hpp"
#include "node/content_bytes.hpp"
#include "node/transfer_state.hpp"
#include "swarm/have_log.hpp"
#include "swarm/spread.hpp"

namespace peernet::node {

/// What is known of a content's description; what is pointed at lives as long as the SharedContent.
struct ManifestView {
  const content::ManifestCore* core = nullptr;  ///< nullptr: not known yet
  ByteSpan core_bytes;
  const content::PageTable* entries = nullptr;  ///< may lack pages; nullptr: not begun
  const content::PageTable* xxh3 = nullptr;
  const content::PageTable* sha256 = nullptr;
  const content::Layout* layout = nullptr;  ///< of a tree

  const content::PageTable* table(content::TableId id) const {
    switch (id) {
      case content::TableId::kEntries:
        return entries;
      case content::TableId::kXxh3:
        return xxh3;
      case content::TableId::kSha256:
        return sha256;
      default:
        return nullptr;
    }
  }
  /// Bytes of a chunk on the wire. The core must be known.
  std::uint32_t chunk_length(ChunkIndex chunk) const {
    return layout != nullptr ? layout->chunk_payload(chunk) : core->chunk_span(chunk);
  }
};

struct SharedContent {
  ContentId id{};
  crypto::MaybeSwarmKey key;
  SwarmId swarm{};
  std::string name;
  std::shared_ptr<TransferState> transfer;
  ManifestView manifest;
  const swarm::HaveLog* have = nullptr;   ///< nullptr: every chunk
  std::shared_ptr<ContentBytes> bytes;    ///< nullptr: nothing can be read yet
  std::unique_ptr<swarm::Spread> spread;  ///< nullptr: whoever asks is given (a get, which nobody need spread)
  std::shared_ptr<void> owner;            ///< of what `manifest` points at, where that is not a get

  /// The bytes are no longer what was hashed. Set once by whichever shard notices; every shard looks at it when it is
  /// about to read, so relaxed is enough: a read that races with it is caught by the receiver's verification.
  std::atomic<bool> withdrawn{false};
  /// Called by the shard that has set `withdrawn`: takes the content from all shards, then ends the transfer.
  std::function<void()> on_changed;

  bool has(ChunkIndex chunk) const { return have == nullptr || have->has(chunk); }
};

}  // namespace peernet::node
