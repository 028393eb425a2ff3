// What is taken from the report of the tracker's load.
#include "bench/tracker_mode.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace peernet::bench {
namespace {

using nlohmann::json;
using testing::HasSubstr;

json report() {
  const json phase{{"seconds", 2.0},
                   {"replies", 1000},
                   {"replies_per_s", 500.0},
                   {"invalid", 0},
                   {"first_invalid", ""},
                   {"first_error", ""},
                   {"latency_us", {{"p50", 100.0}, {"p99", 300.0}, {"max", 2000.0}}},
                   {"tracker", {{"cpu_us_per_reply", 5.0}, {"cpu_us_per_content", 0.2}, {"rss_kib", 1024}}},
                   {"counts", {{"sent", 1010}, {"lost", 10}}}};
  return {{"phases", {{"populate", phase}, {"run", phase}}}};
}

TEST(LoadReport, FiguresAreInSecondsAndBytes) {
  const auto sample = read_load_report(report().dump());
  ASSERT_TRUE(sample) << sample.error();
  EXPECT_DOUBLE_EQ(sample->replies_per_second, 500);
  EXPECT_DOUBLE_EQ(sample->replies_per_cpu_second, 200'000);
  EXPECT_DOUBLE_EQ(sample->contents_per_cpu_second, 5'000'000);
  EXPECT_DOUBLE_EQ(sample->p50_seconds, 1e-4);
  EXPECT_DOUBLE_EQ(sample->p99_seconds, 3e-4);
  EXPECT_DOUBLE_EQ(sample->longest_seconds, 2e-3);
  EXPECT_DOUBLE_EQ(sample->memory_bytes, 1 << 20);
  EXPECT_DOUBLE_EQ(sample->seconds, 2);
  EXPECT_NEAR(sample->lost, 0.0099, 0.0001);
}

TEST(LoadReport, WrongRepliesOfAnyPhaseAreNoMeasurement) {
  json wrong = report();
  wrong["phases"]["populate"]["invalid"] = 1;
  wrong["phases"]["populate"]["first_invalid"] = "the first: a peer of another swarm";
  EXPECT_THAT(read_load_report(wrong.dump()).error(), HasSubstr("a peer of another swarm"));
  wrong = report();
  wrong["phases"]["run"]["first_error"] = "full";
  EXPECT_THAT(read_load_report(wrong.dump()).error(), HasSubstr("\"full\""));
}

TEST(LoadReport, NoReplyNoCpuTimeAndOtherFormsAreRefused) {
  json bad = report();
  bad["phases"]["run"]["replies"] = 0;
  EXPECT_FALSE(read_load_report(bad.dump()));
  bad = report();
  bad["phases"]["run"]["tracker"]["cpu_us_per_reply"] = 0;
  EXPECT_FALSE(read_load_report(bad.dump()));
  bad = report();
  bad["phases"].erase("run");
  for (const std::string& text : {bad.dump(), std::string(), std::string("{"), std::string("[]")})
    EXPECT_THAT(read_load_report(text).error(), HasSubstr("cannot be read")) << text;
}

}  // namespace
}  // namespace peernet::bench
