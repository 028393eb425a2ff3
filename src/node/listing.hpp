// One question to the trackers of a link: who is in this swarm? Asked on the first shard, waited for by another thread.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "node/discovery.hpp"
#include "peernet/link.hpp"
#include "peernet/stats.hpp"

namespace peernet::node {

class ListingQuestion final : public TrackerUser {
 public:
  explicit ListingQuestion(Link link) : link_(std::move(link)) {}

  // On the first shard, in this order.
  void start(Shard& shard);
  void end(Shard& shard);

  /// From any other thread: the whole answer, or kUnreachable.
  Result<SwarmListing> wait(std::chrono::milliseconds timeout);

  void on_tracker_listing(const std::string& tracker, const wire::QueryReply& reply) override;
  void on_tracker_down(const std::string& tracker) override { without(tracker); }
  void on_tracker_refused(const std::string& tracker, const std::string&) override { without(tracker); }

 private:
  void add(SwarmMember member);
  void without(const std::string& tracker);

  Link link_;
  std::mutex mutex_;
  std::condition_variable changed_;
  // guarded by mutex_
  SwarmListing listing_;
  std::unordered_map<std::string, std::size_t> places_;  // node -> index in listing_.members
  std::vector<std::string> without_;
  bool done_ = false;
};

/// As programs see it.
SwarmMember member_of(const wire::ListedNode& node);

}  // namespace peernet::node
