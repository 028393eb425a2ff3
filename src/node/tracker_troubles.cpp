#include "node/tracker_troubles.hpp"

#include <algorithm>

#include "node/transfer_state.hpp"

namespace peernet::node {
namespace {

void report(TransferState& transfer, const std::string& tracker, std::string text, bool listed) {
  transfer.push({.kind = EventKind::kTracker, .text = std::move(text), .peer = tracker, .number = listed ? 1u : 0u});
}

}  // namespace

void TrackerTroubles::clear(const std::string& tracker) {
  std::erase_if(troubles_, [&](const auto& trouble) { return trouble.first == tracker; });
}

void TrackerTroubles::note(TransferState& transfer, const std::string& tracker, std::string sentence) {
  clear(tracker);
  troubles_.emplace_back(tracker, sentence);
  report(transfer, tracker, std::move(sentence), false);
}

void TrackerTroubles::announced(TransferState& transfer, const std::string& tracker) {
  clear(tracker);
  report(transfer, tracker, "announced to tracker " + tracker, true);
}

void TrackerTroubles::down(TransferState& transfer, const std::string& tracker) {
  note(transfer, tracker, "tracker " + tracker + " does not answer");
}

void TrackerTroubles::unusable(TransferState& transfer, const std::string& tracker, const std::string& reason) {
  note(transfer, tracker, "tracker " + tracker + " cannot be asked: " + reason);
}

void TrackerTroubles::refused(TransferState& transfer, const std::string& tracker, const std::string& text) {
  note(transfer, tracker, "tracker " + tracker + " refuses: " + text);
}

std::string TrackerTroubles::text() const {
  std::string out;
  for (std::size_t i = 0; i < std::min(kTold, troubles_.size()); ++i) {
    if (i > 0) out += "; ";
    out += troubles_[i].second;
  }
  if (troubles_.size() > kTold) out += "; " + std::to_string(troubles_.size() - kTold) + " more likewise";
  return out;
}

}  // namespace peernet::node
