// The state folder: one owner, and a snapshot that comes back older by the time it lay there.
#include "tracker/server/state_folder.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <ctime>
#include <fstream>

#include "base/bytes.hpp"
#include "io/clock.hpp"
#include "tracker/snapshot.hpp"

namespace peernet::tracker::server {
namespace {

struct StateFolderTest : testing::Test {
  void SetUp() override {
    std::string pattern = testing::TempDir() + "/tracker-state-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    root = pattern;
    path = root + "/a/b";
  }
  void TearDown() override { static_cast<void>(std::system(("rm -rf " + root).c_str())); }

  StateFolder open() {
    auto folder = StateFolder::open(path);
    EXPECT_TRUE(folder) << folder.error().sentence;
    return std::move(*folder);
  }
  void put_snapshot(const std::vector<std::byte>& bytes) {
    std::ofstream(path + "/snapshot", std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  }
  static bool exists(const std::string& name) {
    struct stat info{};
    return ::stat(name.c_str(), &info) == 0;
  }

  std::string root;
  std::string path;
  TrackerCore core{CoreOptions{}};
};

SwarmSummary the_swarm() {
  SwarmSummary out;
  out.swarm.fill(std::byte{7});
  out.completed = 3;
  return out;
}

PeerSummary legacy(std::uint8_t last, std::uint32_t age_ms) {
  PeerSummary out;
  out.legacy = true;
  out.node.address = Address::v4(192, 0, 2, last, 1000);
  out.node.age_ms = age_ms;
  return out;
}

std::vector<std::byte> snapshot(std::int64_t seconds_ago, const std::vector<PeerSummary>& peers) {
  SnapshotEncoder encoder(static_cast<std::uint64_t>(::time(nullptr) - seconds_ago));
  for (const PeerSummary& peer : peers) encoder.add(the_swarm(), peer);
  encoder.finish();
  const ByteSpan bytes = encoder.gathered();
  return {bytes.begin(), bytes.end()};
}

bool any_pace(Duration) {
  return true;
}

TEST_F(StateFolderTest, IsMadePrivateAndHasOneOwner) {
  {
    const StateFolder folder = open();
    struct stat info{};
    ASSERT_EQ(::stat(path.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0700u);
    const auto second = StateFolder::open(path + "/");
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, ErrorCode::kTargetExists);
  }
  open();
}

TEST_F(StateFolderTest, AFileInItsPlaceIsASentence) {
  open();
  const auto folder = StateFolder::open(path + "/lock");
  ASSERT_FALSE(folder);
  EXPECT_EQ(folder.error().code, ErrorCode::kLocalIo);
}

TEST_F(StateFolderTest, WhatIsWrittenComesBack) {
  const StateFolder folder = open();
  EXPECT_EQ(folder.restore(core).second, 0u);
  const Instant now = io::monotonic_now();
  for (std::uint8_t i = 0; i < 200; ++i) ASSERT_TRUE(core.restore(now, the_swarm().swarm, legacy(i, 1000)));
  core.restore_completed(the_swarm().swarm, 3);
  ASSERT_TRUE(folder.write(core, any_pace));
  EXPECT_FALSE(exists(path + "/snapshot.tmp"));
  TrackerCore other{CoreOptions{}};
  const RestoredSnapshot restored = folder.restore(other);
  EXPECT_EQ(restored.peers, 200u);
  EXPECT_EQ(restored.trouble, "");
  std::uint32_t completed = 0;
  VisitCursor cursor;
  while (!cursor.done) other.visit_swarms(cursor, [&](const SwarmSummary& s) { completed = s.completed; });
  EXPECT_EQ(completed, 3u);
  other.check_invariants();
}

TEST_F(StateFolderTest, AgesCountOnWhileNobodyRuns) {
  const StateFolder folder = open();
  // 1.5 intervals of 1800 s: the second has been silent for too long by now.
  put_snapshot(snapshot(1000, {legacy(1, 100'000), legacy(2, 1'900'000), legacy(3, UINT32_MAX)}));
  const RestoredSnapshot restored = folder.restore(core);
  EXPECT_EQ(restored.peers, 1u);
  EXPECT_EQ(restored.dead, 2u);
  std::uint32_t age = 0;
  ASSERT_TRUE(core.visit_peers_of(io::monotonic_now(), the_swarm().swarm,
                                  [&](const PeerSummary& peer) { age = peer.node.age_ms; }));
  EXPECT_NEAR(age, 1'100'000, 60'000);
}

TEST_F(StateFolderTest, ASnapshotFromTheFutureAgesNobody) {
  const StateFolder folder = open();
  put_snapshot(snapshot(-100'000, {legacy(1, 0)}));
  EXPECT_EQ(folder.restore(core).peers, 1u);
}

TEST_F(StateFolderTest, ADamagedSnapshotIsMovedAsideAndNotBelieved) {
  const StateFolder folder = open();
  auto bytes = snapshot(0, {legacy(1, 0)});
  bytes[40] ^= std::byte{1};
  for (const std::vector<std::byte>& bad : {bytes, std::vector<std::byte>{}, std::vector<std::byte>(100'000)}) {
    put_snapshot(bad);
    const RestoredSnapshot restored = folder.restore(core);
    EXPECT_EQ(restored.peers, 0u);
    EXPECT_NE(restored.trouble, "");
    EXPECT_FALSE(exists(path + "/snapshot"));
    EXPECT_TRUE(exists(path + "/snapshot.damaged"));
  }
  EXPECT_EQ(core.totals().contents, 0u);
}

TEST_F(StateFolderTest, AWriteThatIsGivenUpLeavesTheOldSnapshot) {
  const StateFolder folder = open();
  put_snapshot(snapshot(0, {legacy(1, 0)}));
  EXPECT_FALSE(folder.write(core, [](Duration) { return false; }));
  EXPECT_FALSE(exists(path + "/snapshot.tmp"));
  EXPECT_EQ(folder.restore(core).peers, 1u);
}

}  // namespace
}  // namespace peernet::tracker::server
