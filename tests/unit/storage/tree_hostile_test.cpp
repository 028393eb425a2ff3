// Evil listings and evil neighbours: nothing is ever created, changed or removed outside the target.
#include "content/entries.hpp"
#include "tree_samples.hpp"

namespace peernet::storage {
namespace {

namespace fs = std::filesystem;
using content::Entry;
using content::EntryKind;

Entry entry(const std::string& path, EntryKind kind = EntryKind::kFile, std::uint64_t size = 0) {
  Entry out;
  out.path = path;
  out.kind = kind;
  out.size = size;
  return out;
}

TEST(TreeHostile, LinksPlantedInThePartAreNeverFollowed) {
  for (const bool large : {false, true}) {
    const TempDirectory from, to;
    fs::create_directories(from / "tree/in");
    write_file(from / "tree/in/file", seeded_bytes(large ? 100'000 : 100, 1));
    write_file(from / "tree/empty", {});
    const SharedTree tree = hashed(from / "tree");
    const content::TreeSelection all = content::select_entries(tree.listing, tree.core.chunk_count, {});
    fs::create_directory(to / "elsewhere");
    write_file(to / "elsewhere/file", seeded_bytes(100, 9));
    const auto before = picture(to / "elsewhere");
    const TreePartOptions options{.target = {.directory = to.path(), .name = "tree"},
                                  .content_id = tree.id,
                                  .listing = &tree.listing,
                                  .selection = &all};
    const auto receive = [&](const std::function<void()>& plant) {
      content::PathResult<TreePart> part = TreePart::open(options);
      EXPECT_TRUE(good(part));
      if (!part) return;
      content::PathResult<void> ok = part->prepare();
      plant();
      for (std::uint32_t i = 0; ok && i < tree.core.chunk_count; ++i)
        ok = part->write(ChunkIndex{i}, chunk_of(tree, ChunkIndex{i}));
      if (ok) ok = part->finish();
      if (ok) static_cast<void>(part->publish(false));
      EXPECT_EQ(picture(to / "elsewhere"), before);
      fs::remove_all(to / "tree");
      fs::remove_all(to / "tree.part");
    };
    // While it is being received: the folder, the file, the empty file.
    receive([&] {
      fs::remove(to / "tree.part/in");
      fs::create_directory_symlink(to / "elsewhere", to / "tree.part/in");
    });
    receive([&] { fs::create_symlink(to / "elsewhere/file", to / "tree.part/in/file"); });
    receive([&] { fs::create_symlink(to / "elsewhere/new", to / "tree.part/empty"); });
    // Before: a link for the whole, a link inside, a second name of a file elsewhere.
    fs::create_directory(to / "tree.part");
    fs::create_directory_symlink(to / "elsewhere", to / "tree.part/in");
    receive([] {});
    fs::create_directories(to / "tree.part/in");
    fs::create_hard_link(to / "elsewhere/file", to / "tree.part/in/file");
    receive([] {});
    fs::create_directory_symlink(to / "elsewhere", to / "tree.part");
    const content::PathResult<TreePart> part = TreePart::open(options);
    ASSERT_FALSE(part.has_value());
    EXPECT_EQ(part.error().error.code, ErrorCode::kTargetExists);
    EXPECT_EQ(picture(to / "elsewhere"), before);
  }
}

TEST(TreeHostile, NothingOpensOutsideTheFolder) {
  const TempDirectory to;
  fs::create_directories(to / "root/a/b");
  write_file(to / "secret", seeded_bytes(5, 1));
  fs::create_directory_symlink("..", to / "root/up");
  fs::create_symlink("../../../secret", to / "root/a/b/link");
  const Fd root(::open((to / "root").c_str(), O_RDONLY | O_DIRECTORY));
  for (const std::string path : {"../secret", "..", "up/secret", "a/../../secret", "a/b/link", "up", "/etc/passwd"}) {
    const Fd fd(open_beneath(root.get(), path, O_RDONLY, 0));
    EXPECT_FALSE(fd.valid()) << path;
    const Fd made(open_beneath(root.get(), path + "x", O_WRONLY | O_CREAT | O_EXCL, 0600));
    EXPECT_TRUE(!made.valid() || path == "up" || path == ".." || path == "a/b/link") << path;  // "upx", "..x": names
  }
  EXPECT_TRUE(Fd(open_beneath(root.get(), "a/b", O_RDONLY | O_DIRECTORY, 0)).valid());
  EXPECT_TRUE(Fd(open_beneath(root.get(), "", O_RDONLY | O_DIRECTORY, 0)).valid());
}

TEST(TreeHostile, NoRoomIsFoundBeforeTheStart) {
  const TempDirectory to;
  // A listing that speaks of 2^40 bytes.
  content::ManifestCore core;
  core.kind = content::ContentKind::kTree;
  core.chunk_bytes = 16 << 20;
  core.total_bytes = core.payload_bytes = std::uint64_t{1} << 47;
  core.chunk_count = content::chunk_count_for(core.total_bytes, core.chunk_bytes);
  core.entry_count = 2;
  const auto bytes =
      content::encode_entries({entry("t", EntryKind::kDirectory), entry("t/f", EntryKind::kFile, core.total_bytes)});
  ASSERT_TRUE(bytes.has_value());
  core.entry_table_bytes = static_cast<std::uint32_t>(bytes->size());
  const auto table = content::PageTable::build(content::table_shape(core, content::TableId::kEntries), *bytes);
  core.entry_root = table.root();
  const auto listing = content::decode_tree(core, table);
  ASSERT_TRUE(good(listing));
  const content::TreeSelection all = content::select_entries(*listing, core.chunk_count, {});
  content::PathResult<TreePart> part =
      TreePart::open({.target = {.directory = to.path(), .name = "t"}, .listing = &*listing, .selection = &all});
  ASSERT_TRUE(good(part));
  const content::PathResult<void> ok = part->prepare();
  ASSERT_FALSE(ok.has_value());
  EXPECT_EQ(ok.error().error.code, ErrorCode::kNoSpace);
}

}  // namespace
}  // namespace peernet::storage
