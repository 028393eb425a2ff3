#include "swarm/have_teller.hpp"

#include <gtest/gtest.h>

#include <numeric>
#include <vector>

#include "base/rng.hpp"

namespace peernet::swarm {
namespace {

using Kind = HaveNews::Kind;
constexpr Instant kStart = Instant::from_ns(1'000'000'000);

// What a receiver makes of the news.
struct Receiver {
  explicit Receiver(std::uint32_t chunks) : map(chunks) {}

  void hear(const HaveLog& log, const HaveNews& news) {
    ++frames;
    if (news.kind == Kind::kComplete) {
      EXPECT_FALSE(complete) << "told twice";
      complete = true;
      map.set_all();
    } else if (news.kind == Kind::kMapPage) {
      std::vector<std::byte> bits(log.map().map_page_bytes(news.page));
      log.map().write_map_page(news.page, bits);
      ASSERT_TRUE(map.merge_map_page(news.page, bits));
    } else {
      ASSERT_FALSE(news.ranges.empty());
      std::uint32_t end = 0;
      for (const content::ChunkRange& range : news.ranges) {
        ASSERT_TRUE(end == 0 || range.first.value() > end) << "neighbours are joined, ranges ascend";
        ASSERT_TRUE(map.set_range(range));
        end = range.first.value() + range.count;
      }
    }
  }

  // Everything that may be said now.
  void listen(Instant now, const HaveLog& log) {
    while (const auto news = teller.next(now, log)) {
      hear(log, *news);
      teller.on_queued(now, log, *news);
    }
  }

  HaveTeller teller;
  content::ChunkMap map;
  bool complete = false;
  std::uint32_t frames = 0;
};

TEST(HaveTeller, AReceiverOfACompleteContentIsToldSoOnce) {
  HaveLog log(3);
  for (std::uint32_t i = 0; i < 3; ++i) log.add(ChunkIndex(i));
  Receiver receiver(3);
  receiver.listen(kStart, log);
  EXPECT_TRUE(receiver.complete);
  EXPECT_EQ(receiver.frames, 1u);
  EXPECT_TRUE(receiver.teller.done());
  EXPECT_TRUE(receiver.teller.next_deadline(log).is_never());
}

TEST(HaveTeller, NothingIsSaidOfNothing) {
  const HaveLog log(100);
  Receiver receiver(100);
  receiver.listen(kStart, log);
  EXPECT_EQ(receiver.frames, 0u);
  EXPECT_TRUE(receiver.teller.next_deadline(log).is_never());
}

TEST(HaveTeller, WhatIsThereAtTheJoinGoesAsRangesIfTheyFitOneFrameAndAsPagesOtherwise) {
  HaveLog few(100'000);
  HaveLog many(100'000);
  for (std::uint32_t i = 0; i < 64; ++i) few.add(ChunkIndex(i * 1000));
  for (std::uint32_t i = 0; i < 65; ++i) many.add(ChunkIndex(i * 1000));
  Receiver of_few(100'000);
  Receiver of_many(100'000);
  EXPECT_EQ(of_few.teller.next(kStart, few)->kind, Kind::kRanges);
  EXPECT_EQ(of_many.teller.next(kStart, many)->kind, Kind::kMapPage);
  of_few.listen(kStart, few);
  of_many.listen(kStart, many);
  EXPECT_EQ(of_few.frames, 1u);
  EXPECT_EQ(of_many.frames, 8u);  // chunk 64,000 is on the eighth page; the last five are empty
  EXPECT_EQ(of_few.map, few.map());
  EXPECT_EQ(of_many.map, many.map());
}

TEST(HaveTeller, ALoneChunkIsToldAtOnceAndTheNextOnesTogetherAfterAPause) {
  HaveLog log(100);
  Receiver receiver(100);
  Instant now = kStart;
  log.add(ChunkIndex(5));
  receiver.listen(now, log);
  EXPECT_EQ(receiver.frames, 1u);
  now += 10ms;
  log.add(ChunkIndex(7));
  receiver.listen(now, log);
  log.add(ChunkIndex(6));
  EXPECT_EQ(receiver.frames, 1u);
  EXPECT_EQ(receiver.teller.next_deadline(log), kStart + kHaveFlushEvery);
  now = kStart + kHaveFlushEvery;
  const auto news = receiver.teller.next(now, log);
  ASSERT_TRUE(news);
  ASSERT_EQ(news->ranges.size(), 1u);
  EXPECT_EQ(news->ranges[0], (content::ChunkRange{ChunkIndex(6), 2}));
  receiver.listen(now, log);
  now += 1s;
  log.add(ChunkIndex(50));
  EXPECT_LE(receiver.teller.next_deadline(log), now);
  receiver.listen(now, log);
  EXPECT_EQ(receiver.frames, 3u);
}

TEST(HaveTeller, TheLastChunkIsNotHeldBack) {
  HaveLog log(2);
  Receiver receiver(2);
  log.add(ChunkIndex(1));
  receiver.listen(kStart, log);
  log.add(ChunkIndex(0));
  EXPECT_LE(receiver.teller.next_deadline(log), kStart);
  receiver.listen(kStart, log);
  EXPECT_TRUE(receiver.complete);
}

TEST(HaveTeller, WithoutRoomNothingIsLost) {
  HaveLog log(20'000);
  for (std::uint32_t i = 0; i < 20'000; i += 3) log.add(ChunkIndex(i));
  Receiver receiver(20'000);
  Instant now = kStart;
  for (int turn = 0; turn < 10; ++turn, now += 1ms) {
    const auto news = receiver.teller.next(now, log);  // asked, and could not be queued
    if (!news) break;
    const auto again = receiver.teller.next(now, log);
    ASSERT_TRUE(again);
    EXPECT_EQ(again->page, news->page);
    log.add(ChunkIndex(static_cast<std::uint32_t>(turn) * 3 + 1));
    receiver.hear(log, *again);
    receiver.teller.on_queued(now, log, *again);
  }
  receiver.listen(now + kHaveFlushEvery, log);
  EXPECT_EQ(receiver.map, log.map());
}

TEST(HaveTeller, AThousandGigabytesAreToldInPages) {
  HaveLog log(1u << 20);
  for (std::uint32_t i = 0; i < (1u << 20); i += 2) log.add(ChunkIndex(i));
  Receiver receiver(1u << 20);
  receiver.listen(kStart, log);
  EXPECT_EQ(receiver.frames, 128u);
  EXPECT_EQ(receiver.map, log.map());
}

// Whatever comes in whatever order, and whenever the receiver can be told: in the end it knows all, flushes keep their
// distance, and a frame takes a bounded part of the log.
TEST(HaveTeller, ReceiversKnowEverythingWhateverTheOrderAndTheTimes) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(seed);
    Rng rng(seed);
    const auto chunks = static_cast<std::uint32_t>(1 + rng.below(rng.chance(0.2) ? 40'000 : 500));
    std::vector<std::uint32_t> order(chunks);
    std::iota(order.begin(), order.end(), 0u);
    if (rng.chance(0.8))
      for (std::uint32_t i = chunks; i > 1; --i) std::swap(order[i - 1], order[rng.below(i)]);
    HaveLog log(chunks);
    std::vector<Receiver> receivers;
    Instant now = kStart;
    std::size_t added = 0;
    const std::size_t stop = rng.chance(0.5) ? chunks : rng.below(chunks + 1);
    while (added < stop) {
      const std::size_t burst = 1 + rng.below(rng.chance(0.1) ? 6000 : 20);
      for (std::size_t i = 0; i < burst && added < stop; ++i) log.add(ChunkIndex(order[added++]));
      if (receivers.size() < 5 && rng.chance(0.2)) receivers.emplace_back(chunks);
      for (Receiver& receiver : receivers) {
        for (std::uint64_t room = rng.below(4); room > 0; --room) {
          const auto news = receiver.teller.next(now, log);
          if (!news) break;
          receiver.hear(log, *news);
          receiver.teller.on_queued(now, log, *news);
        }
      }
      now += Duration(static_cast<std::int64_t>(rng.below(60'000'000)));
    }
    receivers.emplace_back(chunks);
    for (Receiver& receiver : receivers) {
      while (!receiver.teller.next_deadline(log).is_never()) {
        now = std::max(now, receiver.teller.next_deadline(log));
        receiver.listen(now, log);
      }
      ASSERT_EQ(receiver.map, log.map());
      ASSERT_EQ(receiver.complete, log.complete());
    }
  }
}

TEST(HaveTeller, FlushesKeepTheirDistance) {
  HaveLog log(1000);
  Receiver receiver(1000);
  std::vector<Instant> flushes;
  for (std::uint32_t i = 0; i < 999; ++i) {
    const Instant now = kStart + i * 1ms;
    log.add(ChunkIndex(i));
    const std::uint32_t before = receiver.frames;
    receiver.listen(now, log);
    if (receiver.frames > before) flushes.push_back(now);
  }
  EXPECT_EQ(flushes.size(), 10u);
  for (std::size_t i = 1; i < flushes.size(); ++i) EXPECT_GE(flushes[i] - flushes[i - 1], kHaveFlushEvery);
}

}  // namespace
}  // namespace peernet::swarm
