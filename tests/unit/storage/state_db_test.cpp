#include "storage/state_db.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "storage/state_thread.hpp"
#include "temp_directory.hpp"

namespace peernet::storage {
namespace {

namespace fs = std::filesystem;

ContentId id_of(unsigned n) {
  ContentId id{};
  id[0] = static_cast<std::byte>(n);
  return id;
}

PartRecord record_of(unsigned n, std::uint32_t chunks) {
  PartRecord record{.content_id = id_of(n),
                    .device = 7,
                    .inode = UINT64_MAX - n,
                    .size = 1ULL << 40,
                    .chunks = content::ChunkMap(chunks)};
  Rng rng(n);
  for (std::uint32_t i = 0; i < chunks; ++i)
    if (rng.chance(0.5)) record.chunks.set(ChunkIndex{i});
  return record;
}

TEST(StateDb, RemembersPartsSharesPeersAndValues) {
  const TempDirectory dir;
  const ShareRecord open_share{
      .content_id = id_of(1), .path = "/data/ä", .swarm_key = std::nullopt, .core = seeded_bytes(132, 1)};
  const ShareRecord private_share{
      .content_id = id_of(2), .path = "/x", .swarm_key = SwarmKey{std::byte{9}}, .core = {}};
  {
    const auto db = StateDb::open(dir / "state").value();
    EXPECT_FALSE(db->was_damaged());
    ASSERT_TRUE(db->begin());
    for (const std::uint32_t chunks : {0U, 1U, 9U, 8192U, 20'000U})
      ASSERT_TRUE(db->put_part(record_of(chunks % 251, chunks)));
    ASSERT_TRUE(db->put_share(private_share));
    ASSERT_TRUE(db->put_share(open_share));
    for (std::int64_t t = 1; t <= 5; ++t)
      ASSERT_TRUE(db->put_peer({.content_id = id_of(1), .address = "h:" + std::to_string(t), .seen_s = t}));
    ASSERT_TRUE(db->put_value("identity", seeded_bytes(64, 2)));
    ASSERT_TRUE(db->put_value("empty", {}));
    ASSERT_TRUE(db->commit());
  }
  const auto db = StateDb::open(dir / "state").value();
  for (const std::uint32_t chunks : {0U, 1U, 9U, 8192U, 20'000U}) {
    const PartRecord expected = record_of(chunks % 251, chunks);
    const std::optional<PartRecord> found = db->find_part(expected.content_id, expected.device, expected.inode).value();
    ASSERT_TRUE(found.has_value()) << chunks;
    EXPECT_EQ(found->chunks, expected.chunks);
    EXPECT_EQ(found->size, expected.size);
    EXPECT_FALSE(db->find_part(expected.content_id, 8, expected.inode).value().has_value());
  }
  EXPECT_EQ(db->shares().value(), (std::vector{open_share, private_share}));
  const std::vector<PeerRecord> peers = db->peers(id_of(1), 2).value();
  ASSERT_EQ(peers.size(), 2U);
  EXPECT_EQ(peers[0].address, "h:5");
  EXPECT_EQ(db->value("identity").value(), seeded_bytes(64, 2));
  EXPECT_EQ(db->value("empty").value(), std::vector<std::byte>{});
  EXPECT_EQ(db->value("none").value(), std::nullopt);
  ASSERT_TRUE(db->erase_share(id_of(1)));
  EXPECT_EQ(db->shares().value().size(), 1U);
  const PartRecord gone = record_of(9, 9);
  ASSERT_TRUE(db->erase_part(gone.content_id, gone.device, gone.inode));
  EXPECT_FALSE(db->find_part(gone.content_id, gone.device, gone.inode).value().has_value());
}

TEST(StateDb, IsPrivate) {
  const TempDirectory dir;
  const auto db = StateDb::open(dir / "a/b").value();
  ASSERT_TRUE(db->put_value("x", {}));
  struct stat info{};
  ASSERT_EQ(::stat((dir / "a/b").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0700U);
  for (const auto& file : fs::directory_iterator(dir / "a/b")) {
    ASSERT_EQ(::stat(file.path().c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777U, 0600U) << file.path();
  }
}

TEST(StateDb, DamageIsPutAsideAndANewOneBegun) {
  const TempDirectory dir;
  {
    ASSERT_TRUE(StateDb::open(dir.path()).value()->put_value("x", seeded_bytes(9, 1)));
  }
  const std::vector<std::byte> good = read_file(dir / "state.db");
  const auto expect_repaired = [&](const char* what, int asides) {
    const Result<std::unique_ptr<StateDb>> db = StateDb::open(dir.path());
    ASSERT_TRUE(db.has_value()) << what;
    EXPECT_TRUE((*db)->was_damaged()) << what;
    EXPECT_EQ((*db)->value("x").value(), std::nullopt) << what;
    EXPECT_TRUE((*db)->put_value("x", seeded_bytes(3, 3))) << what;
    EXPECT_TRUE(fs::exists(dir / ("state.db.damaged-" + std::to_string(asides)))) << what;
  };
  write_file(dir / "state.db", seeded_bytes(5000, 2));
  expect_repaired("garbage", 1);
  std::vector<std::byte> torn = good;
  for (std::size_t i = 4096; i < torn.size(); ++i) torn[i] ^= std::byte{0xa5};
  write_file(dir / "state.db", torn);
  expect_repaired("a damaged page", 2);
  std::vector<std::byte> cut = good;
  cut.resize(3000);
  write_file(dir / "state.db", cut);
  expect_repaired("cut short", 3);
  EXPECT_FALSE(StateDb::open(dir.path()).value()->was_damaged());
}

TEST(StateDb, RandomDamageNeverHurtsTheProcess) {
  const TempDirectory dir;
  {
    const auto db = StateDb::open(dir.path()).value();
    for (unsigned i = 0; i < 20; ++i) ASSERT_TRUE(db->put_part(record_of(i, 5000)));
    ASSERT_TRUE(db->put_share({.content_id = id_of(1), .path = "/p", .swarm_key = std::nullopt, .core = {}}));
  }
  const std::vector<std::byte> good = read_file(dir / "state.db");
  Rng rng(1);
  for (int i = 0; i < 40; ++i) {
    std::vector<std::byte> bad = good;
    for (std::uint64_t n = 1 + rng.below(30); n > 0; --n)
      bad[rng.below(bad.size())] = static_cast<std::byte>(rng.next());
    for (const char* companion : {"state.db-wal", "state.db-shm"}) fs::remove(dir / companion);
    write_file(dir / "state.db", bad);
    const Result<std::unique_ptr<StateDb>> db = StateDb::open(dir.path());
    ASSERT_TRUE(db.has_value());
    for (unsigned r = 0; r < 20; ++r) {
      const PartRecord expected = record_of(r, 5000);
      const Result<std::optional<PartRecord>> found =
          (*db)->find_part(expected.content_id, expected.device, expected.inode);
      EXPECT_TRUE(!found || !*found || (*found)->chunks.size() <= content::kMaxChunkCount);
    }
    static_cast<void>((*db)->shares());
  }
}

TEST(StateDb, ADirectoryThatCannotBeMadeIsALocalError) {
  const TempDirectory dir;
  write_file(dir / "file", {});
  EXPECT_EQ(StateDb::open(dir / "file/state").error().code, ErrorCode::kLocalIo);
}

TEST(StateDb, TheDirectoryFollowsTheXdgSpecification) {
  EXPECT_EQ(state_directory("/opt/s", "/xdg", "/home/u"), "/opt/s");
  EXPECT_EQ(state_directory("", "/xdg", "/home/u"), "/xdg/peernet");
  EXPECT_EQ(state_directory("", "relative", "/home/u"), "/home/u/.local/state/peernet");
  EXPECT_EQ(state_directory("", nullptr, "/home/u"), "/home/u/.local/state/peernet");
  EXPECT_EQ(state_directory("", nullptr, nullptr), "");
}

TEST(StateThread, TouchesNothingBeforeItsFirstUse) {
  const TempDirectory dir;
  {
    const StateThread thread(dir / "state");
  }
  EXPECT_FALSE(fs::exists(dir / "state"));
}

TEST(StateThread, WritesWhatWasPostedEvenWhenEndedAtOnce) {
  const TempDirectory dir;
  {
    StateThread thread(dir / "state");
    for (unsigned i = 0; i < 100; ++i) thread.post_part(record_of(i, 100));
    for (unsigned i = 0; i < 50; ++i) thread.erase_part(id_of(i), 7, UINT64_MAX - i);
  }
  StateThread thread(dir / "state");
  for (unsigned i = 0; i < 100; ++i) {
    const std::optional<PartRecord> found = thread.find_part(id_of(i), 7, UINT64_MAX - i);
    ASSERT_EQ(found.has_value(), i >= 50) << i;
    EXPECT_TRUE(!found || found->chunks == record_of(i, 100).chunks);
  }
}

TEST(StateThread, TheLatestRecordOfAFileWins) {
  const TempDirectory dir;
  StateThread thread(dir / "state");
  for (std::uint32_t n = 0; n < 5000; ++n) {
    PartRecord record = record_of(1, 5000);
    record.chunks.clear();
    record.chunks.set_range({ChunkIndex{0}, n});
    thread.post_part(record);
  }
  EXPECT_EQ(thread.find_part(id_of(1), 7, UINT64_MAX - 1).value().chunks.count(), 4999U);
}

TEST(StateThread, WithoutADatabaseItDropsPostsAndAnswersNothing) {
  const TempDirectory dir;
  write_file(dir / "file", {});
  StateThread thread(dir / "file/state");
  thread.post_part(record_of(1, 10));
  EXPECT_FALSE(thread.find_part(id_of(1), 7, UINT64_MAX - 1).has_value());
  EXPECT_FALSE(thread.ask([](StateDb&) { FAIL(); }));
}

TEST(StateThread, ManyNodesShareOneDirectory) {
  const TempDirectory dir;
  {
    std::vector<std::unique_ptr<StateThread>> nodes;
    for (unsigned n = 0; n < 4; ++n) nodes.push_back(std::make_unique<StateThread>(dir / "state"));
    for (unsigned i = 0; i < 40; ++i)
      for (unsigned n = 0; n < 4; ++n) nodes[n]->post_part(record_of(n * 50 + i % 10, 64));
  }
  StateThread reader(dir / "state");
  for (unsigned n = 0; n < 4; ++n)
    for (unsigned i = 0; i < 10; ++i)
      EXPECT_TRUE(reader.find_part(id_of(n * 50 + i), 7, UINT64_MAX - (n * 50 + i)).has_value());
}

}  // namespace
}  // namespace peernet::storage
