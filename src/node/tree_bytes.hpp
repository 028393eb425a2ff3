// The bytes of a folder as they are served: each shard has a reader with a thread of its own, because opening and
// reading thousands of small files blocks. Several pieces are in flight; what was read is fetched with take().
#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

#include "content/tree_listing.hpp"
#include "node/content_bytes.hpp"
#include "storage/posix_fd.hpp"

namespace peernet::node {

class TreeBytes final : public ContentBytes {
 public:
  struct Options {
    int root = -1;                                  ///< of the folder; borrowed, a copy is taken
    const content::TreeListing* listing = nullptr;  ///< of what is on this host's disk
    std::span<const std::uint64_t> inodes;          ///< by entry; empty: of a folder that is being received
    const std::vector<bool>* selected = nullptr;    ///< by entry: what is on the disk; nullptr: everything
    std::shared_ptr<const void> owner;              ///< of what the two point at
  };
  explicit TreeBytes(const Options& options);
  ~TreeBytes() override;

  /// False: no more descriptors.
  bool valid() const { return root_.valid(); }
  Result<std::unique_ptr<PieceReader>> open(io::Driver& driver) override;
  /// Never looks at the disk itself: asks a thread to look at some more files, and tells what it has seen so far.
  bool changed() const override;
  /// The received folder has its final name: its files are as the listing says, and are watched from now on.
  void on_published() { watched_.store(true, std::memory_order_relaxed); }

 private:
  class Watch;

  Options options_;
  storage::Fd root_;
  std::atomic<bool> watched_;
  std::unique_ptr<Watch> watch_;
};

}  // namespace peernet::node
