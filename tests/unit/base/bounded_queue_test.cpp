#include "base/bounded_queue.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <thread>
#include <vector>

namespace peernet {
namespace {

template <class Queue>
void holds_its_capacity() {
  Queue queue(5);
  EXPECT_EQ(queue.capacity(), 8u);
  int out = -1;
  EXPECT_FALSE(queue.try_pop(out));
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 8; ++i) EXPECT_TRUE(queue.try_push(round * 8 + i));
    EXPECT_FALSE(queue.try_push(99));
    for (int i = 0; i < 8; ++i) {
      ASSERT_TRUE(queue.try_pop(out));
      EXPECT_EQ(out, round * 8 + i);
    }
    EXPECT_FALSE(queue.try_pop(out));
  }
}

TEST(BoundedQueue, SpscHoldsItsCapacityInOrder) {
  holds_its_capacity<SpscQueue<int>>();
}
TEST(BoundedQueue, MpscHoldsItsCapacityInOrder) {
  holds_its_capacity<MpscQueue<int>>();
}

TEST(BoundedQueue, ARefusedValueIsUntouched) {
  SpscQueue<std::unique_ptr<int>> spsc(1);
  MpscQueue<std::unique_ptr<int>> mpsc(2);
  EXPECT_TRUE(spsc.try_push(std::make_unique<int>(1)));
  EXPECT_TRUE(mpsc.try_push(std::make_unique<int>(1)));
  EXPECT_TRUE(mpsc.try_push(std::make_unique<int>(2)));
  auto kept = std::make_unique<int>(3);
  EXPECT_FALSE(spsc.try_push(std::move(kept)));
  EXPECT_FALSE(mpsc.try_push(std::move(kept)));
  ASSERT_NE(kept, nullptr);
  EXPECT_EQ(*kept, 3);
}

TEST(BoundedQueue, SpscLosesAndInventsNothingAcrossThreads) {
  constexpr std::uint64_t kItems = 200'000;
  SpscQueue<std::vector<std::uint64_t>> queue(16);  // a vector: torn items would crash or show
  std::thread producer([&] {
    for (std::uint64_t i = 0; i < kItems; ++i) {
      std::vector<std::uint64_t> item{i, ~i};
      while (!queue.try_push(std::move(item))) std::this_thread::yield();
    }
  });
  std::vector<std::uint64_t> item;
  for (std::uint64_t i = 0; i < kItems; ++i) {
    while (!queue.try_pop(item)) std::this_thread::yield();
    ASSERT_EQ(item, (std::vector<std::uint64_t>{i, ~i}));
  }
  producer.join();
  EXPECT_FALSE(queue.try_pop(item));
}

TEST(BoundedQueue, MpscKeepsEachProducersOrder) {
  constexpr std::uint64_t kProducers = 3, kItems = 60'000;
  MpscQueue<std::vector<std::uint64_t>> queue(16);
  std::vector<std::thread> producers;
  for (std::uint64_t p = 0; p < kProducers; ++p)
    producers.emplace_back([&queue, p] {
      for (std::uint64_t i = 0; i < kItems; ++i) {
        std::vector<std::uint64_t> item{p, i};
        while (!queue.try_push(std::move(item))) std::this_thread::yield();
      }
    });
  std::vector<std::uint64_t> next(kProducers);
  std::vector<std::uint64_t> item;
  for (std::uint64_t i = 0; i < kProducers * kItems; ++i) {
    while (!queue.try_pop(item)) std::this_thread::yield();
    ASSERT_EQ(item.size(), 2u);
    ASSERT_EQ(item[1], next[item[0]]++);
  }
  for (auto& producer : producers) producer.join();
  EXPECT_FALSE(queue.try_pop(item));
}

}  // namespace
}  // namespace peernet
