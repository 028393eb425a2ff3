#include "storage/name_rules.hpp"

#include <gtest/gtest.h>

#include "content/entries.hpp"

namespace peernet::storage {
namespace {

TEST(NameRules, APartNameAlwaysFitsTheFileSystem) {
  ContentId id{};
  id[0] = std::byte{0xab};
  EXPECT_EQ(part_name("x.iso", id), "x.iso.part");
  EXPECT_EQ(part_name(std::string(250, 'n'), id), std::string(250, 'n') + ".part");
  for (std::size_t n = 251; n <= 255; ++n) {
    const std::string name = part_name(std::string(n, 'n'), id);
    EXPECT_LE(name.size(), 255U);
    EXPECT_TRUE(name.ends_with(".ab00000000000000.part")) << name;
    EXPECT_EQ(content::check_name(name), content::NameFault::kNone);
  }
  ContentId other{};
  EXPECT_NE(part_name(std::string(255, 'n'), id), part_name(std::string(255, 'n'), other));
}

TEST(NameRules, TargetsSplitIntoDirectoryAndName) {
  const auto split = [](std::string_view option) {
    const TargetWish wish = split_target(option);
    return wish.directory + "|" + wish.name;
  };
  EXPECT_EQ(split(""), "|");
  EXPECT_EQ(split("a"), "|a");
  EXPECT_EQ(split("d/"), "d|");
  EXPECT_EQ(split("d/a"), "d|a");
  EXPECT_EQ(split("/a"), "/|a");
  EXPECT_EQ(split("/"), "/|");
  EXPECT_EQ(split("../x/y"), "../x|y");
}

TEST(NameRules, APrintableNameCannotDriveATerminal) {
  EXPECT_EQ(printable("plain – ünïcode 🎉"), "plain – ünïcode 🎉");
  EXPECT_EQ(printable("a\x1b[31mb\n\r\t\x7f"), "a?[31mb????");
  EXPECT_EQ(printable("\xc2\x9b"
                      "31m"),
            "?31m")
      << "C1 control sequence introducer";
  EXPECT_EQ(printable("\xff\xfe"), "??");
  EXPECT_EQ(printable("\xc0\xaf"), "??") << "overlong";
  EXPECT_EQ(printable("\xed\xa0\x80"), "???") << "surrogate";
  EXPECT_EQ(printable("\xf4\x90\x80\x80"), "????") << "beyond U+10FFFF";
  EXPECT_EQ(printable("\xe2\x82"), "??") << "cut short";
}

}  // namespace
}  // namespace peernet::storage
