// Behind the door (include/peernet/node.hpp): a node put together from sockets, shards and threads. node.cpp starts it,
// sharing.cpp and getting.cpp pass shares and gets to its shards.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "io/socket_group.hpp"
#include "node/local_content.hpp"
#include "node/shard.hpp"
#include "node/shared_content.hpp"
#include "peernet/link.hpp"
#include "peernet/node.hpp"

namespace peernet::node {

inline Error usage_error(const char* what) {
  return {ErrorCode::kUsage, 0, what};
}

class NodeImpl {
 public:
  explicit NodeImpl(const NodeConfig& config) : context_(config) {}
  ~NodeImpl();

  Result<void> start();
  Result<Transfer> share(const ShareOptions& options);
  Result<Transfer> get(const GetOptions& options);
  Result<SwarmListing> list(const std::string& link, std::chrono::milliseconds timeout);
  EngineInfo engine() const;
  std::vector<Counter> counters() const;

 private:
  struct ShareJob {
    ShareOptions options;
    std::optional<Link> join;
    std::shared_ptr<TransferState> transfer;
  };
  struct JoinCheck;

  /// A get runs on the first shard; serving uses all of them, so the others start with the first share.
  Result<void> start_all_shards();

  // sharing.cpp
  void hash_and_serve(const ShareJob& job);
  void join_and_serve(const ShareJob& job);
  content::PathResult<LocalContent> hash_for_join(const ShareJob& job, JoinCheck& check);
  void serve(const ShareJob& job, const std::shared_ptr<SharedContent>& content);
  void publish(const ShareJob& job, const std::shared_ptr<SharedContent>& content);
  void withdraw_changed(const std::shared_ptr<SharedContent>& content);
  void withdraw(const std::shared_ptr<SharedContent>& content);
  Link link_of(const ShareJob& job, const SharedContent& content) const;
  std::vector<std::string> own_addresses(const ShareOptions& options) const;

  // getting.cpp
  void start_fetch(const GetOptions& options, const Link& link, const std::shared_ptr<TransferState>& transfer,
                   std::shared_ptr<SwarmManifest> manifest);

  NodeContext context_;
  NodeId publisher_{};
  std::optional<io::SocketGroup> sockets_;
  std::vector<std::unique_ptr<Shard>> shards_;
  std::size_t started_ = 1;
  std::mutex mutex_;  // guards started_, transfers_ and workers_
  std::vector<std::shared_ptr<TransferState>> transfers_;
  std::vector<std::jthread> workers_;
};

}  // namespace peernet::node
