#include "transport/frame_store.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace peernet::transport {
namespace {

std::vector<std::byte> frame(std::size_t size, int mark) {
  return std::vector<std::byte>(size, std::byte(mark));
}
int mark_of(ByteSpan bytes) {
  return std::to_integer<int>(bytes[0]);
}

TEST(FrameStore, FramesLeaveInTheOrderTheyCame) {
  FrameStore store({16, 4});
  for (int i = 1; i <= 3; ++i) ASSERT_TRUE(store.push(frame(20, i), FrameStore::For::kOwner));
  for (int i = 1; i <= 3; ++i) {
    EXPECT_EQ(mark_of(store.front()), i);
    store.release(store.take(kNoFrame));
  }
  EXPECT_TRUE(store.queue_empty());
  store.check_invariants();
}

TEST(FrameStore, ALostPacketsFramesGoNextAndInOrder) {
  FrameStore store({16, 4});
  for (int i = 1; i <= 4; ++i) ASSERT_TRUE(store.push(frame(20, i), FrameStore::For::kOwner));
  std::uint16_t chain = kNoFrame;
  for (int i = 0; i != 3; ++i) chain = store.take(chain);
  EXPECT_EQ(store.chain_length(chain), 3U);
  EXPECT_EQ(store.requeue(chain), 3U);
  store.check_invariants();
  for (int i = 1; i <= 4; ++i) {
    EXPECT_EQ(mark_of(store.front()), i);
    store.release(store.take(kNoFrame));
  }
}

TEST(FrameStore, IsBoundedPerSizeAndKeepsAReserveForTheSession) {
  FrameStore store({4, 2});
  EXPECT_EQ(store.room(), 4U);
  for (int i = 0; i != 4; ++i) EXPECT_TRUE(store.push(frame(64, 1), FrameStore::For::kOwner));
  EXPECT_EQ(store.room(), 0U);
  EXPECT_FALSE(store.push(frame(1, 1), FrameStore::For::kOwner));
  for (std::uint32_t i = 0; i != FrameStore::kReserve; ++i)
    EXPECT_TRUE(store.push(frame(9, 2), FrameStore::For::kSession));
  EXPECT_FALSE(store.push(frame(9, 2), FrameStore::For::kSession));
  EXPECT_TRUE(store.push(frame(65, 3), FrameStore::For::kOwner));
  EXPECT_TRUE(store.push(frame(FrameStore::kLargeBytes, 3), FrameStore::For::kOwner));
  EXPECT_FALSE(store.push(frame(65, 3), FrameStore::For::kOwner));
  EXPECT_FALSE(store.push(frame(FrameStore::kLargeBytes + 1, 3), FrameStore::For::kOwner));
  store.check_invariants();
  while (!store.queue_empty()) store.release(store.take(kNoFrame));
  EXPECT_EQ(store.room(), 4U);
}

}  // namespace
}  // namespace peernet::transport
