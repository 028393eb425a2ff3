// A day of peers that come and go leaves nothing behind. A program of its own: it counts every allocation.
#include <gtest/gtest.h>
#include <malloc.h>

#include <cstdlib>
#include <new>

#include "base/rng.hpp"
#include "tracker_client.hpp"

namespace {
std::size_t live_bytes = 0;

void* counted(void* block) {
  if (block == nullptr) std::abort();
  live_bytes += malloc_usable_size(block);
  return block;
}
void uncounted(void* block) {
  if (block == nullptr) return;
  live_bytes -= malloc_usable_size(block);
  std::free(block);
}
}  // namespace

void* operator new(std::size_t size) {
  return counted(std::malloc(size));
}
void* operator new(std::size_t size, std::align_val_t align) {
  return counted(std::aligned_alloc(static_cast<std::size_t>(align), size));
}
void operator delete(void* block) noexcept {
  uncounted(block);
}
void operator delete(void* block, std::size_t) noexcept {
  uncounted(block);
}
void operator delete(void* block, std::align_val_t) noexcept {
  uncounted(block);
}
void operator delete(void* block, std::size_t, std::align_val_t) noexcept {
  uncounted(block);
}

namespace peernet::tracker {
namespace {

TEST(TrackerChurn, ADayOfComingAndGoingLeavesNoLeak) {
  Tracker t;
  Rng rng(1);
  const auto come = [&](std::uint32_t i) {
    const auto swarm = static_cast<std::uint32_t>(rng.chance(0.3) ? 0 : rng.below(1u << 20));
    wire::AnnounceRequest announce{.swarm = swarm_number(swarm), .left = rng.below(2), .port = 9};
    if (rng.chance(0.2)) announce.event = wire::AnnounceEvent::kStopped;
    if (i % 3 == 0) t.announce(v4(i, 9), announce);
    if (i % 3 == 1) t.announce(v6(i, 1, 9), announce);
    if (i % 3 == 2) t.announce(v4(i, 9), node_announce(swarm_number(swarm), 1, rng.chance(0.5)));
  };
  std::size_t most = 0;
  std::size_t at_first_hour = 0;
  std::uint32_t next = 0;
  const std::size_t before = live_bytes;
  for (int minute = 0; minute < 24 * 60; ++minute) {
    for (int k = 0; k < 100; ++k) come(next++);
    t.pass(60s);
    most = std::max(most, live_bytes - before);
    if (minute == 100) at_first_hour = most;
  }
  // All in all 144,000 peers; those of the last 45 minutes are there, and memory is what it was when it had first
  // filled.
  const Totals totals = t.core.totals();
  EXPECT_GT(totals.legacy_v4 + totals.legacy_v6, 2000u);
  EXPECT_LT(most, at_first_hour * 13 / 10);
  t.core.check_invariants();
  t.pass(3000s);
  EXPECT_EQ(t.core.totals().contents, 0u);
  EXPECT_LT(live_bytes - before, std::size_t{64} * 8192);  // a spare chunk and small tables of each of 64 stripes
  // The next day needs no more.
  const std::size_t empty = live_bytes;
  for (int minute = 0; minute < 120; ++minute) {
    for (int k = 0; k < 100; ++k) come(next++);
    t.pass(60s);
  }
  EXPECT_LT(live_bytes - before, at_first_hour * 13 / 10);
  t.pass(3000s);
  EXPECT_LE(live_bytes, empty + 64 * 256);
}

}  // namespace
}  // namespace peernet::tracker
