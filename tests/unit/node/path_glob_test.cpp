#include "node/path_glob.hpp"

#include <gtest/gtest.h>

#include <string>

namespace peernet::node {
namespace {

bool selects(const char* pattern, const char* path, bool is_folder = false) {
  const auto glob = PathGlob::parse(pattern);
  EXPECT_TRUE(glob) << pattern;
  return glob && glob->selects(path, is_folder);
}

TEST(PathGlob, APatternWithoutSlashIsComparedWithTheLastComponentAtAnyDepth) {
  EXPECT_TRUE(selects("*.jpg", "a.jpg"));
  EXPECT_TRUE(selects("*.jpg", "x/y/a.jpg"));
  EXPECT_FALSE(selects("*.jpg", "x/y/a.jpeg"));
  EXPECT_TRUE(selects("a.jpg", "x/a.jpg"));
  EXPECT_FALSE(selects("a", "ab"));
  EXPECT_FALSE(selects("b", "ab"));
}

TEST(PathGlob, APatternWithASlashIsComparedWithTheWholePath) {
  EXPECT_TRUE(selects("x/*.jpg", "x/a.jpg"));
  EXPECT_FALSE(selects("x/*.jpg", "x/y/a.jpg"));
  EXPECT_FALSE(selects("x/*.jpg", "z/x/a.jpg"));
  EXPECT_TRUE(selects("/a", "a"));
  EXPECT_FALSE(selects("/a", "x/a"));
  EXPECT_TRUE(selects("./x/a", "x/a"));
  EXPECT_TRUE(selects("x//a", "x/a"));
}

TEST(PathGlob, TwoStarsTakeAnyNumberOfFolders) {
  EXPECT_TRUE(selects("**/a", "a"));
  EXPECT_TRUE(selects("**/a", "x/y/a"));
  EXPECT_TRUE(selects("x/**/a", "x/a"));
  EXPECT_TRUE(selects("x/**/a", "x/y/z/a"));
  EXPECT_FALSE(selects("x/**/a", "y/a"));
  EXPECT_TRUE(selects("x/**", "x/y/z"));
  EXPECT_TRUE(selects("**/x/**/y/*.c", "p/x/q/x/r/y/y/m.c"));
  EXPECT_FALSE(selects("**/x/**/y/*.c", "p/x/q/x/r/y/y/m.h"));
  EXPECT_TRUE(selects("**", "anything/at/all"));
}

TEST(PathGlob, AFolderThatMatchesSelectsAllBelowIt) {
  EXPECT_TRUE(selects("docs", "docs", true));
  EXPECT_TRUE(selects("docs", "a/docs/b/c"));
  EXPECT_TRUE(selects("docs/", "docs/a"));
  EXPECT_TRUE(selects("docs/", "docs", true));
  EXPECT_FALSE(selects("docs/", "docs"));  // a file of that name
  EXPECT_TRUE(selects("a/d*", "a/docs/b"));
}

TEST(PathGlob, StarsDoNotCrossSlashesAndBacktrack) {
  EXPECT_TRUE(selects("a*b*c", "aXbXbXc"));
  EXPECT_FALSE(selects("a*b*c", "aXbXbX"));
  EXPECT_TRUE(selects("*", "a"));
  EXPECT_TRUE(selects("a*", "a"));
  EXPECT_FALSE(selects("/a*b", "a/b"));
}

TEST(PathGlob, QuestionMarksAndClassesTakeOneCharacter) {
  EXPECT_TRUE(selects("?", "\xc3\xa4"));  // ä
  EXPECT_FALSE(selects("?", "ab"));
  EXPECT_TRUE(selects("[a-c]x", "bx"));
  EXPECT_FALSE(selects("[a-c]x", "dx"));
  EXPECT_TRUE(selects("[!a-c]x", "dx"));
  EXPECT_FALSE(selects("[^a-c]x", "ax"));
  EXPECT_TRUE(selects("[!a]", "\xc3\xa4"));
  EXPECT_TRUE(selects("[]]", "]"));
  EXPECT_TRUE(selects("[a\\]]", "]"));
  EXPECT_TRUE(selects("[a-]", "-"));
}

TEST(PathGlob, ABackslashTakesTheMeaningAway) {
  EXPECT_TRUE(selects("\\*", "*"));
  EXPECT_FALSE(selects("\\*", "a"));
  EXPECT_TRUE(selects("\\[x", "[x"));
}

TEST(PathGlob, WhatIsNoPatternIsRefused) {
  for (const std::string& bad :
       {std::string(), std::string("/"), std::string("a[b"), std::string("[!]"), std::string(5000, 'a')})
    EXPECT_FALSE(PathGlob::parse(bad)) << bad;
}

TEST(PathGlob, AHostilePatternTakesNoExponentialTime) {
  std::string stars, path(4000, 'a');
  for (int i = 0; i < 1000; ++i) stars += "*a";
  EXPECT_FALSE(selects((stars + "b").c_str(), path.c_str()));
  std::string folders, deep;
  for (int i = 0; i < 500; ++i) folders += "**/a/", deep += "a/a/";
  EXPECT_FALSE(selects((folders + "b").c_str(), (deep + "c").c_str()));
}

}  // namespace
}  // namespace peernet::node
