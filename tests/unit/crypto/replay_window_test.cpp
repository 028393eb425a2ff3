#include "crypto/replay_window.hpp"

#include <set>

#include "unit/crypto/testing.hpp"

namespace peernet::crypto {
namespace {

using Verdict = ReplayWindow::Verdict;

/// The definition, slowly.
class Model {
 public:
  Verdict check(std::uint64_t n) const {
    if (seen_.empty() || n > *seen_.rbegin()) return Verdict::kNew;
    if (*seen_.rbegin() - n >= ReplayWindow::kPackets) return Verdict::kTooOld;
    return seen_.contains(n) ? Verdict::kDuplicate : Verdict::kNew;
  }
  void mark(std::uint64_t n) { seen_.insert(n); }
  std::uint64_t largest() const { return seen_.empty() ? 0 : *seen_.rbegin(); }

 private:
  std::set<std::uint64_t> seen_;
};

TEST(ReplayWindow, TakesEveryNumberOnceInOrder) {
  ReplayWindow window;
  EXPECT_TRUE(window.empty());
  for (std::uint64_t n = 0; n < 3 * ReplayWindow::kPackets; ++n) {
    ASSERT_EQ(window.check(PacketNumber(n)), Verdict::kNew);
    window.mark(PacketNumber(n));
    ASSERT_EQ(window.check(PacketNumber(n)), Verdict::kDuplicate);
    ASSERT_EQ(window.largest(), PacketNumber(n));
  }
  EXPECT_FALSE(window.empty());
}

TEST(ReplayWindow, NumberZeroIsANumber) {
  ReplayWindow window;
  EXPECT_EQ(window.check(PacketNumber(0)), Verdict::kNew);
  window.mark(PacketNumber(0));
  EXPECT_EQ(window.check(PacketNumber(0)), Verdict::kDuplicate);
}

TEST(ReplayWindow, ReachesBackExactly4096Packets) {
  ReplayWindow window;
  window.mark(PacketNumber(10000));
  EXPECT_EQ(window.check(PacketNumber(10000 - 4095)), Verdict::kNew);
  EXPECT_EQ(window.check(PacketNumber(10000 - 4096)), Verdict::kTooOld);
  window.mark(PacketNumber(10000 - 4095));
  EXPECT_EQ(window.check(PacketNumber(10000 - 4095)), Verdict::kDuplicate);
  window.mark(PacketNumber(10001));
  EXPECT_EQ(window.check(PacketNumber(10000 - 4095)), Verdict::kTooOld);
}

TEST(ReplayWindow, CheckingANumberThatDoesNotOpenMovesNothing) {
  ReplayWindow window;
  window.mark(PacketNumber(5));
  for (int i = 0; i < 10; ++i) EXPECT_EQ(window.check(PacketNumber(1u << 30)), Verdict::kNew);
  EXPECT_EQ(window.largest(), PacketNumber(5));
  EXPECT_EQ(window.check(PacketNumber(4)), Verdict::kNew);
}

TEST(ReplayWindow, AJumpOfAnySizeForgetsEverythingBehindTheWindow) {
  for (const std::uint64_t jump : {63u, 64u, 65u, 4095u, 4096u, 4097u, 8191u, 8192u, 8193u, 1000000u}) {
    ReplayWindow window;
    for (std::uint64_t n = 0; n < 9000; ++n) window.mark(PacketNumber(n));
    const std::uint64_t top = 8999 + jump;
    window.mark(PacketNumber(top));
    for (std::uint64_t n = 0; n <= top; n += n + 9000 < top ? 997 : 1) {
      const Verdict expected = top - n >= ReplayWindow::kPackets ? Verdict::kTooOld
                               : n < 9000 || n == top            ? Verdict::kDuplicate
                                                                 : Verdict::kNew;
      ASSERT_EQ(window.check(PacketNumber(n)), expected) << jump << " " << n;
    }
  }
}

TEST(ReplayWindow, WorksAtTheEndOfTheNumberSpace) {
  ReplayWindow window;
  window.mark(PacketNumber(UINT64_MAX - 1));
  EXPECT_EQ(window.check(PacketNumber(UINT64_MAX)), Verdict::kNew);
  window.mark(PacketNumber(UINT64_MAX));
  EXPECT_EQ(window.check(PacketNumber(UINT64_MAX)), Verdict::kDuplicate);
  EXPECT_EQ(window.check(PacketNumber(UINT64_MAX - 2)), Verdict::kNew);
  EXPECT_EQ(window.check(PacketNumber(0)), Verdict::kTooOld);
}

TEST(ReplayWindow, DoesWhatItsDefinitionSaysUnderReorderingReplayAndJumps) {
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    Rng rng(seed);
    ReplayWindow window;
    Model model;
    std::uint64_t front = rng.below(200);
    const std::uint64_t spread = 1 + rng.below(6000);
    const std::uint64_t jump = rng.chance(0.5) ? 20000 : 200;
    for (int i = 0; i < 4000; ++i) {
      front += rng.chance(0.02) ? rng.below(jump) : rng.below(3);
      const std::uint64_t n = front - std::min(front, rng.chance(0.5) ? 0 : rng.below(spread));
      const Verdict verdict = window.check(PacketNumber(n));
      ASSERT_EQ(verdict, model.check(n)) << "seed " << seed << " step " << i << " number " << n;
      if (verdict != Verdict::kNew || rng.chance(0.1)) continue;  // some do not open
      window.mark(PacketNumber(n));
      model.mark(n);
      ASSERT_EQ(window.largest().value(), model.largest());
    }
  }
}

}  // namespace
}  // namespace peernet::crypto
