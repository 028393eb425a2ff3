#include "node/transfer_state.hpp"

#include <gtest/gtest.h>

#include <thread>

namespace peernet::node {
namespace {

using namespace std::chrono_literals;

TEST(TransferState, EventsComeInOrderAndTheLastOneIsTheLast) {
  TransferState state;
  state.push({.kind = EventKind::kStart});
  state.finish({.kind = EventKind::kDone}, Phase::kDone);
  state.push({.kind = EventKind::kNotice});
  state.finish({.kind = EventKind::kError}, Phase::kFailed);
  EXPECT_EQ(state.wait_event(0ms)->kind, EventKind::kStart);
  EXPECT_EQ(state.wait_event(0ms)->kind, EventKind::kDone);
  EXPECT_FALSE(state.wait_event(0ms));
  EXPECT_EQ(state.progress().phase, Phase::kDone);
}

TEST(TransferState, WhenNobodyReadsOldNewsGoesAndTheEndStays) {
  TransferState state;
  state.push({.kind = EventKind::kStart});
  for (int i = 0; i < 5000; ++i) state.push({.kind = EventKind::kRetry});
  state.finish({.kind = EventKind::kDone}, Phase::kDone);
  EXPECT_EQ(state.wait_event(0ms)->kind, EventKind::kStart);
  std::size_t retries = 0;
  std::optional<Event> event;
  while ((event = state.wait_event(0ms)) && event->kind == EventKind::kRetry) ++retries;
  EXPECT_LT(retries, 300u);
  ASSERT_TRUE(event);
  EXPECT_EQ(event->kind, EventKind::kDone);
}

TEST(TransferState, WhatSourcesGaveIsWantedOnceAfterEachLook) {
  TransferState state;
  EXPECT_FALSE(state.sources_wanted());
  static_cast<void>(state.progress());
  EXPECT_TRUE(state.sources_wanted());
  EXPECT_FALSE(state.sources_wanted());
}

TEST(TransferState, ASourceThatComesBackGoesOnFromWhatItGave) {
  TransferState state;
  state.tell_source("a:1", 5, false);
  state.tell_source("b:1", 7, false);
  state.tell_source("a:1", 10, true);
  state.tell_source("a:1", 3, false);
  state.tell_source("a:1", 4, false);
  const auto told = state.progress().by_source;
  ASSERT_EQ(told.size(), 2u);
  EXPECT_EQ(told[0].peer, "a:1");
  EXPECT_EQ(told[0].bytes, 14u);
  EXPECT_EQ(told[1].bytes, 7u);
}

TEST(TransferState, OfManySourcesThoseThatLeftGoFirst) {
  TransferState state;
  state.tell_source("stays", 1, false);
  for (int i = 0; i < 200; ++i) state.tell_source(std::to_string(i), 1, true);
  state.tell_source("comes", 2, false);
  const auto told = state.progress().by_source;
  EXPECT_EQ(told.size(), 64u);
  EXPECT_EQ(told.front().peer, "stays");
  EXPECT_EQ(told.back().peer, "comes");
}

TEST(TransferState, CancelRunsItsActionOnceWhicheverComesFirst) {
  int runs = 0;
  TransferState early;
  early.cancel();
  early.on_cancel([&] { ++runs; });
  EXPECT_EQ(runs, 1);
  TransferState late;
  late.on_cancel([&] { ++runs; });
  late.cancel();
  late.cancel();
  EXPECT_EQ(runs, 2);
  TransferState over;
  over.finish({.kind = EventKind::kDone}, Phase::kDone);
  over.on_cancel([&] { ++runs; });
  over.cancel();
  EXPECT_EQ(runs, 2);
}

TEST(TransferState, InterruptEndsAWaitWithoutAnEvent) {
  TransferState state;
  std::jthread other([&] { state.interrupt(); });
  EXPECT_FALSE(state.wait_event(60'000ms));
}

}  // namespace
}  // namespace peernet::node
