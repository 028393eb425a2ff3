// Folders there and back: hashed, moved chunk by chunk into a part, published, compared in every byte, mode and time.
#include <sys/wait.h>

#include <numeric>

#include "content/tree_chunks.hpp"
#include "crypto/hash.hpp"
#include "storage/write_planner.hpp"
#include "tree_samples.hpp"

namespace peernet::storage {
namespace {

using content::select_entries;
using content::TreeSelection;

std::vector<std::uint32_t> shuffled(std::uint32_t count, Rng& rng) {
  std::vector<std::uint32_t> order(count);
  std::iota(order.begin(), order.end(), 0U);
  for (std::uint32_t i = count; i > 1; --i) std::swap(order[i - 1], order[rng.below(i)]);
  return order;
}

TreePartOptions part_options(const std::string& directory, const SharedTree& tree, const TreeSelection& selection) {
  return {.target = {.directory = directory, .name = tree.name},
          .content_id = tree.id,
          .listing = &tree.listing,
          .selection = &selection};
}

bool matches(const SharedTree& tree, ChunkIndex chunk, ByteSpan bytes) {
  return crypto::xxh3_128(bytes) == tree.xxh3.xxh3_of(chunk) &&
         content::tree_chunk_sha256(tree.listing.layout(), chunk, bytes, content::chunk_tree_height(tree.core)) ==
             tree.sha256.sha256_of(chunk);
}

TEST(TreeTransfer, RandomFoldersArriveInEveryByteModeTimeAndLink) {
  const NoUmask whole_modes;
  for (std::uint64_t seed = 1; seed <= 15; ++seed) {
    SCOPED_TRACE(seed);
    const TempDirectory from, to;
    Rng rng(seed);
    const std::uint32_t chunk_bytes = 16384U << rng.below(7);  // to 1 MiB
    make_random_tree(from / "tree", seed,
                     {.entries = static_cast<std::uint32_t>(rng.below(120)), .largest = 1 + rng.below(300'000)});
    const SharedTree tree = hashed(from / "tree", chunk_bytes);
    const TreeSelection all = select_entries(tree.listing, tree.core.chunk_count, {});
    content::PathResult<TreePart> part = TreePart::open(part_options(to.path(), tree, all));
    ASSERT_TRUE(good(part));
    ASSERT_TRUE(good(part->prepare()));
    EXPECT_TRUE(part->hoped().none());
    for (const std::uint32_t i : shuffled(tree.core.chunk_count, rng)) {
      const std::vector<std::byte> bytes = chunk_of(tree, ChunkIndex{i});
      ASSERT_TRUE(matches(tree, ChunkIndex{i}, bytes));
      ASSERT_TRUE(good(part->write(ChunkIndex{i}, bytes)));
      if (seed <= 2 && rng.chance(0.1)) {  // slow where other programs write to the same disk
        ASSERT_TRUE(good(part->sync()));
      }
    }
    ASSERT_TRUE(good(part->finish()));
    if (seed <= 2) {
      ASSERT_TRUE(good(part->sync()));
    }
    ASSERT_FALSE(std::filesystem::exists(to / "tree"));
    ASSERT_TRUE(good(part->publish(seed <= 2)));
    EXPECT_EQ(picture(to / "tree"), picture(from / "tree"));
    EXPECT_FALSE(std::filesystem::exists(to / "tree.part"));
    EXPECT_EQ(hashed(to / "tree", chunk_bytes).id, tree.id);
  }
}

TEST(TreeTransfer, AnyPieceOfAnyChunkCanBeRead) {
  const TempDirectory from;
  make_random_tree(from / "tree", 7, {.entries = 80, .largest = 90'000});
  const SharedTree tree = hashed(from / "tree", 65536);
  TreeReader reader(tree.root.get(), tree.listing, tree.inodes);
  Rng rng(7);
  for (int i = 0; i < 500; ++i) {
    const ChunkIndex chunk{static_cast<std::uint32_t>(rng.below(tree.core.chunk_count))};
    const std::vector<std::byte> whole = chunk_of(tree, chunk);
    const auto offset = static_cast<std::uint32_t>(rng.below(whole.size()));
    std::vector<std::byte> piece(1 + rng.below(whole.size() - offset));
    ASSERT_EQ(reader.read(chunk, offset, piece), static_cast<std::int64_t>(piece.size()));
    ASSERT_TRUE(std::ranges::equal(piece, ByteSpan(whole).subspan(offset, piece.size())));
  }
  std::vector<std::byte> beyond(tree.listing.layout().chunk_payload(ChunkIndex{0}) + 1);
  EXPECT_EQ(reader.read(ChunkIndex{0}, 0, beyond), -EINVAL);
}

TEST(TreeTransfer, AFileThatChangedIsNotRead) {
  const TempDirectory from;
  std::filesystem::create_directory(from / "tree");
  for (const std::string name : {"a", "b", "c"}) write_file(from / "tree/" + name, seeded_bytes(5000, 1));
  write_file(from / "tree/large", seeded_bytes(200'000, 2));
  for (const std::string name : {"a", "b", "c", "large"}) set_time(from / "tree/" + name, 1'000'000, 0);
  const SharedTree tree = hashed(from / "tree");
  TreeReader reader(tree.root.get(), tree.listing, tree.inodes);
  std::vector<std::byte> bytes(tree.listing.layout().chunk_payload(ChunkIndex{0}));
  std::vector<std::byte> large(tree.listing.layout().chunk_payload(ChunkIndex{3}));
  ASSERT_GT(reader.read(ChunkIndex{0}, 0, bytes), 0);
  ASSERT_GT(reader.read(ChunkIndex{3}, 0, large), 0);
  write_file(from / "tree/b", seeded_bytes(5000, 3));
  EXPECT_EQ(reader.read(ChunkIndex{0}, 0, bytes), -ESTALE);
  EXPECT_EQ(tree.listing.name(reader.failed_entry()), "b");
  write_file(from / "tree/large", seeded_bytes(199'999, 2));  // the same file, kept open
  EXPECT_EQ(reader.read(ChunkIndex{3}, 0, large), -ESTALE);
  std::filesystem::remove(from / "tree/b");
  EXPECT_EQ(reader.read(ChunkIndex{0}, 0, bytes), -ESTALE);
  std::filesystem::create_symlink("a", from / "tree/b");
  EXPECT_EQ(reader.read(ChunkIndex{0}, 0, bytes), -ESTALE);
}

/// Cut off after any number of chunks, with some files damaged meanwhile: the next run keeps what is right, notices
/// what is wrong and ends with the right folder.
TEST(TreeTransfer, GoesOnAfterAnyPrefixOfTheWritesAndNoticesDamage) {
  const NoUmask whole_modes;
  for (std::uint64_t seed = 1; seed <= 15; ++seed) {
    SCOPED_TRACE(seed);
    const TempDirectory from, to;
    Rng rng(seed * 977);
    make_random_tree(from / "tree", seed, {.entries = 60, .largest = 80'000});
    const SharedTree tree = hashed(from / "tree", 16384U << rng.below(3));
    const TreeSelection all = select_entries(tree.listing, tree.core.chunk_count, {});
    const std::vector<std::uint32_t> order = shuffled(tree.core.chunk_count, rng);
    const std::size_t cut = rng.below(order.size() + 1);
    {
      content::PathResult<TreePart> part = TreePart::open(part_options(to.path(), tree, all));
      ASSERT_TRUE(good(part));
      ASSERT_TRUE(good(part->prepare()));
      for (std::size_t i = 0; i < cut; ++i)
        ASSERT_TRUE(good(part->write(ChunkIndex{order[i]}, chunk_of(tree, ChunkIndex{order[i]}))));
      if (cut == order.size() && rng.chance(0.7)) {
        ASSERT_TRUE(good(part->finish()));  // and died before the rename
      }
    }
    // Somebody flips a byte, cuts a file, adds things that are not of this content.
    std::string damaged;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(to / "tree.part"))
      if (entry.is_regular_file() && !entry.is_symlink() && entry.file_size() > 0 && rng.chance(0.3))
        damaged = entry.path().string();
    if (!damaged.empty()) {
      std::vector<std::byte> bytes = read_file(damaged);
      bytes[rng.below(bytes.size())] ^= std::byte{1};
      ASSERT_EQ(::chmod(damaged.c_str(), 0600), 0);
      write_file(damaged, bytes);
    }
    ::chmod((to / "tree.part").c_str(), 0700);
    write_file(to / "tree.part/stranger", seeded_bytes(10, 1));
    std::filesystem::create_directories(to / "tree.part/strange/er");
    write_file(to / "tree.part/strange/er/x", seeded_bytes(10, 1));

    content::PathResult<TreePart> part = TreePart::open(part_options(to.path(), tree, all));
    ASSERT_TRUE(good(part));
    ASSERT_TRUE(part->resumed());
    ASSERT_TRUE(good(part->prepare()));
    const content::ChunkMap hoped = part->hoped();
    std::uint32_t right = 0;
    for (const std::uint32_t i : order) {
      std::vector<std::byte> bytes(tree.listing.layout().chunk_payload(ChunkIndex{i}));
      if (hoped.test(ChunkIndex{i}) && part->read(ChunkIndex{i}, bytes) > 0 && matches(tree, ChunkIndex{i}, bytes)) {
        ++right;
        continue;
      }
      ASSERT_TRUE(good(part->write(ChunkIndex{i}, chunk_of(tree, ChunkIndex{i}))));
    }
    EXPECT_GE(right + 1, cut);  // the damage costs one chunk
    EXPECT_LE(right, order.size());
    ASSERT_TRUE(good(part->finish()));
    ASSERT_TRUE(good(part->finish()));  // may be repeated
    ASSERT_TRUE(good(part->publish(false)));
    EXPECT_EQ(picture(to / "tree"), picture(from / "tree"));
  }
}

TEST(TreeTransfer, ASelectionBringsItsFilesAndTheFoldersAboveThem) {
  const NoUmask whole_modes;
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    SCOPED_TRACE(seed);
    const TempDirectory from, to;
    Rng rng(seed);
    make_random_tree(from / "tree", seed, {.entries = 60, .largest = 60'000});
    const SharedTree tree = hashed(from / "tree", 32768);
    std::vector<bool> picked(tree.listing.count());
    for (std::uint32_t i = 1; i < tree.listing.count(); ++i)
      picked[i] = tree.listing[i].kind == content::EntryKind::kFile && rng.chance(0.3);
    const TreeSelection everything = select_entries(tree.listing, tree.core.chunk_count, {});
    const TreeSelection some = select_entries(tree.listing, tree.core.chunk_count, picked);
    if (rng.chance(0.5)) {  // an earlier run that wanted everything
      content::PathResult<TreePart> part = TreePart::open(part_options(to.path(), tree, everything));
      ASSERT_TRUE(good(part));
      ASSERT_TRUE(good(part->prepare()));
      for (std::uint32_t i = 0; i < tree.core.chunk_count; ++i)
        if (rng.chance(0.5)) {
          ASSERT_TRUE(good(part->write(ChunkIndex{i}, chunk_of(tree, ChunkIndex{i}))));
        }
    }
    content::PathResult<TreePart> part = TreePart::open(part_options(to.path(), tree, some));
    ASSERT_TRUE(good(part));
    ASSERT_TRUE(good(part->prepare()));
    for (std::uint32_t i = 0; i < tree.core.chunk_count; ++i) {
      EXPECT_TRUE(!some.whole.test(ChunkIndex{i}) || some.wanted.test(ChunkIndex{i}));
      if (some.wanted.test(ChunkIndex{i})) {
        ASSERT_TRUE(good(part->write(ChunkIndex{i}, chunk_of(tree, ChunkIndex{i}))));
      }
    }
    ASSERT_TRUE(good(part->finish()));
    ASSERT_TRUE(good(part->publish(false)));
    std::map<std::string, std::string> expected = picture(from / "tree");
    std::erase_if(expected, [&](const auto& line) {
      for (std::uint32_t i = 1; i < tree.listing.count(); ++i) {
        const std::string path = tree.listing.relative_path(i);
        if ((path.find('/') == std::string::npos ? "./" + path : path) == line.first) return !some.entries[i];
      }
      return false;
    });
    EXPECT_EQ(picture(to / "tree"), expected);
  }
}

/// The planner that drives files drives folders too, and does not wait for chunks that nobody wants.
TEST(TreeTransfer, ThePlannerDrivesAFolder) {
  const NoUmask whole_modes;
  const TempDirectory from, to;
  make_random_tree(from / "tree", 5, {.entries = 60, .largest = 60'000});
  const SharedTree tree = hashed(from / "tree");
  std::vector<bool> picked(tree.listing.count());
  for (std::uint32_t i = 0; i < tree.listing.count(); ++i) picked[i] = i % 3 == 0;
  const TreeSelection some = select_entries(tree.listing, tree.core.chunk_count, picked);
  ASSERT_FALSE(some.wanted.full());
  content::PathResult<TreePart> part = TreePart::open(part_options(to.path(), tree, some));
  ASSERT_TRUE(good(part));
  ASSERT_TRUE(good(part->prepare()));
  WritePlanner planner({.core = tree.core, .layout = &tree.listing.layout(), .max_buffers = 4, .group_bytes = 50'000});
  for (std::uint32_t i = 0; i < tree.core.chunk_count; ++i)
    if (!some.wanted.test(ChunkIndex{i})) planner.on_unwanted(ChunkIndex{i});
  std::optional<ChunkIndex> next = some.wanted.next_set(ChunkIndex{0});
  Instant now{};
  while (!planner.published()) {
    ASSERT_FALSE(planner.failed());
    if (next && planner.on_verified(*next, BufferSlot{0})) next = some.wanted.next_set(*next + 1);
    while (const std::optional<WriteOp> op = planner.poll_op(now)) {
      std::int64_t result = 0;
      if (op->kind == WriteOpKind::kWrite) {
        EXPECT_EQ(op->length, tree.listing.layout().chunk_payload(op->chunk));
        EXPECT_TRUE(good(part->write(op->chunk, chunk_of(tree, op->chunk))));
        result = op->length;
      } else if (op->kind == WriteOpKind::kFsync) {
        EXPECT_TRUE(good(part->sync()));
      } else if (op->kind == WriteOpKind::kFinish) {
        EXPECT_TRUE(good(part->finish()));
      } else {
        EXPECT_TRUE(good(part->publish(true)));
      }
      planner.on_completed(op->id, result, now);
    }
    while (planner.poll_event()) continue;
  }
  EXPECT_EQ(planner.durable(), some.wanted);
  EXPECT_TRUE(std::filesystem::exists(to / "tree"));
}

TEST(TreeTransfer, TheNameIsTakenInOneStepAndOnlyFoldersAreReplaced) {
  const NoUmask whole_modes;
  const TempDirectory from, to;
  make_random_tree(from / "tree", 3, {.entries = 20, .largest = 5000});
  const SharedTree tree = hashed(from / "tree");
  const TreeSelection all = select_entries(tree.listing, tree.core.chunk_count, {});
  const auto receive = [&](bool overwrite) {
    TreePartOptions options = part_options(to.path(), tree, all);
    options.overwrite = overwrite;
    content::PathResult<TreePart> part = TreePart::open(options);
    EXPECT_TRUE(good(part));
    EXPECT_TRUE(good(part->prepare()));
    for (std::uint32_t i = 0; i < tree.core.chunk_count; ++i)
      EXPECT_TRUE(good(part->write(ChunkIndex{i}, chunk_of(tree, ChunkIndex{i}))));
    EXPECT_TRUE(good(part->finish()));
    content::PathResult<Published> published = part->publish(true);
    if (published) {
      EXPECT_FALSE(published->old_left.has_value());
    }
    return published ? 0 : static_cast<int>(published.error().error.code);
  };
  const int exists = static_cast<int>(ErrorCode::kTargetExists);
  write_file(to / "tree", seeded_bytes(10, 1));
  EXPECT_EQ(receive(false), exists);
  EXPECT_EQ(receive(true), exists);
  std::filesystem::remove(to / "tree");
  std::filesystem::create_directory_symlink(from / "tree", to / "tree");
  EXPECT_EQ(receive(true), exists);
  EXPECT_TRUE(std::filesystem::exists(from / "tree"));
  std::filesystem::remove(to / "tree");

  // An old folder with a link to elsewhere, and folders without rights for their owner.
  std::filesystem::create_directories(to / "elsewhere");
  write_file(to / "elsewhere/precious", seeded_bytes(10, 1));
  std::filesystem::create_directories(to / "tree/locked/inner");
  std::filesystem::create_directory_symlink(to / "elsewhere", to / "tree/locked/out");
  ASSERT_EQ(::chmod((to / "tree/locked/inner").c_str(), 0), 0);
  ASSERT_EQ(::chmod((to / "tree/locked").c_str(), 0500), 0);
  EXPECT_EQ(receive(false), exists);
  EXPECT_EQ(receive(true), 0);
  EXPECT_EQ(hashed(to / "tree").id, tree.id);
  EXPECT_FALSE(std::filesystem::exists(to / "tree.part"));
  EXPECT_TRUE(std::filesystem::exists(to / "elsewhere/precious"));
}

/// Their order matters to everybody but root: so root, who alone can share such folders, lets someone else receive.
TEST(TreeTransfer, FoldersWithoutRightsForTheirOwnerArriveToo) {
  const NoUmask whole_modes;
  const TempDirectory from, to;
  const bool root = ::geteuid() == 0;
  std::filesystem::create_directories(from / "tree/a/b/c");
  write_file(from / "tree/a/b/c/file", seeded_bytes(40'000, 1));
  for (const std::string path : {"tree/a/b/c", "tree/a/b", "tree/a"})
    ASSERT_EQ(::chmod((from / path).c_str(), root ? 0 : 0500), 0);
  const SharedTree tree = hashed(from / "tree");
  const TreeSelection all = select_entries(tree.listing, tree.core.chunk_count, {});
  if (root) {
    ASSERT_EQ(::chown(to.path().c_str(), 65534, 65534), 0);
  }
  const pid_t pid = ::fork();
  if (pid == 0) {
    std::vector<std::vector<std::byte>> chunks;
    for (std::uint32_t i = 0; i < tree.core.chunk_count; ++i) chunks.push_back(chunk_of(tree, ChunkIndex{i}));
    if (::chdir(to.path().c_str()) != 0) ::_exit(1);  // what is above it may be closed to others
    if (root && (::setresgid(65534, 65534, 65534) != 0 || ::setresuid(65534, 65534, 65534) != 0)) ::_exit(1);
    content::PathResult<TreePart> part = TreePart::open(part_options(".", tree, all));
    if (!part || !part->prepare()) ::_exit(2);
    for (std::uint32_t i = 0; i < chunks.size(); ++i)
      if (!part->write(ChunkIndex{i}, chunks[i])) ::_exit(3);
    if (!part->finish() || !part->finish() || !part->sync() || !part->publish(true)) ::_exit(4);
    ::_exit(0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(pid, &status, 0), pid);
  EXPECT_EQ(status, 0) << "exit code " << WEXITSTATUS(status);
  EXPECT_EQ(picture(to / "tree"), picture(from / "tree"));
  for (const std::string& above : {from / "tree/", to / "tree/"})
    for (const std::string path : {"a", "a/b", "a/b/c"}) static_cast<void>(::chmod((above + path).c_str(), 0700));
}

TEST(TreeTransfer, OnePartHasOneWriter) {
  const TempDirectory from, to;
  make_random_tree(from / "tree", 3, {.entries = 5, .largest = 5000});
  const SharedTree tree = hashed(from / "tree");
  const TreeSelection all = select_entries(tree.listing, tree.core.chunk_count, {});
  content::PathResult<TreePart> part = TreePart::open(part_options(to.path(), tree, all));
  ASSERT_TRUE(good(part));
  const content::PathResult<TreePart> second = TreePart::open(part_options(to.path(), tree, all));
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().error.code, ErrorCode::kTargetExists);
  part->remove();
  EXPECT_FALSE(std::filesystem::exists(to / "tree.part"));
}

}  // namespace
}  // namespace peernet::storage
