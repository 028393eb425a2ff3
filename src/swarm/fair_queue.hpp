// Whose turn it is to send: deficit round robin (Shreedhar and Varghese, SIGCOMM 1995) by bytes, so that a receiver of
// small datagrams or small pieces is given as much as one of large ones. What is sent is sent whole: who has sent more
// than his turn allowed pays for it in the next.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/check.hpp"
#include "base/slab.hpp"

namespace peernet::swarm {

/// What a receiver keeps of its place in the queue.
struct FairShare {
  std::int64_t credit = 0;  ///< bytes it may still send in this turn; negative: it has sent more
  bool queued = false;
};

/// What one attempt to send came to.
struct SendResult {
  enum class End : std::uint8_t {
    kSent,     ///< something was sent, there may be more
    kBlocked,  ///< nothing to send, or its own window says no: it leaves, and comes back when that has changed
    kWaiting,  ///< something that all share is short for it (a block of memory): it keeps its place
    kStop,     ///< nobody can send now (no train, the rate limit): its turn goes on next time
  };
  End end = End::kBlocked;
  std::uint64_t bytes = 0;  ///< what it is charged with
};

class FairQueue {
 public:
  /// Bytes of a turn: about one train.
  static constexpr std::int64_t kTurnBytes = 65536;

  bool empty() const { return count_ == 0; }
  std::size_t size() const { return count_; }

  /// To the end of the queue; nothing if it is queued already. What it owes it still owes, what it had left is gone.
  void push(SlabHandle who, FairShare& share) {
    if (share.queued) return;
    share.queued = true;
    share.credit = std::min<std::int64_t>(share.credit, 0);
    push_back(who);
  }

  /// Lets them send in turn until nobody can: `share_of(who)` is its FairShare, or nullptr if it is gone; `send(who)`
  /// returns a SendResult.
  template <class ShareOf, class Send>
  void run(ShareOf&& share_of, Send&& send) {
    std::size_t waiting = 0;  // in a row without anything sent
    while (count_ > 0 && waiting < count_) {
      const SlabHandle who = ring_[head_];
      FairShare* share = share_of(who);
      if (share == nullptr) {
        pop_front();
        continue;
      }
      if (!in_turn_) share->credit = std::min(share->credit + kTurnBytes, kTurnBytes);
      in_turn_ = true;
      SendResult result{SendResult::End::kSent, 0};
      while (share->credit > 0 && result.end == SendResult::End::kSent) {
        result = send(who);
        share->credit -= static_cast<std::int64_t>(result.bytes);
        if (result.bytes > 0) waiting = 0;
      }
      if (result.end == SendResult::End::kStop) return;
      pop_front();
      if (result.end == SendResult::End::kBlocked) {
        share->queued = false;
        continue;
      }
      if (result.end == SendResult::End::kWaiting) {
        share->credit = std::min<std::int64_t>(share->credit, 0);
        ++waiting;
      }
      push_back(who);
    }
  }

 private:
  void push_back(SlabHandle who) {
    if (count_ == ring_.size()) grow();
    ring_[(head_ + count_) & (ring_.size() - 1)] = who;
    ++count_;
  }
  void pop_front() {
    head_ = (head_ + 1) & (ring_.size() - 1);
    --count_;
    in_turn_ = false;
  }
  void grow() {
    std::vector<SlabHandle> larger(std::max<std::size_t>(2 * ring_.size(), 64));
    for (std::size_t i = 0; i < count_; ++i) larger[i] = ring_[(head_ + i) & (ring_.size() - 1)];
    ring_ = std::move(larger);
    head_ = 0;
  }

  std::vector<SlabHandle> ring_;  // a power of two
  std::size_t head_ = 0;
  std::size_t count_ = 0;
  bool in_turn_ = false;  // the first one has been given the bytes of its turn
};

}  // namespace peernet::swarm
