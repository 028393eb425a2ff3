// Folders on a real kernel: a disk that fills up half way, and a process killed at any time.
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include "crypto/hash.hpp"
#include "unit/storage/tree_samples.hpp"

namespace peernet::storage {
namespace {

namespace fs = std::filesystem;

constexpr int kCannot = 77;

struct Source {
  explicit Source(std::uint64_t seed) {
    make_random_tree(directory / "tree", seed, {.entries = 100, .largest = 60'000});
    tree.emplace(hashed(directory / "tree"));
    all = content::select_entries(tree->listing, tree->core.chunk_count, {});
    for (std::uint32_t i = 0; i < tree->core.chunk_count; ++i) chunks.push_back(chunk_of(*tree, ChunkIndex{i}));
  }
  TreePartOptions options(const std::string& where) const {
    return {.target = {.directory = where, .name = "tree"},
            .content_id = tree->id,
            .listing = &tree->listing,
            .selection = &all};
  }
  TempDirectory directory;
  std::optional<SharedTree> tree;
  content::TreeSelection all;
  std::vector<std::vector<std::byte>> chunks;
};

TEST(TreeFaults, ADiskThatFillsUpHalfWayLosesNothingAndTheFileIsNamed) {
  const NoUmask whole_modes;
  const Source source(4);
  const TempDirectory dir;
  const pid_t pid = ::fork();
  if (pid == 0) {
    if (::unshare(CLONE_NEWNS) != 0 && ::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) ::_exit(kCannot);
    static_cast<void>(::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr));
    if (::mount("tmpfs", dir.path().c_str(), "tmpfs", 0, "size=8m") != 0) ::_exit(kCannot);
    content::PathResult<TreePart> part = TreePart::open(source.options(dir.path()));
    if (!part || !part->prepare()) ::_exit(1);
    write_file(dir / "hog", seeded_bytes((8 << 20) - 600'000, 1));  // after the room was looked at
    int full = 0;
    for (std::uint32_t i = 0; i < source.chunks.size(); ++i) {
      content::PathResult<void> ok = part->write(ChunkIndex{i}, source.chunks[i]);
      if (ok) continue;
      if (ok.error().error.code != ErrorCode::kNoSpace || !ok.error().path.starts_with(dir / "tree.part/")) ::_exit(2);
      if (++full > 1) ::_exit(3);
      fs::remove(dir / "hog");
      --i;
    }
    if (full == 0) ::_exit(4);
    if (!part->finish() || !part->publish(false)) ::_exit(5);
    ::_exit(picture(dir / "tree") == picture(source.directory / "tree") ? 0 : 6);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(pid, &status, 0), pid);
  ASSERT_TRUE(WIFEXITED(status));
  if (WEXITSTATUS(status) == kCannot) GTEST_SKIP() << "mount namespaces are not permitted here";
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST(TreeFaults, KilledAtAnyTimeTheFolderIsAbsentOrWholeAndWhatWasWrittenIsKept) {
  const NoUmask whole_modes;
  const Source source(9);
  Rng rng(1);
  for (int round = 0; round < 25; ++round) {
    SCOPED_TRACE(round);
    const TempDirectory dir;
    int progress[2];
    ASSERT_EQ(::pipe(progress), 0);
    const pid_t pid = ::fork();
    if (pid == 0) {
      content::PathResult<TreePart> part = TreePart::open(source.options(dir.path()));
      if (!part || !part->prepare()) ::_exit(1);
      for (std::uint32_t i = 0; i < source.chunks.size(); ++i) {
        if (!part->write(ChunkIndex{i}, source.chunks[i])) ::_exit(2);
        if (::write(progress[1], "x", 1) != 1) ::_exit(3);
      }
      if (!part->finish() || !part->publish(false)) ::_exit(4);
      ::_exit(0);
    }
    ::close(progress[1]);
    const std::uint64_t wait_for = rng.below(source.chunks.size() + 2);
    std::uint64_t told = 0;
    char byte = 0;
    while (told < wait_for && ::read(progress[0], &byte, 1) == 1) ++told;
    ::kill(pid, SIGKILL);
    int status = 0;
    ASSERT_EQ(::waitpid(pid, &status, 0), pid);
    while (::read(progress[0], &byte, 1) == 1) ++told;
    ::close(progress[0]);
    if (!fs::exists(dir / "tree")) {
      content::PathResult<TreePart> part = TreePart::open(source.options(dir.path()));
      ASSERT_TRUE(good(part));
      ASSERT_TRUE(good(part->prepare()));
      const content::ChunkMap hoped = part->hoped();
      for (std::uint32_t i = 0; i < source.chunks.size(); ++i) {
        std::vector<std::byte> bytes(source.chunks[i].size());
        const bool had = hoped.test(ChunkIndex{i}) && part->read(ChunkIndex{i}, bytes) > 0 && bytes == source.chunks[i];
        ASSERT_TRUE(had || i >= told) << i;
        if (!had) {
          ASSERT_TRUE(good(part->write(ChunkIndex{i}, source.chunks[i])));
        }
      }
      ASSERT_TRUE(good(part->finish()));
      ASSERT_TRUE(good(part->publish(false)));
    }
    EXPECT_EQ(picture(dir / "tree"), picture(source.directory / "tree"));
  }
}

}  // namespace
}  // namespace peernet::storage
