// Random folders for tests, and what a folder looks like as a value.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/rng.hpp"
#include "storage/tree_hasher.hpp"
#include "storage/tree_part.hpp"
#include "storage/tree_reader.hpp"
#include "unit/storage/temp_directory.hpp"

namespace peernet::storage {

/// Everything about a folder that a transfer keeps: by path, a line of kind, mode, time and bytes or target.
inline std::map<std::string, std::string> picture(const std::string& root) {
  namespace fs = std::filesystem;
  std::map<std::string, std::string> out;
  const auto add = [&](const fs::path& path, const std::string& name) {
    struct stat info{};
    ASSERT_EQ(::lstat(path.c_str(), &info), 0) << path;
    std::string line = S_ISDIR(info.st_mode) ? "d" : S_ISLNK(info.st_mode) ? "l" : S_ISREG(info.st_mode) ? "f" : "?";
    line += " " + std::to_string(info.st_mode & 07777U) + " " + std::to_string(info.st_mtim.tv_sec) + "." +
            std::to_string(info.st_mtim.tv_nsec) + " ";
    if (S_ISLNK(info.st_mode)) line += fs::read_symlink(path).string();
    if (S_ISREG(info.st_mode)) {
      const std::vector<std::byte> bytes = read_file(path.string());
      line.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    }
    out[name] = line;
  };
  add(root, "");
  for (const auto& entry : fs::recursive_directory_iterator(root))
    add(entry.path(), fs::relative(entry.path().parent_path(), root).string() + "/" + entry.path().filename().string());
  return out;
}

inline void set_time(const std::string& path, std::int64_t seconds, long ns) {
  const timespec times[2] = {{.tv_sec = seconds, .tv_nsec = ns}, {.tv_sec = seconds, .tv_nsec = ns}};
  ASSERT_EQ(::utimensat(AT_FDCWD, path.c_str(), times, AT_SYMLINK_NOFOLLOW), 0) << path;
}

struct TreeShape {
  std::uint32_t entries = 40;
  std::uint64_t largest = 100'000;
  unsigned depth = 6;
};

/// A folder of random depth with small, large and empty files, empty directories, links, modes and times.
inline void make_random_tree(const std::string& root, std::uint64_t seed, const TreeShape& shape) {
  namespace fs = std::filesystem;
  Rng rng(seed);
  std::vector<std::string> directories{root};
  std::vector<std::string> all{root};
  fs::create_directory(root);
  // Names around '/' in byte order: "a", "a-b" and "a/c" must not upset the order of parents and children.
  const std::string letters = "abcxyz-. _0!~";
  for (std::uint32_t i = 0; i < shape.entries; ++i) {
    const std::string& above = directories[rng.below(directories.size())];
    std::string name = "n" + std::to_string(rng.below(50));
    for (std::uint64_t n = rng.below(6); n > 0; --n) name += letters[rng.below(letters.size())];
    const std::string path = above + "/" + name;
    if (fs::exists(fs::symlink_status(path))) continue;
    const bool deep =
        static_cast<unsigned>(std::ranges::count(path, '/') - std::ranges::count(root, '/')) >= shape.depth;
    const std::uint64_t kind = rng.below(10);
    if (kind < 3 && !deep) {
      fs::create_directory(path);
      directories.push_back(path);
    } else if (kind == 3) {
      fs::create_symlink(rng.chance(0.5) ? "./gone/" + name : "n" + std::to_string(i), path);
    } else {
      const std::uint64_t size = rng.chance(0.2) ? 0 : rng.chance(0.5) ? rng.below(3000) : rng.below(shape.largest);
      write_file(path, seeded_bytes(size, rng.next()));
      ASSERT_EQ(::chmod(path.c_str(), static_cast<mode_t>(0400 | rng.below(0400))), 0);
    }
    all.push_back(path);
  }
  for (const std::string& path : directories)
    ASSERT_EQ(::chmod(path.c_str(), static_cast<mode_t>(0700 | rng.below(0100))), 0);
  std::ranges::reverse(all);
  for (const std::string& path : all)
    set_time(path, static_cast<std::int64_t>(rng.below(2'000'000'000)), static_cast<long>(rng.below(1'000'000'000)));
}

inline SharedTree hashed(const std::string& path, std::uint32_t chunk_bytes = 16384, unsigned threads = 2) {
  content::PathResult<SharedTree> tree = hash_tree(path, {.threads = threads, .chunk_bytes = chunk_bytes});
  if (!tree) {
    ADD_FAILURE() << tree.error().path << ": " << describe(tree.error().error);
    std::abort();
  }
  return std::move(*tree);
}

inline std::vector<std::byte> chunk_of(const SharedTree& tree, ChunkIndex chunk) {
  TreeReader reader(tree.root.get(), tree.listing, tree.inodes);
  std::vector<std::byte> bytes(tree.listing.layout().chunk_payload(chunk));
  EXPECT_EQ(reader.read(chunk, 0, bytes), static_cast<std::int64_t>(bytes.size()));
  return bytes;
}

/// Fails the test with the file and the reason.
template <class T>
::testing::AssertionResult good(const content::PathResult<T>& result) {
  if (result) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << result.error().path << ": " << describe(result.error().error);
}

/// The umask is the process's: what is received keeps every bit in these tests.
struct NoUmask {
  NoUmask() : before(::umask(0)) {}
  ~NoUmask() { ::umask(before); }
  mode_t before;
};

}  // namespace peernet::storage
