// The words behind a mode's name.
#include "bench/mode_parser.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace peernet::bench {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

struct Words : testing::Test {
  Words() {
    parser.number("--peers", peers, 1, 2'000'000);
    parser.number("--pid", pid, 0, INT32_MAX);
    parser.decimal("--share", share, 0, 1);
    parser.bytes("--size", size);
    parser.counts("--sources", sources, 1, 8);
    parser.names("--tools", tools, {"cp", "rsync"});
    parser.text("--dir", folder);
    parser.flag("-q,--quiet", quiet);
    parser.flag("--last", [this] { chosen = "last"; });
  }

  std::string wrong(std::vector<std::string> words) {
    const auto parsed = parser.parse(words);
    return parsed ? "" : parsed.error();
  }

  ModeParser parser{"crowd"};
  std::uint32_t peers = 0;
  int pid = 0;
  double share = 0;
  std::uint64_t size = 0;
  std::vector<unsigned> sources;
  std::vector<std::string> tools, rest;
  std::string folder, chosen;
  bool quiet = false;
};

TEST_F(Words, ValuesAreTakenAsTheyAreMeant) {
  ASSERT_EQ(wrong({"--peers", "1e6", "--pid=7", "--share", "0.5", "--size", "4KiB", "--tools", "rsync,cp", "--dir", "x",
                   "-q", "--last", "--sources", "2..4"}),
            "");
  EXPECT_EQ(peers, 1'000'000U);
  EXPECT_EQ(pid, 7);
  EXPECT_EQ(share, 0.5);
  EXPECT_EQ(size, 4096U);
  EXPECT_THAT(sources, ElementsAre(2, 3, 4));
  EXPECT_THAT(tools, ElementsAre("rsync", "cp"));
  EXPECT_EQ(folder, "x");
  EXPECT_TRUE(quiet);
  EXPECT_EQ(chosen, "last");
}

TEST_F(Words, EachComplaintNamesTheFix) {
  for (const auto& [words, part] : std::vector<std::pair<std::vector<std::string>, std::string>>{
           {{"--peers", "0"}, "--peers wants a whole number from 1 to 2000000, not \"0\""},
           {{"--peers", "1.5"}, "a whole number"},
           {{"--peers", "many"}, "a whole number"},
           {{"--peers", "-1"}, "a whole number"},
           {{"--share", "nan"}, "--share wants a number from 0 to 1"},
           {{"--size", "big"}, "--size wants a size such as 200M"},
           {{"--sources", "3..1"}, "--sources wants numbers from 1 to 8"},
           {{"--sources", "1,9"}, "--sources wants numbers from 1 to 8"},
           {{"--tools", "cp,rsnyc"}, "did you mean rsync?"},
           {{"--dir", ""}, "not empty"},
           {{"--dir"}, "--dir wants a value behind it"},
           {{"--peer", "1"}, "did you mean --peers?"},
           {{"word"}, "only options are expected"}}) {
    const std::string said = wrong(words);
    EXPECT_THAT(said, HasSubstr(part));
    EXPECT_THAT(said, testing::EndsWith("Try \"peernet-bench crowd --help\"."));
  }
}

TEST_F(Words, WordsThatAreNoOptionsAreCounted) {
  parser.positionals(rest, "two files", 2, 2);
  EXPECT_THAT(wrong({"a"}), HasSubstr("it wants two files"));
  EXPECT_THAT(wrong({"a", "b", "c"}), HasSubstr("it wants two files"));
  EXPECT_EQ(wrong({"a", "-q", "b"}), "");
  EXPECT_THAT(rest, ElementsAre("a", "b"));
}

TEST_F(Words, HelpComesFirst) {
  const auto parsed = parser.parse(std::vector<std::string>{"--peers", "0", "--help"});
  ASSERT_TRUE(parsed);
  EXPECT_FALSE(*parsed);
}

}  // namespace
}  // namespace peernet::bench
