// Measures: the first word says what.
#include <cstdio>
#include <span>
#include <string>
#include <vector>

#include "bench/diff.hpp"
#include "bench/page_mode.hpp"
#include "bench/rivals.hpp"
#include "cli/printable.hpp"
#include "tracker_load/jobs.hpp"

namespace {

constexpr const char* kHelp = R"(usage: peernet-bench MODE [OPTIONS]

  peernet-bench rivals     the same transfer by peernet and by other programs
  peernet-bench tracker-load
                           load for a UDP tracker, and a check of all that it answers
  peernet-bench diff BASE.json NEW.json
                           compares two results of the same mode, written with --json
  peernet-bench page       an HTML page with charts, of a result written with --json
  peernet-bench MODE --help
                           all options of a mode
  peernet-bench --version
)";

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + (argc > 0 ? 1 : 0), argv + argc);
  if (!words.empty() && words[0] == "tracker-load") return peernet::tracker_load::run(std::span(words).subspan(1));
  if (!words.empty() && words[0] == "rivals") return peernet::bench::run_rivals(std::span(words).subspan(1));
  if (!words.empty() && words[0] == "diff") return peernet::bench::run_diff(std::span(words).subspan(1));
  if (!words.empty() && words[0] == "page") return peernet::bench::run_page(std::span(words).subspan(1));
  if (!words.empty() && (words[0] == "--version" || words[0] == "-V"))
    return std::puts("peernet-bench " PEERNET_VERSION) < 0;
  if (!words.empty() && (words[0] == "--help" || words[0] == "-h" || words[0] == "help"))
    return std::fputs(kHelp, stdout) < 0;
  const std::string what =
      words.empty() ? "a mode is missing" : "there is no mode \"" + peernet::cli::printable(words[0]) + "\"";
  std::fprintf(stderr, "peernet-bench: %s. Try \"peernet-bench --help\".\n", what.c_str());
  return peernet::tracker_load::kUsage;
}
