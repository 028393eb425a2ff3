#include "swarm/fair_queue.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "base/rng.hpp"

namespace peernet::swarm {
namespace {

using End = SendResult::End;

// Receivers with pieces of their own size, and trains to send them in.
struct Model {
  struct Receiver {
    FairShare share;
    std::uint64_t piece = 65536;
    std::uint64_t window = UINT64_MAX;
    std::uint64_t sent = 0;
    std::uint64_t turns = 0;
  };

  explicit Model(std::size_t n) : receivers(n) {}
  static SlabHandle handle(std::size_t i) { return {static_cast<std::uint32_t>(i), 1}; }
  void push_all() {
    for (std::size_t i = 0; i < receivers.size(); ++i) queue.push(handle(i), receivers[i].share);
  }
  // Sends until `trains` are used up.
  void run(std::uint64_t trains) {
    queue.run([this](SlabHandle who) { return who.generation == 1 ? &receivers[who.slot].share : nullptr; },
              [&](SlabHandle who) {
                Receiver& r = receivers[who.slot];
                ++r.turns;
                if (trains == 0) return SendResult{End::kStop, 0};
                if (r.window < r.piece) return SendResult{End::kBlocked, 0};
                --trains;
                r.window -= r.piece;
                r.sent += r.piece;
                return SendResult{End::kSent, r.piece};
              });
  }

  std::vector<Receiver> receivers;
  FairQueue queue;
};

TEST(FairQueue, SmallPiecesAreGivenAsManyBytesAsLargeOnes) {
  Model m(4);
  m.receivers[0].piece = 1200;
  m.receivers[1].piece = 54 * 1160;
  m.receivers[2].piece = 65507;
  m.receivers[3].piece = 30'000;
  m.push_all();
  for (int turn = 0; turn < 20'000; ++turn) m.run(16);
  std::uint64_t least = UINT64_MAX;
  std::uint64_t most = 0;
  for (const auto& r : m.receivers) {
    least = std::min(least, r.sent);
    most = std::max(most, r.sent);
  }
  EXPECT_LT(most - least, 3 * static_cast<std::uint64_t>(FairQueue::kTurnBytes)) << "of " << most;
  EXPECT_GT(least, 100'000'000u);
}

// One train at a time is what a rate limit leaves: each run begins where the last one stopped.
TEST(FairQueue, TurnsGoOnWhereTheyStopped) {
  Model m(8);
  m.push_all();
  for (int turn = 0; turn < 8000; ++turn) m.run(1);
  for (const auto& r : m.receivers) EXPECT_EQ(r.sent, 1000u * 65536);
}

TEST(FairQueue, WhoIsBlockedLeavesAndCostsNothingUntilHeIsBack) {
  Model m(100);
  for (auto& r : m.receivers) r.window = 0;
  m.receivers[7].window = UINT64_MAX;
  m.push_all();
  m.run(1000);
  EXPECT_EQ(m.queue.size(), 1u);
  EXPECT_EQ(m.receivers[3].turns, 1u);
  m.receivers[3].window = 5 * 65536;
  m.queue.push(Model::handle(3), m.receivers[3].share);
  m.queue.push(Model::handle(3), m.receivers[3].share);
  EXPECT_EQ(m.queue.size(), 2u);
  m.run(1000);
  EXPECT_EQ(m.receivers[3].sent, 5u * 65536);
  EXPECT_EQ(m.receivers[4].turns, 1u);
}

TEST(FairQueue, LeavingAndComingBackGainsNothing) {
  Model m(2);
  m.receivers[0].piece = 65507;  // always ready
  m.receivers[1].piece = 65507;
  m.push_all();
  for (int turn = 0; turn < 10'000; ++turn) {
    m.receivers[1].window = 65507;  // blocked after each piece
    m.queue.push(Model::handle(1), m.receivers[1].share);
    m.run(2);
  }
  EXPECT_LE(m.receivers[1].sent, m.receivers[0].sent + 2 * 65536);
}

TEST(FairQueue, TheDeadAreSkipped) {
  FairQueue queue;
  FairShare a;
  FairShare b;
  queue.push({0, 1}, a);
  queue.push({1, 1}, b);
  int sent = 0;
  queue.run([&](SlabHandle who) { return who.slot == 0 ? nullptr : &b; },
            [&](SlabHandle) { return ++sent < 3 ? SendResult{End::kSent, 40'000} : SendResult{End::kBlocked, 0}; });
  EXPECT_EQ(sent, 3);
  EXPECT_TRUE(queue.empty());
  EXPECT_FALSE(b.queued);
}

TEST(FairQueue, WhoWaitsForWhatAllShareKeepsHisPlaceAndTheRunEnds) {
  FairQueue queue;
  std::vector<FairShare> shares(3);
  for (std::uint32_t i = 0; i < 3; ++i) queue.push({i, 1}, shares[i]);
  std::vector<std::uint32_t> asked;
  const auto run = [&] {
    asked.clear();
    queue.run([&](SlabHandle who) { return &shares[who.slot]; },
              [&](SlabHandle who) {
                asked.push_back(who.slot);
                return SendResult{End::kWaiting, 0};
              });
  };
  run();
  EXPECT_EQ(asked, (std::vector<std::uint32_t>{0, 1, 2}));
  EXPECT_EQ(queue.size(), 3u);
  run();
  EXPECT_EQ(asked.size(), 3u);
}

// Random sizes, windows and trains: whoever is always ready gets within a turn or two of every other such one.
TEST(FairQueue, TheAlwaysReadyAreEqualWhateverTheOthersDo) {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    SCOPED_TRACE(seed);
    Rng rng(seed);
    Model m(2 + rng.below(20));
    std::vector<bool> always(m.receivers.size());
    for (std::size_t i = 0; i < always.size(); ++i) always[i] = i < 2 || rng.chance(0.5);
    m.push_all();
    for (int turn = 0; turn < 3000; ++turn) {
      for (std::size_t i = 0; i < m.receivers.size(); ++i) {
        auto& r = m.receivers[i];
        r.piece = 1 + rng.below(65536);
        if (always[i]) continue;
        r.window = rng.below(200'000);
        m.queue.push(Model::handle(i), r.share);
      }
      m.run(rng.below(20));
    }
    std::uint64_t least = UINT64_MAX;
    std::uint64_t most = 0;
    for (std::size_t i = 0; i < always.size(); ++i) {
      if (!always[i]) continue;
      least = std::min(least, m.receivers[i].sent);
      most = std::max(most, m.receivers[i].sent);
    }
    EXPECT_LT(most - least, 3u * FairQueue::kTurnBytes);
  }
}

}  // namespace
}  // namespace peernet::swarm
