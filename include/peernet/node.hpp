// The door to the engine: a Node serves and gets contents. Everything here may be called from any thread; the work runs
// on the node's own threads. See link.hpp for what a link holds, config.hpp for options, stats.hpp for what can be
// observed.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "peernet/config.hpp"
#include "peernet/error.hpp"
#include "peernet/stats.hpp"

namespace peernet {

namespace node {
class NodeImpl;
class TransferState;
}  // namespace node

/// One share or get. A handle: copies refer to the same transfer, which ends with cancel() or its node.
class Transfer {
 public:
  Transfer() = default;
  explicit Transfer(std::shared_ptr<node::TransferState> state) : state_(std::move(state)) {}

  Progress progress() const;
  /// The next event, waiting for it up to timeout; nothing if none came. Events are bounded: the oldest of kSource,
  /// kRetry and kChunkBad are dropped when nobody reads them; the last event (kDone or kError) never is.
  std::optional<Event> wait_event(std::chrono::milliseconds timeout);
  /// A get stops and keeps what was received; a share says goodbye and is no longer served. Returns at once; the last
  /// event follows.
  void cancel();
  /// Ends a wait_event() early, from any thread.
  void interrupt();

 private:
  std::shared_ptr<node::TransferState> state_;
};

class Node {
 public:
  /// Opens sockets and starts threads. Errors: kUsage (an address or option that does not parse), kKernel (limits,
  /// io_uring asked for and refused), kLocalIo (address in use).
  static Result<std::unique_ptr<Node>> start(const NodeConfig& config);
  /// Says goodbye to peers (waits at most 200 ms for it) and joins the threads.
  ~Node();
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  /// Hashes the file or folder with all cores (progress: kHashing), then serves it; kLink brings the link.
  /// Errors at once: kUsage (a device, options that do not fit together), kLocalIo (not readable).
  /// With trackers the link comes when one has listed the content, with `join` only then; else after 2 s at most.
  Result<Transfer> share(const ShareOptions& options);
  /// Errors at once: kUsage (the link does not parse). All others come as the last event.
  Result<Transfer> get(const GetOptions& options);

  /// Asks the link's trackers who is in its swarm; waits until one of them has told, at most so long. This node does
  /// not become a member. Errors: kUsage (the link does not parse or names no tracker), kUnreachable (no tracker
  /// answers). A content that nobody is listed for is an empty listing.
  Result<SwarmListing> list(const std::string& link, std::chrono::milliseconds timeout);

  EngineInfo engine() const;
  std::vector<Counter> counters() const;

 private:
  explicit Node(std::unique_ptr<node::NodeImpl> impl);
  std::unique_ptr<node::NodeImpl> impl_;
};

/// What a local file or folder would be shared as: hashes it. kUsage: a device, a name that cannot be shared; kLocalIo.
/// culprit, if given: which file of a folder an error is about.
Result<ContentInfo> describe_path(const std::string& path, std::string* culprit = nullptr);

/// A fresh identity as the text of an identity file (`peernet keygen`).
Result<std::string> generate_identity();

}  // namespace peernet
