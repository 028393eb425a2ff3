// Programs that are started: what they cost, how they end, and that nothing of them stays.
#include "bench/process.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <filesystem>

#include "bench/mode.hpp"

namespace peernet::bench {
namespace {

using testing::HasSubstr;
using namespace std::chrono_literals;

TEST(Process, TellsHowItEnded) {
  for (const auto& [script, code] : {std::pair{"exit 0", 0}, {"exit 7", 7}, {"kill -9 $$", 137}}) {
    auto process = Process::start({.words = {"sh", "-c", script}});
    ASSERT_TRUE(process) << process.error();
    EXPECT_EQ(process->wait(60s).value().exit_code, code) << script;
  }
}

TEST(Process, CannotBeStartedWithoutAProgram) {
  const auto process = Process::start({.words = {"/nonexistent/program"}});
  ASSERT_FALSE(process);
  EXPECT_THAT(process.error(), HasSubstr("/nonexistent/program cannot be started"));
}

TEST(Process, CountsTheWorkOfWhatItStartsAndWaitsFor) {
  auto process = Process::start({.words = {"sh", "-c", "sh -c 'i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done'"}});
  ASSERT_TRUE(process);
  const auto end = process->wait(100s);
  ASSERT_TRUE(end);
  EXPECT_GT(end->cpu_seconds, 0.01);
  EXPECT_GT(end->wall_seconds, 0);
  EXPECT_GT(end->peak_memory_bytes, 100'000u);
}

TEST(Process, ThatDoesNotEndIsEndedWithItsGroup) {
  auto process = Process::start({.words = {"sh", "-c", "sleep 1000 & echo $!; wait"}, .capture = true});
  ASSERT_TRUE(process);
  char text[32] = {};
  ASSERT_GT(::read(process->output(), text, sizeof text - 1), 0);
  const auto end = process->wait(10ms);
  ASSERT_FALSE(end);
  EXPECT_THAT(end.error(), HasSubstr("no end within"));
  // It is not ours to wait for: it is gone when the system has buried it.
  const auto give_up = Clock::now() + 60s;
  const std::string exe = "/proc/" + std::string(text, std::string_view(text).find('\n')) + "/exe";
  std::error_code gone;
  while (!gone && Clock::now() < give_up) {
    const auto living = std::filesystem::read_symlink(exe, gone);
    ::usleep(1000);
  }
  EXPECT_TRUE(gone);
}

TEST(Process, OutputOfACommandThatFailsIsNothing) {
  EXPECT_EQ(output_of({"sh", "-c", "echo x"}), "x\n");
  EXPECT_EQ(output_of({"sh", "-c", "echo x; exit 1"}), "");
  EXPECT_EQ(output_of({"/nonexistent/program"}), "");
}

TEST(Scratch, GoesWithEverythingInIt) {
  std::string path;
  {
    auto scratch = Scratch::make(testing::TempDir(), 1);
    ASSERT_TRUE(scratch) << scratch.error();
    path = scratch->path();
    EXPECT_TRUE(write_random_file(scratch->folder("x") + "/file", 100));
    EXPECT_TRUE(std::filesystem::exists(path));
    Scratch moved = std::move(*scratch);
    EXPECT_TRUE(std::filesystem::exists(path));
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(Scratch, SaysWhyThereIsNoPlace) {
  EXPECT_THAT(Scratch::make("/nonexistent", 1).error(), HasSubstr("--dir names another place"));
  EXPECT_THAT(Scratch::make(testing::TempDir(), 1ULL << 62).error(), HasSubstr("are free"));
}

}  // namespace
}  // namespace peernet::bench
