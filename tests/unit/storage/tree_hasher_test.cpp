// What a folder becomes when it is shared, and what cannot be shared.
#include <sys/socket.h>
#include <sys/un.h>

#include "content/merkle.hpp"
#include "crypto/hash.hpp"
#include "tree_samples.hpp"

namespace peernet::storage {
namespace {

namespace fs = std::filesystem;

Error refused(const std::string& path, const std::string& names) {
  const content::PathResult<SharedTree> tree = hash_tree(path, {});
  EXPECT_FALSE(tree.has_value());
  if (tree) return {};
  EXPECT_EQ(tree.error().path, names);
  return tree.error().error;
}

TEST(TreeHasher, TheIdDependsOnNothingButTheFolder) {
  const TempDirectory from;
  make_random_tree(from / "tree", 11, {.entries = 100, .largest = 200'000});
  const SharedTree one = hashed(from / "tree", 16384, 1);
  const SharedTree two = hashed(from / "tree/", 16384, 4);
  EXPECT_EQ(one.id, two.id);
  EXPECT_EQ(one.core, two.core);
  EXPECT_EQ(one.name, "tree");
  fs::copy(from / "tree", from / "copy", fs::copy_options::recursive | fs::copy_options::copy_symlinks);
  EXPECT_NE(hashed(from / "copy").id, one.id);  // its name is part of the content
}

TEST(TreeHasher, AnEmptyFolderIsAContent) {
  const TempDirectory from;
  fs::create_directory(from / "empty");
  const SharedTree tree = hashed(from / "empty");
  EXPECT_EQ(tree.core.entry_count, 1u);
  EXPECT_EQ(tree.core.chunk_count, 0u);
  EXPECT_EQ(tree.files, 0u);
}

TEST(TreeHasher, ALargeFileHasTheLeavesOfItsOwnBep52Tree) {
  const TempDirectory from;
  fs::create_directory(from / "tree");
  write_file(from / "tree/a", seeded_bytes(1000, 1));
  write_file(from / "tree/b", seeded_bytes(4 * 65536, 2));
  write_file(from / "tree/c", seeded_bytes(10, 3));
  const SharedTree tree = hashed(from / "tree", 65536);
  const SharedFile file = hash_file(from / "tree/b", {.chunk_bytes = 16384}).value();
  // b begins at 16 KiB: leaf i of the file is leaf i + 1 of the content.
  std::vector<Hash256> leaves;
  for (std::uint32_t i = 0; i < 3; ++i) leaves.push_back(*file.sha256.sha256_of(ChunkIndex{i}));
  leaves.insert(leaves.begin(), crypto::sha256(read_file(from / "tree/a")));
  EXPECT_EQ(content::merkle_root(leaves, 0), *tree.sha256.sha256_of(ChunkIndex{0}));
  leaves.clear();
  for (std::uint32_t i = 3; i < 7; ++i) leaves.push_back(*file.sha256.sha256_of(ChunkIndex{i}));
  EXPECT_EQ(content::merkle_root(leaves, 0), *tree.sha256.sha256_of(ChunkIndex{1}));
}

TEST(TreeHasher, WhatIsNoFileFolderOrLinkIsRefusedByName) {
  const TempDirectory from;
  fs::create_directories(from / "tree/in");
  ASSERT_EQ(::mkfifo((from / "tree/in/pipe").c_str(), 0600), 0);
  EXPECT_EQ(refused(from / "tree", from / "tree/in/pipe").code, ErrorCode::kUsage);
  fs::remove(from / "tree/in/pipe");
  const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = from / "tree/in/socket";
  std::copy_n(path.c_str(), path.size() + 1, address.sun_path);
  ASSERT_EQ(::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  ::close(fd);
  EXPECT_EQ(refused(from / "tree", path).code, ErrorCode::kUsage);
  write_file(from / "file", seeded_bytes(1, 1));
  EXPECT_EQ(refused(from / "file", from / "file").code, ErrorCode::kUsage);
  EXPECT_EQ(refused(from / "gone", from / "gone").code, ErrorCode::kLocalIo);
}

TEST(TreeHasher, NamesThatOtherHostsRefuseAreRefusedHere) {
  const TempDirectory from;
  fs::create_directories(from / "tree/in");
  write_file(from / "tree/in/a\nb", seeded_bytes(1, 1));
  EXPECT_EQ(refused(from / "tree", from / "tree/in/a\nb").code, ErrorCode::kUsage);
  fs::remove(from / "tree/in/a\nb");
  write_file(from / "tree/in/Makefile", seeded_bytes(1, 1));
  write_file(from / "tree/in/makefile", seeded_bytes(1, 1));
  EXPECT_EQ(refused(from / "tree", from / "tree/in/makefile").code, ErrorCode::kUsage);
}

TEST(TreeHasher, LinksThatCouldLeadOutAreRefusedByName) {
  const TempDirectory from;
  fs::create_directories(from / "tree/in");
  for (const std::string target : {"/etc/passwd", "..", "../..", "../../tree/x", "x/../../.."}) {
    fs::create_symlink(target, from / "tree/in/l");
    const bool inside = target == "..";
    if (inside) {
      EXPECT_TRUE(good(hash_tree(from / "tree", {})));
    } else {
      EXPECT_EQ(refused(from / "tree", from / "tree/in/l").code, ErrorCode::kUsage) << target;
    }
    fs::remove(from / "tree/in/l");
  }
}

TEST(TreeHasher, StopsWhenAsked) {
  const TempDirectory from;
  make_random_tree(from / "tree", 2, {});
  const std::atomic<bool> cancel{true};
  const content::PathResult<SharedTree> tree = hash_tree(from / "tree", {.cancel = &cancel});
  ASSERT_FALSE(tree.has_value());
  EXPECT_EQ(tree.error().error.code, ErrorCode::kInterrupted);
}

TEST(TreeHasher, TellsProgressToTheEnd) {
  const TempDirectory from;
  make_random_tree(from / "tree", 2, {.entries = 50, .largest = 50'000});
  std::uint64_t done = 0, total = 0;
  const auto progress = [&](std::uint64_t d, std::uint64_t t) { done = d, total = t; };
  const content::PathResult<SharedTree> tree = hash_tree(from / "tree", {.on_progress = progress});
  ASSERT_TRUE(good(tree));
  EXPECT_EQ(done, tree->core.payload_bytes);
  EXPECT_EQ(total, tree->core.payload_bytes);
}

/// Changed at the very moment the first progress is told: after the walk, before the end.
TEST(TreeHasher, WhatChangesWhileItIsHashedIsNamed) {
  const TempDirectory from;
  fs::create_directories(from / "tree/in");
  write_file(from / "tree/a", seeded_bytes(100, 1));
  write_file(from / "tree/in/b", seeded_bytes(100, 1));
  const auto changed_by = [&](const std::function<void()>& change) {
    set_time(from / "tree/in", 1'000'000, 0);  // two changes within one tick of the kernel's clock look like one
    bool once = false;
    const auto progress = [&](std::uint64_t, std::uint64_t) {
      if (!std::exchange(once, true)) change();
    };
    const content::PathResult<SharedTree> tree = hash_tree(from / "tree", {.threads = 1, .on_progress = progress});
    EXPECT_TRUE(tree || tree.error().error.code == ErrorCode::kIntegrity);
    return tree ? std::string() : tree.error().path;
  };
  EXPECT_EQ(changed_by([&] { write_file(from / "tree/in/new", seeded_bytes(1, 1)); }), from / "tree/in");
  EXPECT_EQ(changed_by([&] { fs::remove(from / "tree/in/new"); }), from / "tree/in");
  EXPECT_EQ(changed_by([] {}), "");
}

}  // namespace
}  // namespace peernet::storage
