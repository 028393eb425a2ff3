// What the node has not picked up yet, bounded.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>

#include "discovery/tracker_set.hpp"

namespace peernet::discovery {

class EventQueue {
 public:
  static constexpr std::size_t kMaxEvents = 256;

  /// How much would be missed. A full queue loses the oldest of the least worth.
  enum class Worth : std::uint8_t {
    kNews,    ///< for the log
    kAnswer,  ///< peers for somebody who needs none, words of a refusal
    kPage,    ///< of a listing that was asked for
    kPeers,   ///< for a getter
  };

  void push(Worth worth, DiscoveryEvent event);
  std::optional<DiscoveryEvent> pop();
  std::size_t size() const { return events_.size(); }

 private:
  struct Item {
    Worth worth;
    DiscoveryEvent event;
  };
  std::deque<Item> events_;
};

}  // namespace peernet::discovery
