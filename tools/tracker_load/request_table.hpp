// Requests under way, found by their transaction id, in the order in which they were sent.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "base/check.hpp"
#include "base/time.hpp"
#include "wire/tracker_spec.hpp"

namespace peernet::tracker_load {

struct Request {
  Instant due;                ///< when it should have been sent: latency counts from here
  Instant sent;               ///< when it was
  std::uint32_t subject = 0;  ///< a peer or a node
  std::uint32_t swarm = 0;    ///< the first of `swarms`
  std::uint32_t swarms = 0;
  std::uint32_t source = 0;  ///< whose socket
  wire::TrackerAction action = wire::TrackerAction::kConnect;
  wire::AnnounceEvent event = wire::AnnounceEvent::kNone;
  bool complete = false;

 private:
  friend class RequestTable;
  bool live_ = false;
  std::uint16_t generation_ = 0;
  std::int32_t before_ = -1;
  std::int32_t after_ = -1;
};

/// Transaction id = generation << 16 | slot: a late reply to a request that was given up is known as one. Slots are
/// used in turn, so that a generation lasts as long as possible: 32,768 of them, 8 s at 500,000 requests/s and a window
/// of 128.
class RequestTable {
 public:
  explicit RequestTable(std::uint32_t window) : slots_(window) {
    for (std::uint32_t i = 0; i < window; ++i) free_.push_back(static_cast<std::uint16_t>(i));
  }

  bool full() const { return free_.empty(); }
  std::uint32_t live() const { return static_cast<std::uint32_t>(slots_.size() - free_.size()); }

  /// The transaction id of the request that start() begins next.
  std::uint32_t next_transaction() const {
    return std::uint32_t{slots_[free_.front()].generation_} << 16 | free_.front();
  }
  void start(const Request& request) {
    PN_CHECK(!full());
    const std::uint16_t i = free_.front();
    free_.pop_front();
    Request& slot = slots_[i];
    const std::uint16_t generation = slot.generation_;
    slot = request;
    slot.generation_ = generation;
    slot.live_ = true;
    slot.before_ = newest_;
    slot.after_ = -1;
    (newest_ < 0 ? oldest_ : slots_[static_cast<std::size_t>(newest_)].after_) = i;
    newest_ = i;
  }

  enum class Found : std::uint8_t { kLive, kLate, kNever };
  /// The request of a transaction id from the network, which may be anything.
  Found find(std::uint32_t transaction, Request*& out) {
    const std::size_t i = transaction & 0xffff;
    if (i >= slots_.size()) return Found::kNever;
    out = &slots_[i];
    const auto age = static_cast<std::uint16_t>(out->generation_ - (transaction >> 16));
    if (age == 0 && out->live_) return Found::kLive;
    return age != 0 && age < 32768 ? Found::kLate : Found::kNever;
  }
  /// Nothing when none is under way.
  Request* oldest() { return oldest_ < 0 ? nullptr : &slots_[static_cast<std::size_t>(oldest_)]; }
  void finish(Request& request) {
    PN_CHECK(request.live_);
    (request.before_ < 0 ? oldest_ : slots_[static_cast<std::size_t>(request.before_)].after_) = request.after_;
    (request.after_ < 0 ? newest_ : slots_[static_cast<std::size_t>(request.after_)].before_) = request.before_;
    request.live_ = false;
    ++request.generation_;
    free_.push_back(static_cast<std::uint16_t>(&request - slots_.data()));
  }

 private:
  std::vector<Request> slots_;
  std::deque<std::uint16_t> free_;
  std::int32_t oldest_ = -1;
  std::int32_t newest_ = -1;
};

}  // namespace peernet::tracker_load
