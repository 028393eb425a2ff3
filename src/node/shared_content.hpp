// A content that this node serves: immutable once published, shared by all shards.
#pragma once

#include <atomic>
#include <functional>
#include <memory>

#include "crypto/join_proof.hpp"
#include "node/transfer_state.hpp"
#include "storage/share_hasher.hpp"

namespace peernet::node {

struct SharedContent {
  storage::SharedFile file;
  crypto::MaybeSwarmKey key;
  SwarmId swarm{};
  std::shared_ptr<TransferState> transfer;
  /// The file is no longer what was hashed. Set once by whichever shard notices; every shard looks at it when it is
  /// about to read, so relaxed is enough: a read that races with it is caught by the receiver's verification.
  std::atomic<bool> withdrawn{false};
  /// Called by the shard that has set `withdrawn`: takes the content from all shards, then ends the transfer.
  std::function<void()> on_changed;
};

}  // namespace peernet::node
