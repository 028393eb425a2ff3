// A GoogleTest program that goes wrong on request: runner_test.py runs it to see that tools/dev/run_tests.py notices.
#include <gtest/gtest.h>

#include <cstdlib>
#include <string_view>

namespace {

bool asked(std::string_view what) {
  const char* mode = std::getenv("SAMPLE_MODE");
  return mode != nullptr && mode == what;
}

TEST(Sample, Passes) { EXPECT_TRUE(true); }

TEST(Sample, FailsOnRequest) { EXPECT_FALSE(asked("fail")) << "planted failure"; }

TEST(Sample, SkipsOnRequest) {
  if (asked("skip")) GTEST_SKIP() << "planted reason";
}

TEST(Sample, CrashesOnRequest) {
  if (asked("crash")) std::abort();
}

TEST(Sample, HangsOnRequest) {
  while (asked("hang")) {
  }
}

TEST(Sample, LeavesOnRequest) {
  if (asked("leave")) std::_Exit(0);
}

class SampleParam : public testing::TestWithParam<int> {};
TEST_P(SampleParam, TakesParameters) { EXPECT_LT(GetParam(), asked("param") ? 2 : 3); }
INSTANTIATE_TEST_SUITE_P(All, SampleParam, testing::Values(1, 2));

}  // namespace

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  const bool listing = testing::GTEST_FLAG(list_tests);
  if (asked("empty") && !listing) testing::GTEST_FLAG(filter) = "Nothing.*";
  const int status = RUN_ALL_TESTS();
  return asked("exit") && !listing ? 3 : status;
}
