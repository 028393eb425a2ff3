#include "discovery/event_queue.hpp"

#include <algorithm>
#include <utility>

namespace peernet::discovery {

void EventQueue::push(Worth worth, DiscoveryEvent event) {
  if (events_.size() == kMaxEvents) {
    const auto least = std::ranges::min_element(events_, {}, &Item::worth);  // the first of them: the oldest
    if (least->worth > worth) return;
    events_.erase(least);
  }
  events_.push_back({worth, std::move(event)});
}

std::optional<DiscoveryEvent> EventQueue::pop() {
  if (events_.empty()) return std::nullopt;
  std::optional<DiscoveryEvent> event(std::move(events_.front().event));
  events_.pop_front();
  return event;
}

}  // namespace peernet::discovery
