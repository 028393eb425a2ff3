// Control frames that have nothing to do with the transfer, small and large, sent in both directions: each that a
// session took must arrive at least once, with its own words.
#pragma once

#include <set>

#include "sim/content.hpp"
#include "sim/judge.hpp"
#include "transport/session.hpp"

namespace peernet::sim {

class Chatter {
 public:
  /// Turns can be many (an attacker makes them): frames at their pace would leave no window for file bytes.
  static constexpr Duration kPause = 20ms;

  Chatter(Judge& judge, const Content& content, double chance, std::uint64_t seed)
      : judge_(judge), content_(content), chance_(chance), rng_(seed) {}

  void reset() {
    sent_ = 0;
    seen_.clear();
  }

  void turn(transport::Session& session, Instant now) {
    if (chance_ <= 0 || now < next_at_ || !rng_.chance(chance_) || !session.established()) return;
    if (session.send(frame(sent_))) ++sent_;
    next_at_ = now + kPause;
  }

  /// Whether the frame was one of ours (the other side's Chatter has the same words).
  bool on_frame(const wire::Frame& received) {
    std::uint32_t number = 0;
    if (const auto* limits = std::get_if<wire::LimitsFrame>(&received))
      number = limits->max_requests;
    else if (const auto* hashes = std::get_if<wire::HashesFrame>(&received))
      number = hashes->chunk.value();
    else
      return false;
    judge_.expect(received == frame(number), "a control frame arrived with other words than it was sent with");
    seen_.insert(number);
    return true;
  }

  std::uint32_t sent() const { return sent_; }
  bool heard_all(std::uint32_t sent_by_peer) const {
    return seen_.size() >= sent_by_peer &&
           (sent_by_peer == 0 || (*seen_.begin() == 0 && *std::prev(seen_.end()) + 1 >= sent_by_peer));
  }

 private:
  wire::Frame frame(std::uint32_t number) const {
    if (number % 3 != 2) return wire::LimitsFrame{number, number * 0x9e3779b97f4a7c15ULL};
    wire::HashesFrame hashes;
    hashes.chunk = ChunkIndex(number);
    const std::size_t leaves = 1 + number % wire::kMaxHashesPerFrame;
    hashes.leaves = content_.at(number % 1000, leaves * wire::kHashSize);
    return hashes;
  }

  Judge& judge_;
  const Content& content_;
  double chance_;
  Rng rng_;
  std::uint32_t sent_ = 0;
  Instant next_at_;
  std::set<std::uint32_t> seen_;
};

}  // namespace peernet::sim
