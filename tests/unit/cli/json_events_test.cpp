#include "cli/json_events.hpp"

#include <gtest/gtest.h>

namespace peernet::cli {
namespace {

TEST(JsonEvents, AreOneObjectALineWithTheVersionFirst) {
  Event event{.kind = EventKind::kStart, .text = "data.bin", .number = 3, .bytes = 2'500'000};
  EXPECT_EQ(json_event(event, {}), R"({"v":1,"event":"start","name":"data.bin","bytes":2500000,"chunks":3,"files":0})");
}

TEST(JsonEvents, NamesFromPeersStayInsideTheirString) {
  Event event{.kind = EventKind::kStart, .text = "\"}\n\x1b[2J\xff\xe2\x80\xae\x7f"};
  const auto line = json_event(event, {});
  ASSERT_TRUE(line);
  EXPECT_EQ(line->find_first_of("\n\x1b"), std::string::npos);
  for (const char c : *line) EXPECT_GE(c, ' ');
  EXPECT_NE(line->find(R"(\"}\n\u001b[2J\ufffd\u202e)"), std::string::npos) << *line;
}

TEST(JsonEvents, TheLinkIsNeverAnEvent) {
  EXPECT_EQ(json_event({.kind = EventKind::kLink, .text = "peernet:..."}, {}), std::nullopt);
  EXPECT_EQ(json_event({.kind = EventKind::kNotice, .text = "something"}, {}), std::nullopt);
}

TEST(JsonEvents, TheEtaIsNullUntilItIsKnown) {
  Progress p;
  p.phase = Phase::kRunning;
  p.bytes_total = 1000;
  EXPECT_NE(json_progress(p, 0).find(R"("eta_seconds":null)"), std::string::npos);
  EXPECT_NE(json_progress(p, 100).find(R"("eta_seconds":10.0)"), std::string::npos) << json_progress(p, 100);
  p.bytes_done = 1000;
  EXPECT_NE(json_progress(p, 100).find(R"("eta_seconds":null)"), std::string::npos);
}

TEST(JsonEvents, ProgressTellsWhatEachSourceGave) {
  Progress p;
  EXPECT_NE(json_progress(p, 0).find(R"("by_source":[])"), std::string::npos);
  p.by_source = {{"10.0.0.1:4433", 7}, {"[::1]:4433", 0}};
  EXPECT_NE(
      json_progress(p, 0).find(R"("by_source":[{"peer":"10.0.0.1:4433","bytes":7},{"peer":"[::1]:4433","bytes":0}])"),
      std::string::npos)
      << json_progress(p, 0);
}

TEST(JsonEvents, AnErrorCarriesTheExitStatusAndTheName) {
  EXPECT_EQ(json_error(ErrorCode::kInterrupted, 143, "interrupted"),
            R"({"v":1,"event":"error","code":143,"kind":"interrupted","message":"interrupted"})");
}

}  // namespace
}  // namespace peernet::cli
