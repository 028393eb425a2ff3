// Two results beside each other.
#include "bench/diff.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "bench/mode.hpp"

namespace peernet::bench {
namespace {

using nlohmann::json;
using testing::HasSubstr;

Result result(std::vector<Figure> figures) {
  Result out{.mode = "rivals",
             .title = "200 MB",
             .started = "2026-11-22T22:40:00Z",
             .command = {"peernet-bench", "rivals"},
             .machine = {{"cpu", "Fast"}, {"cores", 2}, {"memory_bytes", 1000}, {"kernel", "6.1"}},
             .versions = {{"peernet", "0.1.0"}},
             .noise = {{"noisy", false}},
             .settings = {{"size_bytes", 200}}};
  out.figures = std::move(figures);
  return out;
}

Figure time_of(double median, double min, double max, Better better = Better::kLess) {
  return {"peernet.wall_seconds", "peernet: time", "s", better, {median, min, max, 5}};
}

Comparison compared(Figure base, Figure now) {
  return compare(to_json(result({std::move(base)})), to_json(result({std::move(now)}))).value();
}

TEST(Diff, RangesApartAreBetterOrWorse) {
  const auto slower = compared(time_of(1, 0.9, 1.1), time_of(1.3, 1.2, 1.4));
  ASSERT_EQ(slower.changes.size(), 1U);
  EXPECT_EQ(slower.changes[0].verdict, Verdict::kWorse);
  EXPECT_NEAR(slower.changes[0].share, 0.3, 1e-9);
  EXPECT_EQ(compared(time_of(1.3, 1.2, 1.4), time_of(1, 0.9, 1.1)).changes[0].verdict, Verdict::kBetter);
  const auto more = Better::kMore;
  EXPECT_EQ(compared(time_of(1, 0.9, 1.1, more), time_of(1.3, 1.2, 1.4, more)).changes[0].verdict, Verdict::kBetter);
  EXPECT_EQ(compared(time_of(1.3, 1.2, 1.4, more), time_of(1, 0.9, 1.1, more)).changes[0].verdict, Verdict::kWorse);
}

TEST(Diff, RangesThatOverlapAreNoiseHoweverFarTheMedians) {
  const auto noisy = compared(time_of(1, 0.5, 3), time_of(2.9, 2.5, 4));
  EXPECT_EQ(noisy.changes[0].verdict, Verdict::kWithinNoise);
  EXPECT_TRUE(noisy.worse_than(0).empty());
}

TEST(Diff, AFigureWithoutADirectionOrAZeroIsNotCompared) {
  EXPECT_EQ(compared(time_of(1, 1, 1, Better::kNone), time_of(2, 2, 2, Better::kNone)).changes[0].verdict,
            Verdict::kNotCompared);
  const auto from_zero = compared(time_of(0, 0, 0), time_of(2, 2, 2));
  EXPECT_EQ(from_zero.changes[0].verdict, Verdict::kNotCompared);
  EXPECT_THAT(to_text(from_zero), testing::Not(HasSubstr("inf")));
}

TEST(Diff, TheLimitIsAShareOfTheBase) {
  const auto slower = compared(time_of(1, 0.99, 1.01), time_of(1.06, 1.05, 1.07));
  EXPECT_EQ(slower.worse_than(0.05).size(), 1U);
  EXPECT_TRUE(slower.worse_than(0.07).empty());
  const auto less =
      compared(time_of(1, 0.99, 1.01, Better::kMore), time_of(0.94, 0.93, 0.95, Better::kMore)).worse_than(0.05);
  EXPECT_EQ(less.size(), 1U);
}

TEST(Diff, FiguresOfOneSideAreShownAndNeverFail) {
  const auto both = compared(time_of(1, 1, 1), {"other.wall_seconds", "other: time", "s", Better::kLess, {2, 2, 2, 1}});
  ASSERT_EQ(both.changes.size(), 2U);
  EXPECT_EQ(both.changes[0].verdict, Verdict::kNew);
  EXPECT_EQ(both.changes[1].verdict, Verdict::kGone);
  EXPECT_THAT(to_text(both), HasSubstr("only in base"));
  EXPECT_TRUE(both.worse_than(0).empty());
}

TEST(Diff, AnotherMachineOtherSettingsAndNoiseAreWarnings) {
  Result other = result({time_of(1, 1, 1)});
  other.machine["cpu"] = "Slow\x1b[31m";
  other.machine["kernel"] = "6.18";
  other.machine["memory_bytes"] = 1010;
  other.settings["size_bytes"] = 100;
  other.versions["nginx"] = "1.22";
  other.noise["noisy"] = true;
  const auto different = compare(to_json(result({time_of(1, 1, 1)})), to_json(other)).value();
  EXPECT_THAT(different.warnings, testing::ElementsAre(HasSubstr("ANOTHER MACHINE: cpu: Fast, now Slow"),
                                                       "OTHER SETTINGS: size_bytes: 200, now 100",
                                                       "the machine was noisy during the new result"));
  EXPECT_THAT(different.remarks, testing::ElementsAre("kernel: 6.1, now 6.18", "nginx: none, now 1.22"));
  EXPECT_THAT(to_text(different), testing::Not(HasSubstr("\x1b")));
}

TEST(Diff, OtherModesAndDamagedResultsAreRefused) {
  Result other = result({});
  other.mode = "speedup";
  EXPECT_FALSE(compare(to_json(result({})), to_json(other)));
  json damaged = to_json(result({time_of(1, 1, 1)}));
  damaged["figures"][0]["median"] = "fast";
  const auto refused = compare(to_json(result({})), damaged);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error(), HasSubstr("damaged"));
}

class DiffFiles : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "diff-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string file(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ + "/" + name) << text;
    return folder_ + "/" + name;
  }
  std::string folder_;
};

TEST_F(DiffFiles, TheExitCodeTellsWhetherALimitIsExceeded) {
  const std::string base = file("base", to_json(result({time_of(1, 0.9, 1.1)})).dump());
  const std::string now = file("now", to_json(result({time_of(1.3, 1.2, 1.4)})).dump());
  const std::string other = file("other", "{}");
  const auto run = [](std::vector<std::string> words) { return run_diff(words); };
  EXPECT_EQ(run({base, now}), kOk);
  EXPECT_EQ(run({base, now, "--fail-over", "5%"}), kSlower);
  EXPECT_EQ(run({base, now, "--fail-over", "31"}), kOk);
  EXPECT_EQ(run({now, base, "--fail-over", "5%"}), kOk);
  EXPECT_EQ(run({base}), kUsage);
  EXPECT_EQ(run({base, now, "--fail-over", "much"}), kUsage);
  EXPECT_EQ(run({base, other}), kFailed);
  EXPECT_EQ(run({base, folder_ + "/none"}), kFailed);
}

}  // namespace
}  // namespace peernet::bench
