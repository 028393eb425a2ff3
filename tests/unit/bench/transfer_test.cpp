// What is made of the lines that a receiver prints.
#include "bench/transfer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace peernet::bench {
namespace {

using testing::ElementsAre;

std::string progress(const std::string& by_source) {
  return R"({"v":1,"event":"progress","by_source":[)" + by_source + "]}";
}

TEST(Timeline, ASourceThatJoinsLaterHasGivenNothingBefore) {
  const std::vector<StampedLine> lines{
      {0.01, R"({"v":1,"event":"start"})"},
      {0.02, progress(R"({"peer":"127.0.0.1:1","bytes":5})")},
      {0.03, progress(R"({"peer":"127.0.0.1:1","bytes":6},{"peer":"127.0.0.1:2","bytes":7})")},
  };
  const Timeline timeline = timeline_of(lines, std::vector<Place>(2));
  EXPECT_THAT(timeline.names, ElementsAre("source 1", "source 2"));
  ASSERT_EQ(timeline.points.size(), 2u);
  EXPECT_EQ(timeline.points[0].seconds, 0.02);
  EXPECT_THAT(timeline.points[0].bytes, ElementsAre(5, 0));
  EXPECT_THAT(timeline.points[1].bytes, ElementsAre(6, 7));
}

TEST(Timeline, SourcesOfALabHaveTheNamesOfTheirHosts) {
  const std::vector<Place> places{{.name = "far", .address = "10.77.1.2"}, {.name = "near", .address = "10.77.2.2"}};
  const std::vector<StampedLine> lines{
      {0.1, progress(R"({"peer":"10.77.2.2:9","bytes":1},{"peer":"10.77.9.9:9","bytes":1})")}};
  EXPECT_THAT(timeline_of(lines, places).names, ElementsAre("near", "source 2"));
}

TEST(Timeline, LinesThatAreNoEventsAreSkipped) {
  const std::vector<StampedLine> lines{{0.1, "{"}, {0.2, "[]"}, {0.3, "7"}, {0.4, R"({"event":"progress"})"}};
  EXPECT_TRUE(timeline_of(lines, {}).points.empty());
}

}  // namespace
}  // namespace peernet::bench
