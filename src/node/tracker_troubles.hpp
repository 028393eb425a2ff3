// What trackers have against a swarm, the last word of each: for the sentence that tells a user why nothing happens.
#pragma once

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace peernet::node {

class TrackerTroubles {
 public:
  /// "tracker ... does not answer", "tracker ... refuses: ..."
  void note(const std::string& tracker, const std::string& sentence) {
    clear(tracker);
    troubles_.emplace_back(tracker, sentence);
  }
  /// It has listed us.
  void clear(const std::string& tracker) {
    std::erase_if(troubles_, [&](const auto& trouble) { return trouble.first == tracker; });
  }
  std::size_t size() const { return troubles_.size(); }

  /// "; " between the first kTold of them; empty if there are none.
  std::string text() const {
    constexpr std::size_t kTold = 3;
    std::string out;
    for (std::size_t i = 0; i < std::min(kTold, troubles_.size()); ++i) {
      if (i > 0) out += "; ";
      out += troubles_[i].second;
    }
    if (troubles_.size() > kTold) out += "; " + std::to_string(troubles_.size() - kTold) + " more likewise";
    return out;
  }

 private:
  std::vector<std::pair<std::string, std::string>> troubles_;  // tracker, sentence
};

}  // namespace peernet::node
