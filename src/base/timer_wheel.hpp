// A hierarchical timer wheel (Varghese and Lauck 1987, scheme 6): arm and cancel in constant time, no allocation after
// construction. Levels of 64 slots cover all 64 bits of a tick, so there is no farthest deadline.
//
// A timer lives at the level of the highest 6-bit digit in which its tick differs from the wheel's: all of level 0 is
// due before all of level 1, and so on, and the first occupied slot is found with one bit scan per level.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>

#include "base/check.hpp"
#include "base/rng.hpp"
#include "base/slab.hpp"
#include "base/time.hpp"

namespace peernet {

/// T is what a timer stands for, such as a SlabHandle and a kind; small and trivially copyable.
template <class T>
class TimerWheel {
 public:
  /// start: no deadline is before it. tick: deadlines are rounded up to a multiple of it.
  TimerWheel(Instant start, Duration tick, std::uint32_t capacity)
      : nodes_(capacity), start_(start), tick_ns_(static_cast<std::uint64_t>(tick.count())) {
    PN_CHECK(tick.count() > 0);
    for (auto& level : heads_) level.fill(kNone);
    for (auto& level : tails_) level.fill(kNone);
  }

  /// Fires at the first advance() with now >= deadline rounded up to a tick: never early, and one tick after the last
  /// advance() at the earliest. False handle: the wheel is full, or the deadline is never.
  SlabHandle arm(Instant deadline, T value) {
    if (deadline.is_never()) return {};
    const std::uint64_t tick = std::max(tick_at_or_after(deadline), current_ + 1);
    const SlabHandle h = nodes_.emplace(Node{value, tick, kNone, kNone, 0, 0});
    if (h) link(h.slot);
    return h;
  }

  /// False if the timer has fired or was cancelled before.
  bool cancel(SlabHandle h) {
    if (nodes_.get(h) == nullptr) return false;
    unlink(h.slot);
    nodes_.erase(h);
    return true;
  }

  /// When to call advance() next: never later than the first timer is due; earlier only while that timer is more than
  /// 64 ticks away (the call then moves it closer). never() if no timer is armed.
  Instant next_deadline() const {
    Place p;
    return find_first(p) ? instant_of(p.tick) : Instant::never();
  }

  /// Calls on_due(T) for each timer due at now, by ascending tick, within a tick in the order of arming. on_due may arm
  /// and cancel. Time that goes back is ignored.
  template <class F>
  void advance(Instant now, F&& on_due) {
    const std::uint64_t target = tick_at_or_before(now);
    for (Place p; find_first(p) && p.tick <= target;) {
      current_ = std::max(current_, p.tick);
      if (p.level == 0) {
        fire(p.slot, on_due);
      } else {
        cascade(p.level, p.slot);
      }
    }
    current_ = std::max(current_, target);
  }

  std::uint32_t size() const { return nodes_.size(); }
  std::uint32_t capacity() const { return nodes_.capacity(); }

 private:
  static constexpr unsigned kBits = 6;
  static constexpr unsigned kSlots = 1U << kBits;
  static constexpr unsigned kLevels = (64 + kBits - 1) / kBits;
  static constexpr std::uint32_t kNone = UINT32_MAX;

  struct Node {
    T value;
    std::uint64_t tick;
    std::uint32_t previous;
    std::uint32_t next;
    std::uint8_t level;
    std::uint8_t slot;
  };
  struct Place {
    unsigned level = 0;
    unsigned slot = 0;
    std::uint64_t tick = 0;  // first tick the slot stands for
  };

