#include "cli/files.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

namespace peernet::cli {
namespace {

namespace stdfs = std::filesystem;

class FilesTest : public testing::Test {
 protected:
  FilesTest() {
    std::string pattern = (stdfs::temp_directory_path() / "peernet-files-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
  }
  ~FilesTest() override { stdfs::remove_all(folder_); }

  std::string at(const char* name) const { return (folder_ / name).string(); }
  static unsigned mode(const std::string& path) {
    struct stat info{};
    return ::stat(path.c_str(), &info) == 0 ? info.st_mode & 07777u : 0u;
  }
  static std::string content(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  std::size_t entries() const {
    return static_cast<std::size_t>(std::distance(stdfs::directory_iterator(folder_), stdfs::directory_iterator()));
  }

  stdfs::path folder_;
};

TEST_F(FilesTest, ALinkFileIsReplacedAndPrivateWhateverWasThere) {
  std::ofstream(at("link")) << "old";
  ::chmod(at("link").c_str(), 0666);
  ASSERT_TRUE(replace_private_file(at("link"), "new\n"));
  EXPECT_EQ(content(at("link")), "new\n");
  EXPECT_EQ(mode(at("link")), 0600u);
  EXPECT_EQ(entries(), 1u) << "a temporary file was left";
}

TEST_F(FilesTest, ALinkFileThatCannotBeWrittenLeavesNothing) {
  const auto in_nowhere = replace_private_file(at("no/such/link"), "x");
  ASSERT_FALSE(in_nowhere);
  EXPECT_EQ(in_nowhere.error().code, ErrorCode::kLocalIo);
  stdfs::create_directory(at("folder"));
  EXPECT_FALSE(replace_private_file(at("folder"), "x"));
  EXPECT_EQ(entries(), 1u) << "a temporary file was left";
}

TEST_F(FilesTest, AKeyIsPrivateAndNeverReplaced) {
  ASSERT_TRUE(create_private_file(at("key"), "secret"));
  EXPECT_EQ(mode(at("key")), 0600u);
  const auto again = create_private_file(at("key"), "other");
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, ErrorCode::kTargetExists);
  EXPECT_EQ(content(at("key")), "secret");
  stdfs::create_symlink(at("elsewhere"), at("dangling"));
  EXPECT_FALSE(create_private_file(at("dangling"), "x"));
  EXPECT_FALSE(stdfs::exists(at("elsewhere")));
}

TEST_F(FilesTest, AFileIsReadUpToItsLimit) {
  std::ofstream(at("small")) << std::string(100, 'x');
  ::chmod(at("small").c_str(), 0600);
  auto file = read_small_file(at("small"), 100);
  ASSERT_TRUE(file);
  EXPECT_EQ(file->text.size(), 100u);
  EXPECT_FALSE(file->others_may_read);
  file = read_small_file(at("small"), 99);
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().code, ErrorCode::kUsage);
  ::chmod(at("small").c_str(), 0640);
  EXPECT_TRUE(read_small_file(at("small"), 100)->others_may_read);
}

TEST_F(FilesTest, WhatCannotBeReadIsAnError) {
  const auto missing = read_small_file(at("missing"), 100);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::kLocalIo);
  EXPECT_FALSE(read_small_file(folder_.string(), 100)) << "a folder";
}

}  // namespace
}  // namespace peernet::cli
