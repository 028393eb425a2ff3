#include "node/running_hashes.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "base/rng.hpp"

namespace peernet::node {
namespace {

std::vector<std::byte> bytes_of(std::size_t count, std::uint64_t seed) {
  Rng rng(seed);
  std::vector<std::byte> out(count);
  for (std::byte& b : out) b = static_cast<std::byte>(rng.next());
  return out;
}

TEST(RunningHashes, AnyOrderOfPiecesGivesTheHashOfTheWhole) {
  Rng rng(1);
  RunningHashes hashes(2);
  for (std::uint32_t life = 1; life != 200; ++life) {
    const std::vector<std::byte> chunk = bytes_of(1 + rng.next() % 5000, life);
    std::vector<Range<std::uint32_t>> pieces;
    for (std::uint32_t at = 0; at < chunk.size();) {
      const auto end = static_cast<std::uint32_t>(std::min<std::uint64_t>(chunk.size(), at + 1 + rng.next() % 900));
      pieces.push_back({at, end});
      at = end;
    }
    for (int swaps = static_cast<int>(life % 4); swaps > 0; --swaps)
      std::swap(pieces[rng.next() % pieces.size()], pieces[rng.next() % pieces.size()]);
    for (const auto& piece : pieces) hashes.on_data(life % 2, life, piece, chunk);
    EXPECT_EQ(hashes.finish(life % 2, life, chunk), crypto::xxh3_128(chunk)) << life;
  }
}

TEST(RunningHashes, WhatWasHashedForAnEarlierUseCountsNoMore) {
  const std::vector<std::byte> before = bytes_of(3000, 1), after = bytes_of(3000, 2);
  RunningHashes hashes(1);
  hashes.on_data(0, 1, {0, 2000}, before);
  hashes.on_data(0, 2, {2000, 3000}, after);  // goes on where the other had stopped
  hashes.on_data(0, 2, {0, 2000}, after);
  EXPECT_EQ(hashes.finish(0, 2, after), crypto::xxh3_128(after));
}

TEST(RunningHashes, NothingSeenMeansAllIsReadAtTheEnd) {
  const std::vector<std::byte> chunk = bytes_of(70'000, 3);
  RunningHashes hashes(1);
  EXPECT_EQ(hashes.finish(0, 5, chunk), crypto::xxh3_128(chunk));
  hashes.on_data(0, 6, {100, 200}, chunk);
  EXPECT_EQ(hashes.finish(0, 6, chunk), crypto::xxh3_128(chunk));
}

}  // namespace
}  // namespace peernet::node
