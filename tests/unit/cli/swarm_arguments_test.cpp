// The words that concern trackers and swarms: share --tracker, --join, --beat, and peernet status.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/arguments.hpp"

namespace peernet::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Invocation good(const std::vector<std::string>& words) {
  auto result = parse_arguments(words);
  EXPECT_TRUE(result) << result.error();
  return result ? *result : Invocation{};
}

std::string bad(const std::vector<std::string>& words) {
  auto result = parse_arguments(words);
  EXPECT_FALSE(result);
  return result ? "" : result.error();
}

TEST(TrackerAddress, IsWhatLinksCallIt) {
  EXPECT_EQ(tracker_address("udp://t.example:7000"), "t.example:7000");
  EXPECT_EQ(tracker_address("udp://t.example:7000/announce"), "t.example:7000");
  EXPECT_EQ(tracker_address("udp://t.example"), "t.example:6969");
  EXPECT_EQ(tracker_address("t.example"), "t.example:6969");
  EXPECT_EQ(tracker_address("10.0.0.1:80"), "10.0.0.1:80");
  EXPECT_EQ(tracker_address("[2001:db8::1]"), "[2001:db8::1]:6969");
  EXPECT_EQ(tracker_address("[2001:db8::1]:7"), "[2001:db8::1]:7");
  for (const char* word :
       {"", "udp://", "http://t.example:80", "t.example:0", "t.example:65536", "a b:1", "t.example:1/x"})
    EXPECT_EQ(tracker_address(word), "") << word;
}

TEST(SwarmArguments, ShareTakesTrackersOnceEach) {
  const Invocation i = good({"share", "x", "--tracker", "udp://a:1", "--tracker=b", "--tracker", "a:1"});
  EXPECT_THAT(i.share.trackers, ElementsAre("a:1", "b:6969"));
  EXPECT_TRUE(i.share.embed_tracker);
}

TEST(SwarmArguments, WithoutTrackersTheNodeIsOneItselfUnlessToldNot) {
  EXPECT_THAT(good({"share", "x"}).share.trackers, IsEmpty());
  EXPECT_TRUE(good({"share", "x"}).share.embed_tracker);
  EXPECT_FALSE(good({"share", "x", "--tracker", "none"}).share.embed_tracker);
  EXPECT_THAT(bad({"share", "x", "--tracker", "none", "--tracker", "a:1"}), HasSubstr("contradict"));
}

TEST(SwarmArguments, TrackersThatAreNoneAreNamed) {
  EXPECT_THAT(bad({"share", "x", "--tracker", "http://a/announce"}),
              HasSubstr("--tracker wants udp://HOST:PORT, HOST:PORT or none, not \"http://a/announce\""));
  std::vector<std::string> words{"share", "x"};
  for (int i = 1; i <= 17; ++i) words.insert(words.end(), {"--tracker", "a:" + std::to_string(i)});
  EXPECT_THAT(bad(words), HasSubstr("16 trackers are enough"));
  words.resize(words.size() - 2);
  EXPECT_EQ(good(words).share.trackers.size(), 16u);
}

TEST(SwarmArguments, JoinTakesALinkAndNothingThatTheLinkSays) {
  const Invocation i = good({"share", "x", "--join", "@link", "--once", "--link-file", "l"});
  EXPECT_EQ(i.join_word, "@link");
  EXPECT_EQ(i.share.join, "");
  EXPECT_THAT(bad({"share", "x", "--join", "@l", "--public"}), HasSubstr("--join and --public"));
  EXPECT_THAT(bad({"share", "x", "--join", "@l", "--advertise", "a"}), HasSubstr("--join and --advertise"));
  EXPECT_THAT(bad({"share", "x", "--join", "@l", "--tracker", "a"}), HasSubstr("--join and --tracker"));
  EXPECT_THAT(bad({"share", "x", "--join", "@l", "--beat", "1"}), HasSubstr("--join and --beat"));
}

TEST(SwarmArguments, TheBeatIsSecondsWithinReason) {
  EXPECT_EQ(good({"share", "x", "--beat", "0.5"}).node.tracker_beat_seconds, 0.5);
  EXPECT_EQ(good({"share", "x"}).node.tracker_beat_seconds, 30);
  EXPECT_THAT(bad({"share", "x", "--beat", "1", "--tracker", "t:1"}), HasSubstr("--beat and --tracker"));
  EXPECT_THAT(bad({"share", "x", "--beat", "1", "--tracker", "none"}), HasSubstr("--beat and --tracker"));
  for (const char* word : {"0", "0.09", "3601", "soon", "-1"})
    EXPECT_THAT(bad({"share", "x", "--beat", word}), HasSubstr("--beat wants seconds from 0.1 to 3600")) << word;
}

TEST(SwarmArguments, StatusTakesALink) {
  const Invocation i = good({"status", "@link", "--json"});
  EXPECT_EQ(i.command, Command::kStatus);
  EXPECT_EQ(i.link_word, "@link");
  EXPECT_TRUE(i.json);
  EXPECT_EQ(i.get.timeout_seconds, 10);
  EXPECT_EQ(good({"status", "x", "--timeout", "2"}).get.timeout_seconds, 2);
  EXPECT_THAT(bad({"status"}), HasSubstr("LINK is missing"));
  EXPECT_THAT(bad({"status", "x", "--progress", "json"}), HasSubstr("there is no option \"--progress\""));
}

TEST(SwarmArguments, TyposGetASuggestion) {
  EXPECT_THAT(bad({"statsu", "x"}), HasSubstr("did you mean status?"));
  EXPECT_THAT(bad({"share", "x", "--traker", "a"}), HasSubstr("did you mean --tracker?"));
  EXPECT_THAT(bad({"share", "x", "--jion", "a"}), HasSubstr("did you mean --join?"));
}

}  // namespace
}  // namespace peernet::cli
