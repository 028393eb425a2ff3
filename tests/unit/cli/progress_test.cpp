#include "cli/progress.hpp"

#include <gtest/gtest.h>

#include "cli/printable.hpp"

namespace peernet::cli {
namespace {

constexpr std::size_t kWide = 200;

Progress running() {
  Progress p;
  p.phase = Phase::kRunning;
  p.name = "big.iso";
  p.bytes_total = 3'000'000'000;
  p.bytes_done = 1'300'000'000;
  p.sources = 3;
  return p;
}

TEST(ProgressLine, HasNamePartSpeedTimeAndSources) {
  EXPECT_EQ(progress_line(running(), 985'661'440.0, false, kWide),
            "big.iso 43% 1.2/2.8 GiB 940 MiB/s ETA 2s sources 3");
}

TEST(ProgressLine, SaysNoSpeedBeforeItIsKnown) {
  EXPECT_EQ(progress_line(running(), 0, false, kWide), "big.iso 43% 1.2/2.8 GiB sources 3");
}

TEST(ProgressLine, HundredPercentMeansAllOfIt) {
  Progress p = running();
  p.bytes_done = p.bytes_total - 1;
  EXPECT_TRUE(progress_line(p, 0, false, kWide).starts_with("big.iso 99% "));
  p.bytes_done = p.bytes_total;
  EXPECT_TRUE(progress_line(p, 5, false, kWide).starts_with("big.iso 100% "));
}

TEST(ProgressLine, OfAShareTellsReceivers) {
  Progress p = running();
  p.receivers = 2;
  p.completed = 1;
  p.bytes_sent = 43u << 20;
  EXPECT_EQ(progress_line(p, 0, true, kWide), "big.iso receivers 2 completed 1 sent 43.0 MiB");
  p.phase = Phase::kHashing;
  EXPECT_EQ(progress_line(p, 985'661'440.0, true, kWide), "big.iso hashing 43% 1.2/2.8 GiB 940 MiB/s ETA 2s");
}

TEST(ProgressLine, EveryPhaseHasWordsAndAnEmptyContentIsNoDivisionByZero) {
  Progress p;
  for (const Phase phase : {Phase::kStarting, Phase::kHashing, Phase::kConnecting, Phase::kChecking, Phase::kRunning,
                            Phase::kFinishing, Phase::kDone, Phase::kFailed}) {
    p.phase = phase;
    EXPECT_FALSE(progress_line(p, 0, false, kWide).empty());
    EXPECT_FALSE(progress_line(p, 1e9, true, kWide).empty());
  }
}

TEST(ProgressLine, TheNameGivesWayToTheTerminalWidth) {
  Progress p = running();
  p.name = "a very long name of some archive that does not fit.tar";
  for (std::size_t columns = 1; columns < kWide; ++columns)
    EXPECT_LE(display_width(progress_line(p, 985'661'440.0, false, columns)), columns);
  const std::string line = progress_line(p, 985'661'440.0, false, 70);
  EXPECT_TRUE(line.ends_with(" 43% 1.2/2.8 GiB 940 MiB/s ETA 2s sources 3")) << line;
  EXPECT_TRUE(line.starts_with("a very")) << line;
}

TEST(ProgressLine, ANameFromAPeerCannotDriveTheTerminal) {
  Progress p = running();
  p.name = "\x1b[2Jx\n";
  EXPECT_TRUE(progress_line(p, 0, false, kWide).starts_with("\\x1b[2Jx\\x0a 43%"));
}

TEST(RateMeter, NeedsTwoSamples) {
  RateMeter meter;
  EXPECT_EQ(meter.rate(), 0);
  meter.add(1, 1000);
  EXPECT_EQ(meter.rate(), 0);
  meter.add(1, 1000);
  EXPECT_EQ(meter.rate(), 0);
  meter.add(2, 3000);
  EXPECT_EQ(meter.rate(), 2000);
}

TEST(RateMeter, ForgetsWhatIsLongAgo) {
  RateMeter meter;
  std::uint64_t bytes = 0;
  for (int i = 0; i < 100; ++i) meter.add(i * 0.1, bytes += 1000);
  EXPECT_NEAR(meter.rate(), 10'000, 1);
  for (int i = 100; i < 200; ++i) meter.add(i * 0.1, bytes += 100);
  EXPECT_NEAR(meter.rate(), 1'000, 1);
}

TEST(RateMeter, StartsAnewWhenTheCountDoes) {
  RateMeter meter;
  meter.add(0, 5000);
  meter.add(1, 9000);
  meter.add(2, 0);
  EXPECT_EQ(meter.rate(), 0);
  meter.add(3, 700);
  EXPECT_EQ(meter.rate(), 700);
}

TEST(RateMeter, WhatAnEarlierRunLeftIsNoSpeed) {
  Progress p = running();
  p.bytes_resumed = 300'000'000;
  EXPECT_EQ(moved_bytes(p, false), 1'000'000'000u);
  p.bytes_sent = 5;
  EXPECT_EQ(moved_bytes(p, true), 5u);
}

}  // namespace
}  // namespace peernet::cli
