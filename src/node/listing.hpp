// One question to all trackers of a link: who is in this swarm? Asked on the first shard, waited for by another thread.
#pragma once

#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <set>
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

  /// From any other thread: what all those trackers know that answer soon after the first has, or kUnreachable.
  Result<SwarmListing> wait(std::chrono::milliseconds timeout);

  void on_tracker_listing(const std::string& tracker, const wire::QueryReply& reply) override;
  void on_tracker_down(const std::string& tracker) override { without(tracker, false); }
  void on_tracker_unusable(const std::string& tracker, const std::string&) override { without(tracker, true); }
  void on_tracker_refused(const std::string& tracker, const std::string&) override { without(tracker, false); }

 private:
  void add(SwarmMember member);
  void without(const std::string& tracker, bool unusable);
  bool all_heard() const;

  Link link_;
  std::mutex mutex_;
  std::condition_variable changed_;
  // guarded by mutex_
  SwarmListing listing_;
  std::unordered_map<std::string, std::size_t> places_;  // node -> index in listing_.members
  std::set<std::string> finished_;                       // trackers that have told everything
  std::set<std::string> without_;                        // those that do not
  std::set<std::string> unusable_;                       // and of these, those that cannot even be asked
  std::map<std::string, std::size_t> told_;              // how many each has told of
  std::size_t pages_ = 0;
  bool done_ = false;
};

/// As programs see it.
SwarmMember member_of(const wire::ListedNode& node);

}  // namespace peernet::node
