// Words of `ctl` and its tables.
#include "tracker/server/ctl.hpp"

#include <gmock/gmock.h>

namespace peernet::tracker::server {
namespace {

using testing::HasSubstr;

const char* nothing(const char*) {
  return nullptr;
}

std::expected<CtlRequest, std::string> read(const std::vector<std::string>& words) {
  return read_ctl_words(words, nothing);
}

TEST(Ctl, WordsBecomeARequest) {
  const auto peers = read({"--state", "/x", "peers", "ABCD", "--json"});
  ASSERT_TRUE(peers) << peers.error();
  EXPECT_EQ(peers->verb, CtlVerb::kPeers);
  EXPECT_EQ(peers->key, "ABCD");
  EXPECT_EQ(peers->socket, "/x/admin.sock");
  EXPECT_TRUE(peers->json);
  const auto swarms = read({"swarms", "--socket=/y"});
  ASSERT_TRUE(swarms);
  EXPECT_EQ(swarms->socket, "/y");
  const auto state = read_ctl_words(std::vector<std::string>{"stats"}, [](const char*) { return "/from/environment"; });
  ASSERT_TRUE(state);
  EXPECT_EQ(state->socket, "/from/environment/admin.sock");
}

TEST(Ctl, WrongWordsAreOneSentence) {
  for (const std::vector<std::string>& words : {std::vector<std::string>{},
                                                {"swarm"},
                                                {"peers"},
                                                {"peers", "abc"},
                                                {"peers", "wxyz"},
                                                {"stats", "x"},
                                                {"--state"},
                                                {"swarms", "--jsn"},
                                                {"peers", "abcd", "abcd"},
                                                {"peers", std::string(41, 'a')}}) {
    const auto request = read(words);
    ASSERT_FALSE(request);
    EXPECT_FALSE(request.error().empty());
  }
  EXPECT_THAT(read({"swarm"}).error(), HasSubstr("did you mean swarms?"));
}

TEST(Ctl, SwarmsAreAnAlignedTable) {
  const auto table = table_of(CtlVerb::kSwarms, R"({"total":5,"truncated":true,"swarms":[
    {"key":"aa","nodes_complete":1,"nodes_partial":22,"legacy_seeders":3,"legacy_leechers":4,"completed":5}]})");
  ASSERT_TRUE(table);
  EXPECT_EQ(*table,
            "KEY  COMPLETE  PARTIAL  SEEDERS  LEECHERS  COMPLETED\n"
            "aa          1       22        3         4          5\n"
            "... and more: 5 swarms in all\n");
}

std::string bar_of(const std::string& peer) {
  const auto table = table_of(CtlVerb::kPeers, R"({"key":"aa","total":1,"peers":[)" + peer + "]}");
  EXPECT_TRUE(table);
  return table.value_or("");
}

TEST(Ctl, PeersShowWhichPartsTheyHave) {
  // 128 steps: the first half is there, and one of the last four.
  EXPECT_THAT(
      bar_of(R"({"address":"1.2.3.4:5","kind":"node","complete":false,"chunks":1000,"age_ms":2000,"rate_kib":1024,
    "owned":"ffffffffffffffff0000000000000001","node":"00"})"),
      testing::AllOf(HasSubstr("################...............+  50%"), HasSubstr("1.2.3.4:5"), HasSubstr("2s"),
                     HasSubstr("MiB/s")));
  // Four chunks, two of them there.
  EXPECT_THAT(bar_of(R"({"kind":"node","complete":false,"chunks":4,"owned":"a0000000000000000000000000000000"})"),
              testing::AllOf(HasSubstr("########........########........  50%"), HasSubstr("swarm aa, 1 peer\n")));
  EXPECT_THAT(bar_of(R"({"kind":"node","complete":true,"chunks":4})"), HasSubstr(std::string(32, '#') + "  100%"));
  EXPECT_THAT(bar_of(R"({"kind":"legacy","complete":false})"), HasSubstr(std::string(32, '?')));
}

TEST(Ctl, PagesAreJoinedAndWhatComesTwiceCountsOnce) {
  PageJoiner pages(R"({"total":3,"truncated":true,"next":"1-bb","swarms":[{"key":"aa"},{"key":"bb"}]})");
  EXPECT_EQ(pages.next(), "1-bb");
  EXPECT_TRUE(pages.add(R"({"total":4,"truncated":false,"swarms":[{"key":"bb"},{"key":"cc"}]})"));
  EXPECT_EQ(pages.next(), "");
  EXPECT_EQ(pages.take(),
            "{\"total\":4,\"truncated\":false,\"swarms\":[{\"key\":\"aa\"},{\"key\":\"bb\"},{\"key\":\"cc\"}]}\n");
  PageJoiner stuck(R"({"truncated":true,"next":"1-bb","swarms":[{"key":"bb"}]})");
  EXPECT_FALSE(stuck.add(R"({"truncated":true,"next":"1-bb","swarms":[{"key":"bb"}]})"));
  for (const char* other : {"", "x", "[]", "{}", R"({"swarms":1,"next":"1"})", R"({"swarms":[],"next":"1 HTTP"})"}) {
    PageJoiner one{std::string(other)};
    EXPECT_EQ(one.next(), "") << other;
    EXPECT_FALSE(one.add(other)) << other;
    EXPECT_EQ(one.take(), other);
  }
}

TEST(Ctl, StatsAreNamesAndNumbers) {
  const auto table = table_of(CtlVerb::kStats, R"({"version":"1","counters":{"announces":12},"snapshot_age_s":null})");
  ASSERT_TRUE(table);
  EXPECT_EQ(*table,
            "version              1\n"
            "counters announces  12\n"
            "snapshot_age_s       -\n");
}

TEST(Ctl, AnswersOfSomebodyElseMakeNoTable) {
  for (const char* json : {"", "x", "[]", "{}", R"({"swarms":1})", R"({"peers":{}})"}) {
    EXPECT_FALSE(table_of(CtlVerb::kSwarms, json)) << json;
    EXPECT_FALSE(table_of(CtlVerb::kPeers, json)) << json;
  }
  EXPECT_TRUE(table_of(CtlVerb::kSwarms, R"({"swarms":[1,null,"x",{"key":7}]})"));
  EXPECT_THAT(bar_of("{\"kind\":\"node\",\"address\":\"\\u001b[31m\"}"), HasSubstr("\\x1b"));
}

}  // namespace
}  // namespace peernet::tracker::server
