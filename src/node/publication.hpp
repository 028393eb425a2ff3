// A content that this node serves, towards trackers and towards the user: it is announced, and its link is told.
//
// The link is told at once where nobody has to be waited for (this node is the tracker, or there is none), else when a
// tracker has listed the content. Of trackers that take longer than kPatience the user hears; a fresh link is then told
// all the same, that of a joined swarm is not: this node's address is in it only through its trackers.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "node/discovery.hpp"
#include "node/shared_content.hpp"
#include "node/tracker_troubles.hpp"

namespace peernet::node {

class Publication final : public TrackerUser {
 public:
  struct Options {
    std::shared_ptr<SharedContent> content;
    std::string link;
    std::vector<std::string> trackers;  ///< to announce at
    bool embedded = false;              ///< list it in this node's own tracker
    std::vector<Address> addresses;     ///< embedded: where this node is reached
    bool joined = false;                ///< the link is not told before a tracker has listed the content
  };
  static constexpr Duration kPatience = std::chrono::seconds(2);

  explicit Publication(Options options) : options_(std::move(options)) {}

  void start(Instant now, Shard& shard);
  void end(Instant now, Shard& shard);
  void work(Instant now);
  Instant next_deadline() const { return impatient_at_; }
  const SharedContent& content() const { return *options_.content; }
  std::uint64_t bytes_sent() const { return options_.content->transfer->bytes_sent.load(std::memory_order_relaxed); }

  void on_tracker_announced(const std::string& tracker) override;
  void on_tracker_down(const std::string& tracker) override;
  void on_tracker_unusable(const std::string& tracker, const std::string& reason) override;
  void on_tracker_refused(const std::string& tracker, const std::string& text) override;

 private:
  void tell_link();
  void complain();

  Options options_;
  TrackerTroubles troubles_;
  bool told_ = false;
  bool listed_ = false;  // at one of its trackers, at least once
  bool refused_ = false;
  bool refusal_told_ = false;  // to people; a tracker may refuse as often as it likes
  Instant impatient_at_ = Instant::never();
};

}  // namespace peernet::node
