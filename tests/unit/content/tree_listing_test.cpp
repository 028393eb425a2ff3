#include "content/tree_listing.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "base/rng.hpp"
#include "content/tree_selection.hpp"
#include "tree_samples.hpp"

namespace peernet::content {
namespace {

std::vector<Entry> random_tree(Rng& rng, std::size_t count) {
  std::vector<Entry> out{directory("root")};
  std::vector<std::string> directories{"root"};
  std::set<std::string> folded;
  const std::string letters = "abz-. !~0";
  while (out.size() < count) {
    const std::string& above = directories[rng.below(directories.size())];
    std::string name = "e" + std::to_string(rng.below(count * 4));
    for (std::uint64_t n = rng.below(20); n > 0; --n) name += letters[rng.below(letters.size())];
    const std::string path = above + "/" + name;
    if (path.size() > kMaxPathBytes || !folded.insert(path).second) continue;
    switch (rng.below(5)) {
      case 0:
        out.push_back(directory(path));
        directories.push_back(path);
        break;
      case 1:
        out.push_back(symlink(path, "./" + name + std::string(rng.below(300), 'x')));
        if (!link_stays_inside(path, out.back().target)) out.back().target = name;
        break;
      default:
        out.push_back(file(path, rng.chance(0.2) ? 0 : rng.below(50'000)));
    }
    out.back().mtime_s = static_cast<std::int64_t>(rng.next());
    out.back().mtime_ns = static_cast<std::uint32_t>(rng.below(1'000'000'000));
    out.back().mode = static_cast<std::uint16_t>(rng.below(01000));
  }
  std::ranges::sort(out, {}, &Entry::path);
  return out;
}

const char* refused(const TreeTable& table) {
  const PathResult<TreeListing> listing = decode_tree(table.core, table.entries);
  if (listing) return "accepted";
  EXPECT_EQ(listing.error().error.code, ErrorCode::kIntegrity);
  return listing.error().error.what;
}

TEST(TreeListing, SaysWhatTheEntriesSay) {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    Rng rng(seed);
    const std::vector<Entry> entries = random_tree(rng, 1 + rng.below(2000));
    const TreeTable table = tree_table(entries, 16384U << rng.below(5));
    const PathResult<TreeListing> listing = decode_tree(table.core, table.entries);
    ASSERT_TRUE(listing.has_value()) << listing.error().path << describe(listing.error().error);
    ASSERT_EQ(listing->count(), entries.size());
    for (std::uint32_t i = 0; i < listing->count(); ++i) {
      const Entry& entry = entries[i];
      const TreeListing::Item& item = (*listing)[i];
      const std::string relative = i == 0 ? "" : entry.path.substr(5);
      ASSERT_EQ(listing->relative_path(i), relative);
      ASSERT_EQ(listing->target(i), entry.target);
      ASSERT_TRUE(item.kind == entry.kind && item.mode == entry.mode && item.size == entry.size &&
                  item.mtime_s == entry.mtime_s && item.mtime_ns == entry.mtime_ns);
      if (i == 0) continue;
      ASSERT_EQ((*listing)[item.parent].kind, EntryKind::kDirectory);
      ASSERT_LT(item.parent, i);
      ASSERT_EQ(listing->find(item.parent, listing->name(i)), i);
    }
    EXPECT_EQ(listing->find(0, "nobody"), std::nullopt);
    EXPECT_EQ(listing->find(0, ""), std::nullopt);
    EXPECT_EQ(listing->layout().total_bytes(), table.core.total_bytes);
    EXPECT_EQ(listing->layout().payload_bytes(), table.core.payload_bytes);
  }
}

TEST(TreeListing, RefusesWhatIsNoTree) {
  const auto fault = [](const std::vector<Entry>& entries) { return std::string(refused(tree_table(entries))); };
  EXPECT_EQ(fault({directory("r")}), "accepted");
  EXPECT_EQ(fault({directory("r"), file("r/a"), file("r/a-b"), directory("r/b"), file("r/b/c")}), "accepted");
  EXPECT_EQ(fault({file("r")}), "first entry that is not the content's folder");
  EXPECT_EQ(fault({symlink("r/x", "y")}), "entry that stands in no folder of the content");
  EXPECT_EQ(fault({directory("r"), file("s")}), "entry outside the content's folder");
  EXPECT_EQ(fault({directory("r"), file("s/a")}), "entry that stands in no folder of the content");
  EXPECT_EQ(fault({directory("r"), file("r/a/b")}), "entry that stands in no folder of the content");
  EXPECT_EQ(fault({directory("r"), file("r/a", 3), file("r/a/b")}), "entry that stands in no folder of the content");
  EXPECT_EQ(fault({directory("r"), symlink("r/a", "b"), file("r/a/b")}),
            "entry that stands in no folder of the content");
  EXPECT_EQ(fault({directory("r"), symlink("r/a", "b"), file("r/a-"), file("r/a/b")}),
            "entry that stands in no folder of the content");
}

TEST(TreeListing, RefusesNamesThatDifferOnlyInCase) {
  const std::string clash = "entry whose name differs from another one's only in upper and lower case";
  const auto fault = [](const std::vector<Entry>& entries) { return std::string(refused(tree_table(entries))); };
  EXPECT_EQ(fault({directory("r"), file("r/A"), file("r/a")}), clash);
  EXPECT_EQ(fault({directory("r"), directory("r/LIB"), file("r/LIB/x"), directory("r/lib")}), clash);
  EXPECT_EQ(fault({directory("r"), directory("r/A"), file("r/A/x"), directory("r/b"), file("r/b/X")}), "accepted");
  EXPECT_EQ(fault({directory("R"), file("R/r")}), "accepted");
}

TEST(TreeListing, RefusesSumsThatAreNotTheManifests) {
  const TreeTable good = tree_table({directory("r"), file("r/a", 20'000), file("r/b", 100)});
  EXPECT_STREQ(refused(good), "accepted");
  TreeTable bad = tree_table({directory("r"), file("r/a", 20'000), file("r/b", 100)});
  bad.core.total_bytes += 1;
  EXPECT_STREQ(refused(bad), "entry table whose sizes are not the manifest's");
  bad.core.total_bytes -= 2;
  EXPECT_STREQ(refused(bad), "entry beyond the manifest's size");
  bad.core = good.core;
  bad.core.payload_bytes -= 1;
  EXPECT_STREQ(refused(bad), "entry table whose sizes are not the manifest's");
  for (const std::uint32_t count : {1U, 2U, 4U}) {
    bad.core = good.core;
    bad.core.entry_count = count;
    EXPECT_STREQ(refused(bad), "entry table with a wrong number of entries");
  }
  bad.core = good.core;
  bad.core.kind = ContentKind::kFile;
  EXPECT_STREQ(refused(bad), "manifest that is no folder's");
}

TEST(TreeListing, RefusesPagesThatDoNotFollowOneAnother) {
  std::vector<Entry> entries{directory("r")};
  for (int i = 1000; i < 3000; ++i) entries.push_back(file("r/f" + std::to_string(i), 10'000));
  const std::vector<std::byte> bytes = encode_entries(entries).value();
  ASSERT_GT(bytes.size(), 3 * kPageBytes);
  EXPECT_STREQ(refused(tree_table(bytes, entries)), "accepted");
  std::vector<std::byte> bad = bytes;
  bad[kPageBytes + 3] ^= std::byte{1};
  EXPECT_STREQ(refused(tree_table(bad, entries)), "entry page that does not follow the one before");
  bad = bytes;
  bad[kPageBytes + 11] ^= std::byte{1};
  EXPECT_STREQ(refused(tree_table(bad, entries)), "entry page with a wrong address");
  // The second page repeats the last name of the first.
  const EntryPage first = decode_entry_page(ByteSpan(bytes).first(kPageBytes)).value();
  const std::string last = first.entries.back().path;
  bad = bytes;
  std::ranges::copy(as_bytes(last.data(), last.size()), bad.begin() + kPageBytes + 14 + 28);
  EXPECT_STREQ(refused(tree_table(bad, entries)), "entries out of order");
}

TEST(TreeListing, AnyDamageIsAValue) {
  Rng rng(5);
  const std::vector<Entry> entries = random_tree(rng, 600);
  const std::vector<std::byte> bytes = encode_entries(entries).value();
  std::size_t accepted = 0;
  for (int i = 0; i < 3000; ++i) {
    std::vector<std::byte> bad = bytes;
    for (std::uint64_t n = 1 + rng.below(3); n > 0; --n)
      bad[rng.below(bad.size())] = static_cast<std::byte>(rng.below(256));
    const TreeTable table = tree_table(bad, entries);
    if (decode_tree(table.core, table.entries)) ++accepted;  // a mode, a time
  }
  EXPECT_GT(accepted, 0u);
  EXPECT_LT(accepted, 2900u);
}

TEST(TreeListing, AMillionFilesTakeAboutTheirTableInMemory) {
  std::vector<Entry> entries{directory("r")};
  for (int i = 0; i < 1000; ++i) {
    const std::string above = "r/d" + std::to_string(1000 + i);
    entries.push_back(directory(above));
    for (int j = 0; j < 999; ++j) entries.push_back(file(above + "/f" + std::to_string(1000 + j), 4096));
  }
  const TreeTable table = tree_table(entries, 1 << 20);
  const PathResult<TreeListing> listing = decode_tree(table.core, table.entries);
  ASSERT_TRUE(listing.has_value());
  EXPECT_EQ(listing->count(), 1'000'001u);
  EXPECT_EQ(listing->relative_path(listing->count() - 1), "d1999/f1998");
  EXPECT_LE(sizeof(TreeListing::Item), 40u);
}

TEST(LinkStaysInside, OnlyWhatCannotLeadOut) {
  EXPECT_TRUE(link_stays_inside("r/a", "b"));
  EXPECT_TRUE(link_stays_inside("r/a", "b/c/./d//e/"));
  EXPECT_TRUE(link_stays_inside("r/a", "."));
  EXPECT_TRUE(link_stays_inside("r/x/a", ".."));
  EXPECT_TRUE(link_stays_inside("r/x/y/a", "../.././z"));
  EXPECT_TRUE(link_stays_inside("r/a", "..."));
  EXPECT_FALSE(link_stays_inside("r/a", ""));
  EXPECT_FALSE(link_stays_inside("r/a", "/"));
  EXPECT_FALSE(link_stays_inside("r/a", "/etc/passwd"));
  EXPECT_FALSE(link_stays_inside("r/a", ".."));
  EXPECT_FALSE(link_stays_inside("r/a", "./.."));
  EXPECT_FALSE(link_stays_inside("r/x/a", "../.."));
  EXPECT_FALSE(link_stays_inside("r/x/a", "../../r"));
  EXPECT_FALSE(link_stays_inside("r", "x"));
  // Harmless by its text, but b may be a link to the content's folder.
  EXPECT_FALSE(link_stays_inside("r/x/a", "b/../c"));
  EXPECT_FALSE(link_stays_inside("r/a", std::string("b\0c", 3)));
  EXPECT_FALSE(link_stays_inside("r/a", "b\nc"));
  EXPECT_FALSE(link_stays_inside("r/a", std::string(256, 'b')));
  std::string longest;
  while (longest.size() < kMaxPathBytes) longest += "b/";
  EXPECT_TRUE(link_stays_inside("r/a", longest.substr(0, kMaxPathBytes)));
  EXPECT_FALSE(link_stays_inside("r/a", longest.substr(0, kMaxPathBytes) + "b"));
}

TEST(EntryPages, CarryLinksAndRefuseEveryTruncation) {
  const std::vector<Entry> entries{directory("r"), directory("r/d"), symlink("r/d/l", "../x"), file("r/e", 7),
                                   symlink("r/m", std::string(200, 'y'))};
  const std::vector<std::byte> bytes = encode_entries(entries).value();
  const Result<EntryPage> page = decode_entry_page(bytes);
  ASSERT_TRUE(page.has_value());
  EXPECT_EQ(page->entries, entries);
  for (std::size_t n = 0; n < bytes.size(); ++n) EXPECT_FALSE(decode_entry_page(ByteSpan(bytes).first(n)));
  EXPECT_FALSE(encode_entries({symlink("r/l", "/etc")}));
  Entry odd = file("r/f");
  odd.target = "x";
  EXPECT_FALSE(encode_entries({odd}));
  odd = symlink("r/l", "x");
  odd.size = 1;
  EXPECT_FALSE(encode_entries({odd}));
  // A link that leads out, put there by hand.
  std::vector<std::byte> bad = bytes;
  const std::string inside = "../x", outside = "/./x";
  const auto at = std::ranges::search(bad, as_bytes(inside.data(), inside.size())).begin();
  ASSERT_NE(at, bad.end());
  std::ranges::copy(as_bytes(outside.data(), outside.size()), at);
  EXPECT_STREQ(decode_entry_page(bad).error().what, "symbolic link that leaves the folder");
}

TEST(TreeSelection, AChunkIsWantedForOneFileAndWholeForAll) {
  // a and b share chunk 0, c fills chunks 1 and 2, d chunk 2 too.
  const std::vector<Entry> entries{directory("r"),   file("r/a", 100),   file("r/b", 100), file("r/c", 32768 + 16384),
                                   directory("r/d"), file("r/d/e", 100), directory("r/z")};
  const TreeTable table = tree_table(entries, 32768);
  const PathResult<TreeListing> listing = decode_tree(table.core, table.entries);
  ASSERT_TRUE(listing.has_value());
  const auto select = [&](std::vector<std::uint32_t> wanted) {
    std::vector<bool> picked(entries.size());
    for (const std::uint32_t i : wanted) picked[i] = true;
    return select_entries(*listing, table.core.chunk_count, picked);
  };
  const TreeSelection all = select_entries(*listing, table.core.chunk_count, {});
  EXPECT_TRUE(all.wanted.full() && all.whole.full());
  EXPECT_EQ(all.payload_bytes, table.core.payload_bytes);
  EXPECT_EQ(all.files, 4u);
  const TreeSelection one = select({1});
  EXPECT_EQ(one.wanted.count(), 1u);
  EXPECT_TRUE(one.wanted.test(ChunkIndex{0}));
  EXPECT_TRUE(one.whole.none());
  EXPECT_EQ(one.payload_bytes, 100u);
  const TreeSelection deep = select({5});
  EXPECT_TRUE(deep.entries[4]);
  EXPECT_FALSE(deep.entries[6]);
  EXPECT_EQ(select({1, 2, 3}).whole.test(ChunkIndex{0}), true);
  EXPECT_TRUE(select({}).wanted.none());
}

}  // namespace
}  // namespace peernet::content