  std::uint64_t since_start(Instant t) const {  // unsigned: the distance between two Instants may pass INT64_MAX
    return t <= start_ ? 0 : static_cast<std::uint64_t>(t.ns()) - static_cast<std::uint64_t>(start_.ns());
  }
  std::uint64_t tick_at_or_before(Instant t) const { return since_start(t) / tick_ns_; }
  std::uint64_t tick_at_or_after(Instant t) const {
    const std::uint64_t ns = since_start(t);
    return ns / tick_ns_ + (ns % tick_ns_ != 0 ? 1 : 0);
  }
  Instant instant_of(std::uint64_t tick) const {
    const Wide ns = static_cast<Wide>(tick) * tick_ns_;  // rounding up may pass the last Instant
    const std::uint64_t room = static_cast<std::uint64_t>(INT64_MAX - 1) - static_cast<std::uint64_t>(start_.ns());
    if (ns > room) return Instant::from_ns(INT64_MAX - 1);
    return Instant::from_ns(
        static_cast<std::int64_t>(static_cast<std::uint64_t>(start_.ns()) + static_cast<std::uint64_t>(ns)));
  }

  static unsigned digit(std::uint64_t tick, unsigned level) {
    return static_cast<unsigned>(tick >> (level * kBits)) & (kSlots - 1);
  }

  void link(std::uint32_t index) {
    Node& n = *nodes_.at_slot(index);
    const std::uint64_t differing = (n.tick ^ current_) | 1;
    const unsigned level = (63U - static_cast<unsigned>(std::countl_zero(differing))) / kBits;
    const unsigned slot = digit(n.tick, level);
    n.level = static_cast<std::uint8_t>(level);
    n.slot = static_cast<std::uint8_t>(slot);
    n.next = kNone;
    n.previous = tails_[level][slot];
    (n.previous == kNone ? heads_[level][slot] : nodes_.at_slot(n.previous)->next) = index;
    tails_[level][slot] = index;
    occupied_[level] |= std::uint64_t{1} << slot;
  }

  void unlink(std::uint32_t index) {
    const Node& n = *nodes_.at_slot(index);
    (n.previous == kNone ? heads_[n.level][n.slot] : nodes_.at_slot(n.previous)->next) = n.next;
    (n.next == kNone ? tails_[n.level][n.slot] : nodes_.at_slot(n.next)->previous) = n.previous;
    if (heads_[n.level][n.slot] == kNone) occupied_[n.level] &= ~(std::uint64_t{1} << n.slot);
  }

  bool find_first(Place& out) const {
    for (unsigned level = 0; level < kLevels; ++level) {
      if (occupied_[level] == 0) continue;  // slots before the current digit are always empty
      const auto slot = static_cast<unsigned>(std::countr_zero(occupied_[level]));
      const unsigned shift = level * kBits;
      const unsigned above = shift + kBits;
      const std::uint64_t prefix = above >= 64 ? 0 : (current_ >> above) << above;
      out = {level, slot, prefix | (std::uint64_t{slot} << shift)};
      return true;
    }
    return false;
  }

  template <class F>
  void fire(unsigned slot, F& on_due) {
    // One at a time from the head: on_due may cancel what stands behind it.
    while (heads_[0][slot] != kNone) {
      const std::uint32_t index = heads_[0][slot];
      const T value = nodes_.at_slot(index)->value;
      unlink(index);
      nodes_.erase(nodes_.handle_of(index));
      on_due(value);
    }
  }

  void cascade(unsigned level, unsigned slot) {
    std::uint32_t index = heads_[level][slot];
    heads_[level][slot] = tails_[level][slot] = kNone;
    occupied_[level] &= ~(std::uint64_t{1} << slot);
    while (index != kNone) {
      const std::uint32_t next = nodes_.at_slot(index)->next;
      link(index);
      index = next;
    }
  }

  Slab<Node> nodes_;
  Instant start_;
  std::uint64_t tick_ns_;
  std::uint64_t current_ = 0;  // everything up to this tick has fired
  std::array<std::uint64_t, kLevels> occupied_{};
  std::array<std::array<std::uint32_t, kSlots>, kLevels> heads_;
  std::array<std::array<std::uint32_t, kSlots>, kLevels> tails_;
};

}  // namespace peernet
