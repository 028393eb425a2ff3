#include "bench/page.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>
#include <string>

namespace peernet::bench {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;

json sample() {
  return {{"format", "peernet-bench"},
          {"version", 1},
          {"mode", "speedup"},
          {"title", "2 sources to one receiver"},
          {"started", "2026-11-22T22:40:00Z"},
          {"command", {"peernet-bench", "speedup", "--html", "it's mine.html"}},
          {"machine", {{"cpu", "a processor"}, {"cores", 2}, {"memory_bytes", 1073741824u}, {"kernel", "6.1"}}},
          {"versions", {{"peernet", "0.1.0"}}},
          {"noise", {{"load_before", 0.4}, {"others_cores", 0.02}, {"steal_cores", 0.0}, {"noisy", false}}},
          {"settings",
           {{"size_bytes", 200000000u}, {"max_datagram", 1500}, {"files", {{"count", 10}, {"size_bytes", 4096u}}}}},
          {"rows", json::array()},
          {"figures",
           {{{"id", "sources-2.wall_seconds"},
             {"label", "2 to 1: time"},
             {"unit", "s"},
             {"better", "less"},
             {"median", 0.156},
             {"min", 0.132},
             {"max", 0.162},
             {"count", 5}},
            {{"id", "sources-2.ratio"}, {"label", "peernet / 2 to 1"}, {"unit", "x"}, {"median", 0.5}, {"count", 9}}}},
          {"notes", {"one note"}}};
}

// The part that a person reads without the charts' script.
std::string body_of(const std::string& page) {
  const auto from = page.find("<body>"), to = page.find("<script", from);
  return page.substr(from, to == std::string::npos ? to : to - from);
}

TEST(Page, SaysEverythingAResultHolds) {
  const std::string body = body_of(page_of(sample()));
  for (const char* const text :
       {"2 sources to one receiver", "2026-11-22 22:40 UTC", "a processor, 2 cores, kernel 6.1", "2 to 1", "156 ms",
        "132..162", "less is better", "peernet / it", "0.500x", "median of 5 to 9 runs", "one note", "200 MB",
        "max datagram", "count 10, size 4 KiB", "1 GiB", "0.1.0",
        "peernet-bench speedup --html &#39;it&#39;\\&#39;&#39;s mine.html&#39;"})
    EXPECT_THAT(body, HasSubstr(text));
}

TEST(Page, WarnsOfANoisyMachineOnlyThen) {
  json result = sample();
  EXPECT_THAT(body_of(page_of(result)), Not(HasSubstr("The machine was not quiet")));
  result["noise"]["noisy"] = true;
  EXPECT_THAT(body_of(page_of(result)), HasSubstr("The machine was not quiet"));
}

TEST(Page, SaysWhenTheBuildHasNoCharts) {
  const std::string page = page_of(sample());
  if (page_has_charts()) {
    EXPECT_THAT(page, HasSubstr("id=\"charts\""));
    EXPECT_THAT(page, HasSubstr("id=\"result\""));
    EXPECT_THAT(page, HasSubstr("script-src 'sha256-"));
    EXPECT_THAT(page, HasSubstr("Permission to use, copy, modify"));  // the licence of what draws
    EXPECT_THAT(page, Not(HasSubstr("Charts were left out")));
  } else {
    EXPECT_THAT(page, HasSubstr("Charts were left out of this build"));
    EXPECT_THAT(page, HasSubstr("script-src 'none'"));
    EXPECT_THAT(page, Not(HasSubstr("<script")));
  }
}

TEST(Page, KeepsEveryNameText) {
  const std::string evil = "</script><b onclick='x'>\"&<!--\xe2\x80\xae\x1b[1m\xff";
  json result = sample();
  for (const char* const key : {"title", "mode", "started"}) result[key] = evil;
  result["notes"] = result["command"] = json::array({evil});
  result["settings"] = result["versions"] = result["noise"] = {{evil, evil}};
  result["machine"] = {{"cpu", evil}, {"os", evil}, {"kernel", evil}};
  result["figures"][0]["label"] = result["figures"][0]["unit"] = result["figures"][0]["better"] = evil;
  result["rows"] = json::array({{{"id", evil}, {"label", evil}, {"runs", json::array()}}});
  const std::string page = page_of(result);
  EXPECT_THAT(page, Not(HasSubstr("<b ")));
  EXPECT_THAT(page, Not(HasSubstr("<!--")));
  EXPECT_THAT(page, Not(HasSubstr("\xe2\x80\xae")));
  EXPECT_THAT(page, Not(HasSubstr("\x1b")));
  EXPECT_THAT(page, Not(HasSubstr("\xff")));
  // The data holds the same words, and none of the characters that could end its element.
  const auto from = page.find("id=\"result\">");
  if (!page_has_charts()) return;
  ASSERT_NE(from, std::string::npos);
  const std::string data = page.substr(from + 12, page.find("</script>", from) - from - 12);
  EXPECT_THAT(data, Not(HasSubstr("<")));
  EXPECT_EQ(json::parse(data)["rows"][0]["label"], "</script><b onclick='x'>\"&<!--\\xe2\\x80\\xae\\x1b[1m\\xff");
}

TEST(Page, LeavesOutWhatIsMissingOrHasAnotherType) {
  EXPECT_THAT(page_of(json::object()), HasSubstr("</html>"));
  EXPECT_THAT(page_of(json()), HasSubstr("</html>"));
  EXPECT_THAT(page_of(json::array({1, 2})), HasSubstr("</html>"));
  const json all = sample();
  for (const auto& [key, value] : all.items()) {
    for (const json& other : {json(), json(7), json("word"), json::array({json(), 1, "x", json::object()}),
                              json{{"median", "x"}, {"noisy", 3}}}) {
      json result = all;
      result[key] = other;
      EXPECT_THAT(page_of(result), HasSubstr("</html>")) << key << " " << other;
    }
  }
}

TEST(Page, TakesNumbersOfAnySize) {
  json result = sample();
  for (const double value : {0.0, -1.0, 1e300, std::numeric_limits<double>::quiet_NaN()}) {
    for (const char* const key : {"median", "min", "max", "count"}) result["figures"][0][key] = value;
    result["machine"]["cores"] = value;
    EXPECT_THAT(page_of(result), HasSubstr("</html>"));
  }
}

}  // namespace
}  // namespace peernet::bench
