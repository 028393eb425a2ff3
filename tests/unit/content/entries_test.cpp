#include "content/entries.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "content/layout.hpp"
#include "content_samples.hpp"

namespace peernet::content {
namespace {

TEST(Names, RefusesEveryEvilName) {
  EXPECT_EQ(check_name(""), NameFault::kEmpty);
  EXPECT_EQ(check_name("."), NameFault::kDots);
  EXPECT_EQ(check_name(".."), NameFault::kDots);
  EXPECT_EQ(check_name("a/b"), NameFault::kSlash);
  EXPECT_EQ(check_name("/etc/passwd"), NameFault::kSlash);
  EXPECT_EQ(check_name(std::string_view("a\0b", 3)), NameFault::kControl);
  EXPECT_EQ(check_name("a\nb"), NameFault::kControl);
  EXPECT_EQ(check_name("\x1b[2J"), NameFault::kControl);
  EXPECT_EQ(check_name("\x7f"), NameFault::kControl);
  EXPECT_EQ(check_name(std::string(256, 'a')), NameFault::kTooLong);
  EXPECT_EQ(check_name(std::string(255, 'a')), NameFault::kNone);
  EXPECT_EQ(check_name("..."), NameFault::kNone);
  EXPECT_EQ(check_name("Übung – 1.iso"), NameFault::kNone);
}

TEST(Names, PathsArePlainRelativeAndBounded) {
  for (const char* bad : {"", "/", "/a", "a/", "a//b", "./a", "a/./b", "a/../b", "..", "a\n/b"})
    EXPECT_FALSE(valid_entry_path(bad)) << bad;
  for (const char* good : {"a", "a/b", "a/b.c/d", ".hidden/..x"}) EXPECT_TRUE(valid_entry_path(good)) << good;
  std::string deep(200, 'd');
  while (deep.size() < kMaxPathBytes) deep += "/" + std::string(200, 'd');
  EXPECT_FALSE(valid_entry_path(deep));
}

std::vector<Entry> make_tree(std::size_t count, std::uint64_t seed) {
  Rng rng(seed);
  std::vector<Entry> out;
  for (std::size_t i = 0; i < count; ++i) {
    Entry entry;
    entry.path = "dir" + std::to_string(1000 + i / 50) + "/file with a longer name " + std::to_string(100000 + i);
    entry.kind = rng.chance(0.1) ? EntryKind::kDirectory : EntryKind::kFile;
    entry.size = entry.kind == EntryKind::kDirectory ? 0 : rng.below(40000);
    entry.mode = static_cast<std::uint16_t>(rng.below(01000));
    entry.mtime_s = static_cast<std::int64_t>(rng.below(1ULL << 33)) - (1LL << 32);
    entry.mtime_ns = static_cast<std::uint32_t>(rng.below(1'000'000'000));
    out.push_back(entry);
  }
  std::ranges::sort(out, {}, &Entry::path);
  return out;
}

TEST(Entries, ATreeOfAnySizeComesBackPageByPage) {
  for (const std::size_t count : {1U, 2U, 100U, 5000U}) {
    const std::vector<Entry> tree = make_tree(count, count);
    const std::vector<std::byte> bytes = encode_entries(tree).value();
    std::vector<std::uint64_t> sizes;
    for (const Entry& entry : tree) sizes.push_back(entry.size);
    const Layout layout = Layout::make(sizes, kDefaultChunkBytes).value();
    std::vector<Entry> back;
    for (std::size_t at = 0; at < bytes.size(); at += kPageBytes) {
      const Result<EntryPage> page =
          decode_entry_page(ByteSpan(bytes).subspan(at, std::min<std::size_t>(kPageBytes, bytes.size() - at)));
      ASSERT_TRUE(page.has_value());
      EXPECT_EQ(page->first_index, back.size());
      EXPECT_EQ(page->first_address, layout.address_of(page->first_index)) << "a page says where its files lie";
      back.insert(back.end(), page->entries.begin(), page->entries.end());
    }
    EXPECT_EQ(back, tree);
  }
}

TEST(Entries, RefusesToEncodeWhatItWouldNotDecode) {
  const auto code_of = [](std::vector<Entry> entries) { return encode_entries(entries).error().code; };
  Entry good;
  good.path = "x";
  Entry entry = good;
  entry.path = "../x";
  EXPECT_EQ(code_of({entry}), ErrorCode::kUsage);
  entry = good;
  entry.mode = 04755;
  EXPECT_EQ(code_of({entry}), ErrorCode::kUsage) << "set-user-id is never carried";
  entry = good;
  entry.mtime_ns = 1'000'000'000;
  EXPECT_EQ(code_of({entry}), ErrorCode::kUsage);
  entry = good;
  entry.kind = EntryKind::kDirectory;
  entry.size = 1;
  EXPECT_EQ(code_of({entry}), ErrorCode::kUsage);
  EXPECT_EQ(code_of({good, good}), ErrorCode::kUsage) << "unique";
  entry = good;
  entry.size = UINT64_MAX;
  EXPECT_EQ(code_of({entry}), ErrorCode::kUsage);
}

TEST(Entries, RandomDamageIsRefusedOrStillValid) {
  const std::vector<std::byte> bytes = encode_entries(make_tree(40, 5)).value();
  Rng rng(6);
  int refused = 0;
  for (int i = 0; i < 4000; ++i) {
    std::vector<std::byte> bad = bytes;
    for (std::uint64_t n = 1 + rng.below(4); n > 0; --n)
      bad[rng.below(bad.size())] = static_cast<std::byte>(rng.next());
    if (rng.chance(0.2)) bad.resize(rng.below(bad.size()));
    const Result<EntryPage> page = decode_entry_page(bad);
    if (!page) {
      EXPECT_EQ(page.error().code, ErrorCode::kIntegrity);
      ++refused;
      continue;
    }
    for (const Entry& entry : page->entries) EXPECT_TRUE(valid_entry_path(entry.path));
  }
  EXPECT_GT(refused, 1000);
}

TEST(Entries, ASingleFilesEntryMustFitItsManifest) {
  const Sample sample = describe_bytes(random_bytes(5000, 1), kDefaultChunkBytes, "report.pdf");
  const ByteSpan page = sample.entries.page(0);
  EXPECT_EQ(decode_single_entry(sample.core, page).value(), sample.entry);
  ManifestCore other = sample.core;
  other.total_bytes += 1;
  EXPECT_FALSE(decode_single_entry(other, page));
  other = sample.core;
  other.kind = ContentKind::kTree;
  EXPECT_FALSE(decode_single_entry(other, page));
  Entry nested = sample.entry;
  nested.path = "a/b";
  EXPECT_FALSE(decode_single_entry(sample.core, encode_entries({nested}).value())) << "no directories by the back door";
  Entry second = sample.entry;
  second.path = "z";
  second.size = 0;
  EXPECT_FALSE(decode_single_entry(sample.core, encode_entries({sample.entry, second}).value()));
  std::vector<std::byte> trailing(page.begin(), page.end());
  trailing.push_back(std::byte{1});
  EXPECT_FALSE(decode_single_entry(sample.core, trailing));
}

}  // namespace
}  // namespace peernet::content
