#include "base/timer_wheel.hpp"

#include <gtest/gtest.h>

#include <map>
#include <vector>

#include "base/rng.hpp"

namespace peernet {
namespace {

Instant at(std::int64_t ns) {
  return Instant::from_ns(ns);
}

std::vector<int> due(TimerWheel<int>& wheel, Instant now) {
  std::vector<int> out;
  wheel.advance(now, [&](int v) { out.push_back(v); });
  return out;
}

TEST(TimerWheel, FiresInOrderNeverEarly) {
  TimerWheel<int> wheel(at(0), Duration(10), 8);
  wheel.arm(at(95), 2);
  wheel.arm(at(41), 1);
  wheel.arm(at(100000), 3);
  EXPECT_EQ(wheel.next_deadline(), at(50)) << "41 rounded up to a tick";
  EXPECT_TRUE(due(wheel, at(49)).empty());
  EXPECT_EQ(due(wheel, at(50)), std::vector<int>{1});
  EXPECT_EQ(due(wheel, at(200000)), (std::vector<int>{2, 3}));
  EXPECT_TRUE(wheel.next_deadline().is_never());
}

TEST(TimerWheel, WhatIsDueAtOnceFiresWithTheNextTick) {
  TimerWheel<int> wheel(at(1000), Duration(10), 8);
  EXPECT_TRUE(due(wheel, at(5000)).empty());
  wheel.arm(at(200), 1);  // long past
  wheel.arm(at(5000), 2);
  EXPECT_EQ(wheel.next_deadline(), at(5010));
  EXPECT_EQ(due(wheel, at(5010)), (std::vector<int>{1, 2}));
}

TEST(TimerWheel, ACancelledTimerIsGone) {
  TimerWheel<int> wheel(at(0), Duration(1), 4);
  const SlabHandle a = wheel.arm(at(10), 1);
  const SlabHandle b = wheel.arm(at(10), 2);
  EXPECT_TRUE(wheel.cancel(a));
  EXPECT_FALSE(wheel.cancel(a));
  EXPECT_EQ(due(wheel, at(10)), std::vector<int>{2});
  EXPECT_FALSE(wheel.cancel(b)) << "it has fired";
}

TEST(TimerWheel, NeverIsNotArmedAndAFullWheelSaysNo) {
  TimerWheel<int> wheel(at(0), Duration(1), 1);
  EXPECT_FALSE(wheel.arm(Instant::never(), 1));
  EXPECT_TRUE(wheel.arm(at(5), 1));
  EXPECT_FALSE(wheel.arm(at(6), 2));
  EXPECT_EQ(wheel.size(), 1u);
}

TEST(TimerWheel, TheCallbackMayCancelAndArm) {
  TimerWheel<int> wheel(at(0), Duration(1), 8);
  wheel.arm(at(5), 1);
  const SlabHandle victim = wheel.arm(at(5), 2);
  std::vector<int> fired;
  wheel.advance(at(20), [&](int v) {
    fired.push_back(v);
    if (v == 1) {
      EXPECT_TRUE(wheel.cancel(victim));
      wheel.arm(at(5), 3);   // past: fires with the tick after this one
      wheel.arm(at(30), 4);  // not due in this advance
    }
  });
  EXPECT_EQ(fired, (std::vector<int>{1, 3}));
  EXPECT_EQ(wheel.next_deadline(), at(30));
}

TEST(TimerWheel, ATimerThatRearmsItselfForNowDoesNotLoop) {
  TimerWheel<int> wheel(at(0), Duration(1), 2);
  wheel.arm(at(1), 1);
  int calls = 0;
  for (int i = 0; i < 3; ++i)
    wheel.advance(at(100 + i), [&](int v) {
      ASSERT_LT(++calls, 1000);
      wheel.arm(at(100 + i), v);
    });
  EXPECT_EQ(calls, 1 + 1 + 1 + 1) << "at 1, then once a tick from 100 on";
}

TEST(TimerWheel, ReachesTheLastInstantInAStepPerLevel) {
  TimerWheel<int> wheel(at(INT64_MIN), Duration(1), 2);
  wheel.arm(at(INT64_MAX - 1), 1);
  int steps = 0;
  std::vector<int> fired;
  while (wheel.size() > 0) {
    ASSERT_LE(++steps, 11);
    fired = due(wheel, wheel.next_deadline());
  }
  EXPECT_EQ(fired, std::vector<int>{1});
  wheel.arm(at(0), 2);
  EXPECT_EQ(wheel.next_deadline(), at(INT64_MAX - 1)) << "a tick past the last instant is told as the last instant";
}

/// Against a multimap of exact deadlines: what fires, when, and that the announced deadline is a lower bound that is
/// reached in a few steps.
TEST(TimerWheel, EqualsAMultimap) {
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    Rng rng(seed);
    const std::int64_t tick = static_cast<std::int64_t>(1 + rng.below(100));
    const std::int64_t start = static_cast<std::int64_t>(rng.below(1000));
    TimerWheel<int> wheel(at(start), Duration(tick), 200);
    std::multimap<std::int64_t, int> model;  // tick it is due at -> value
    std::map<int, std::pair<SlabHandle, std::int64_t>> armed;
    std::int64_t now = start, current = 0;
    int name = 0;
    for (int step = 0; step < 400; ++step) {
      const double what = rng.unit();
      if (what < 0.5) {
        const std::uint64_t reach = std::uint64_t{1} << rng.below(40);
        const std::int64_t deadline = now - 50 + static_cast<std::int64_t>(rng.below(reach + 100));
        const SlabHandle h = wheel.arm(at(deadline), ++name);
        ASSERT_EQ(static_cast<bool>(h), armed.size() < 200);
        if (h) {
          const std::int64_t rounded = deadline <= start ? 0 : (deadline - start + tick - 1) / tick;
          const std::int64_t due_tick = std::max(rounded, current + 1);
          model.emplace(due_tick, name);
          armed[name] = {h, due_tick};
        }
      } else if (what < 0.65 && !armed.empty()) {
        const auto it = std::next(armed.begin(), static_cast<std::ptrdiff_t>(rng.below(armed.size())));
        ASSERT_TRUE(wheel.cancel(it->second.first));
        auto [from, to] = model.equal_range(it->second.second);
        while (from->second != it->first) ++from;
        model.erase(from);
        armed.erase(it);
      } else {
        if (rng.chance(0.5) && !model.empty()) {
          now = std::max(now, wheel.next_deadline().ns());
        } else {
          now += static_cast<std::int64_t>(rng.below(std::uint64_t{1} << rng.below(36)));
        }
        current = std::max(current, (now - start) / tick);
        std::int64_t last = 0;
        wheel.advance(at(now), [&](int v) {
          ASSERT_TRUE(armed.contains(v)) << "seed " << seed;
          const std::int64_t due_tick = armed[v].second;
          EXPECT_LE(due_tick, current) << "early, seed " << seed;
          EXPECT_GE(due_tick, last) << "out of order, seed " << seed;
          last = due_tick;
          auto [from, to] = model.equal_range(due_tick);
          while (from != to && from->second != v) ++from;
          ASSERT_NE(from, to);
          model.erase(from);
          armed.erase(v);
        });
        ASSERT_TRUE(model.empty() || model.begin()->first > current) << "late, seed " << seed << " step " << step;
      }
      ASSERT_EQ(wheel.size(), model.size());
      if (model.empty()) {
        ASSERT_TRUE(wheel.next_deadline().is_never());
      } else {
        const std::int64_t first = start + model.begin()->first * tick;
        ASSERT_LE(wheel.next_deadline().ns(), first) << "seed " << seed << " step " << step;
        if (model.begin()->first / 64 == current / 64) {
          ASSERT_EQ(wheel.next_deadline().ns(), first);
        }
      }
    }
  }
}

}  // namespace
}  // namespace peernet
