// Summaries and ratios, the file of a result, and how values are shown.
#include "bench/result.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "bench/console.hpp"

namespace peernet::bench {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(Summary, TheMedianOfAnEvenCountIsTheMeanOfTheMiddleTwo) {
  const Summary odd = summarize(std::vector<double>{5, 1, 3});
  EXPECT_EQ(odd.median, 3);
  EXPECT_EQ(odd.min, 1);
  EXPECT_EQ(odd.max, 5);
  EXPECT_EQ(odd.count, 3u);
  EXPECT_EQ(summarize(std::vector<double>{4, 1, 2, 100}).median, 3);
}

TEST(Summary, OfNothingIsNothing) {
  const Summary none = summarize({});
  EXPECT_EQ(none.count, 0u);
  EXPECT_EQ(none.median, 0);
}

TEST(Ratio, IsThatOfNeighboursNotOfMedians) {
  // The machine became ten times slower half way: each pair says 2.
  const std::vector<double> a{2, 2, 20, 20, 20}, b{1, 1, 10, 10, 10};
  EXPECT_EQ(ratio(a, b).median, 2);
  EXPECT_EQ(ratio(a, b).min, 2);
  EXPECT_EQ(ratio(a, b).max, 2);
}

TEST(Ratio, TheShorterDecidesAndZerosAreLeftOut) {
  EXPECT_EQ(ratio(std::vector<double>{3, 3, 9}, std::vector<double>{1, 0}).count, 1u);
  EXPECT_EQ(ratio(std::vector<double>{3}, std::vector<double>{}).count, 0u);
}

Row row() {
  Row out{.id = "sources-2", .label = "2 to 1", .group = "peernet", .parties = 2, .runs = {}, .timeline = {}};
  Run one;
  one.wall_seconds = 2;
  one.bytes = 2'000'000'000;
  one.source_cpu_seconds = 1;
  Run other;
  other.wall_seconds = 4;
  out.runs = {one, other};
  return out;
}

TEST(Row, WhatIsNotKnownIsNoValue) {
  EXPECT_THAT(row().walls(), ElementsAre(2, 4));
  EXPECT_THAT(row().cpu_seconds_per_gb(true, false), ElementsAre(0.5));
  EXPECT_THAT(row().cpu_seconds_per_gb(true, true), ElementsAre());
}

TEST(Result, HasTheFiguresOfWhatIsKnown) {
  Result result;
  result.add_costs(row());
  std::vector<std::string> ids;
  for (const Figure& figure : result.figures) ids.push_back(figure.id);
  EXPECT_THAT(ids, ElementsAre("sources-2.wall_seconds", "sources-2.source_cpu"));
  EXPECT_EQ(result.figures[0].value.median, 3);
}

TEST(Result, IsReadAsItWasWritten) {
  Result result{.mode = "speedup",
                .title = "t",
                .started = "2026-01-01T00:00:00Z",
                .command = {"peernet-bench"},
                .machine = {{"cores", 2}},
                .rows = {row()},
                .figures = {},
                .notes = {"n"}};
  result.rows[0].timeline = Timeline{.names = {"a", "b"}, .points = {{0.5, {1, 2}}}};
  result.add("id", "label", "x", Better::kMore, summarize(std::vector<double>{1.5}));
  const auto json = to_json(result);
  EXPECT_EQ(json["format"], "peernet-bench");
  EXPECT_EQ(json["version"], 1);
  EXPECT_EQ(json["rows"][0]["runs"][1], nlohmann::json({{"wall_seconds", 4.0}}));
  EXPECT_EQ(json["rows"][0]["timeline"]["points"], nlohmann::json::parse("[[0.5,[1,2]]]"));
  EXPECT_EQ(json["figures"][0]["better"], "more");
  const std::string path = testing::TempDir() + "peernet-bench-result.json";
  std::ofstream(path) << json;
  EXPECT_EQ(read_result(path).value(), json);
  std::ofstream(path) << R"({"format":"peernet-bench","version":2,"figures":[]})";
  EXPECT_THAT(read_result(path).error(), HasSubstr("another version"));
  std::ofstream(path) << "[]";
  EXPECT_THAT(read_result(path).error(), HasSubstr("is not a result"));
  std::ofstream(path) << "{";
  EXPECT_THAT(read_result(path).error(), HasSubstr("not JSON"));
  std::filesystem::remove(path);
  EXPECT_THAT(read_result(path).error(), HasSubstr("cannot be read"));
}

TEST(Console, TableAlignsTheFirstColumnLeftAndTheOthersRight) {
  Table table({"a", "wide"});
  table.row({"long", "1"});
  EXPECT_EQ(table.text(), "a     wide\nlong     1\n");
}

TEST(Console, ASummaryHasOneUnitThatOfItsMedianUnlessThatIsZero) {
  EXPECT_EQ(format_summary({.median = 1.5e6, .min = 0, .max = 2e9, .count = 3}, "B"), "1.50 (0..2000) MB");
  EXPECT_EQ(format_summary({.median = 0, .min = 0, .max = 872'744, .count = 3}, "B"), "0 (0..873) kB");
  EXPECT_EQ(format_summary({.median = 1.5, .min = 1.5, .max = 1.5, .count = 1}, "x"), "1.50x");
}

TEST(Console, SizesArePowersOfAThousandUnlessTheyAreRoundOtherwise) {
  EXPECT_EQ(format_size(200'000'000), "200 MB");
  EXPECT_EQ(format_size(1024), "1 KiB");
  EXPECT_EQ(format_size(4ULL << 30), "4 GiB");
  EXPECT_EQ(format_size(1500), "1.50 kB");
  EXPECT_EQ(format_size(0), "0 B");
}

}  // namespace
}  // namespace peernet::bench
