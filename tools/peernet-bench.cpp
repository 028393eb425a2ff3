// Measures: the first word says what.
#include <array>
#include <cstdio>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "bench/crowd.hpp"
#include "bench/diff.hpp"
#include "bench/engines.hpp"
#include "bench/mode.hpp"
#include "bench/mode_parser.hpp"
#include "bench/page_mode.hpp"
#include "bench/rivals.hpp"
#include "bench/speedup.hpp"
#include "bench/tracker_mode.hpp"
#include "cli/arguments.hpp"
#include "tracker_load/jobs.hpp"

namespace {

using namespace peernet;

struct Mode {
  const char* name;
  int (*run)(std::span<const std::string> words);
  const char* help;
};

constexpr std::array kModes{
    Mode{"speedup", bench::run_speedup, "1 to 5 sources to one receiver: time, speed, CPU, memory"},
    Mode{"crowd", bench::run_crowd, "one source to several receivers at once, with HTTP beside it"},
    Mode{"rivals", bench::run_rivals, "the same transfer by peernet and by other programs"},
    Mode{"engines", bench::run_engines, "what each technique of peernet is worth, one changed at a time"},
    Mode{"tracker", bench::run_tracker, "what the tracker answers for a second of CPU time, and how fast"},
    Mode{"tracker-load", tracker_load::run, "load for any UDP tracker, and a check of all that it answers"},
    Mode{"diff", bench::run_diff, "compares two results of the same mode, BASE.json NEW.json, written with --json"},
    Mode{"page", bench::run_page, "an HTML page with charts, of a result written with --json"},
};

int complain(const std::string& sentence) {
  std::fprintf(stderr, "peernet-bench: %s Try \"peernet-bench --help\".\n", sentence.c_str());
  return bench::kUsage;
}

int help() {
  std::string out = R"(usage: peernet-bench MODE [OPTIONS]

Measures PeerNet on this machine, with real programs that move real files.

)";
  for (const Mode& mode : kModes) {
    std::string line = std::string("  peernet-bench ") + mode.name;
    if (line.size() > 25) out += std::exchange(line, "") + "\n";
    line.resize(27, ' ');
    out += line + mode.help + "\n";
  }
  out += "  peernet-bench MODE --help\n                           all options of a mode\n  peernet-bench --version\n";
  return std::fputs(out.c_str(), stdout) < 0;
}

int unknown(const std::string& word) {
  if (word.starts_with('-')) return complain("the mode comes first, not " + bench::in_quotes(word) + ".");
  std::vector<std::string> names;
  std::string all;
  for (const Mode& mode : kModes) {
    all += (names.empty() ? "" : ", ") + std::string(mode.name);
    names.emplace_back(mode.name);
  }
  const std::string_view meant = cli::closest(word, names);
  return complain("there is no mode " + bench::in_quotes(word) +
                  (meant.empty() ? "; there are " + all + "." : "; did you mean " + std::string(meant) + "?"));
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> words(argv + (argc > 0 ? 1 : 0), argv + argc);
  if (words.empty()) return complain("a mode is missing.");
  if (words[0] == "--version" || words[0] == "-V") return std::puts("peernet-bench " PEERNET_VERSION) < 0;
  if (words[0] == "help" && words.size() == 2) words = {words[1], "--help"};
  if (words[0] == "--help" || words[0] == "-h" || words[0] == "help") return help();
  for (const Mode& mode : kModes)
    if (words[0] == mode.name) return mode.run(std::span(words).subspan(1));
  return unknown(words[0]);
}
