// What trackers have said of a swarm: each piece of news is an event for the transfer's user, and the last word of
// those that did not list us is kept for the sentence that tells why nothing happens.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace peernet::node {

class TransferState;

class TrackerTroubles {
 public:
  /// It has listed us.
  void announced(TransferState& transfer, const std::string& tracker);
  void down(TransferState& transfer, const std::string& tracker);
  /// It cannot be asked at all: "the name does not resolve", ...
  void unusable(TransferState& transfer, const std::string& tracker, const std::string& reason);
  void refused(TransferState& transfer, const std::string& tracker, const std::string& text);

  /// Trackers with something against us.
  std::size_t size() const { return troubles_.size(); }
  /// "tracker ... does not answer; tracker ... refuses: ...", the first kTold of them; empty if there are none.
  std::string text() const;

 private:
  static constexpr std::size_t kTold = 3;

  void note(TransferState& transfer, const std::string& tracker, std::string sentence);
  void clear(const std::string& tracker);

  std::vector<std::pair<std::string, std::string>> troubles_;  // tracker, sentence
};

}  // namespace peernet::node
