#include "engines.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <utility>
#include <vector>

#include "console.hpp"
#include "content.hpp"
#include "contest.hpp"
#include "machine.hpp"
#include "mode.hpp"
#include "mode_parser.hpp"
#include "rival_tools.hpp"

namespace peernet::bench {
namespace {

using Words = std::vector<std::string>;

constexpr const char* kMode = "engines";
constexpr unsigned kMostShards = 8;  // that peernet takes
constexpr const char* kHelp = R"(usage: peernet-bench engines [OPTIONS]

What each technique is worth: peernet as it is by default (but --sync none) beside the same with one thing changed, on
this host's loopback, each run of a change next to one of the default. Cases that this host cannot run are left out.

  epoll        epoll instead of io_uring, on both sides
  no-offload   without GSO and GRO, on both sides
  shards-N     N threads a side instead of one a core
  openssl      AES-GCM by OpenSSL instead of ipsec-mb, on both sides
  buffered     received chunks are written through the page cache instead of with O_DIRECT
  sha256       every chunk's SHA-256 is checked, too, not only its XXH3
  synced       on disk when get ends

      --size BYTES         of the file (default 200M)
      --runs N             counted runs, after one that warms caches (default 5)
      --cases A,B          only these
      --json FILE          the result for programs, and for peernet-bench diff
      --html FILE          the result as a page
      --dir DIR            where files are made (default /var/tmp): its file system is what is measured
      --peernet FILE       the program (default: beside this one)
      --keeper GIB         free memory to keep backed by the host of a virtual machine (default 4); 0: none
  -q, --quiet              no progress
  -h, --help               this text
)";

struct Technique {
  std::string id, label;
  Words share, get;     ///< options of each side
  bool synced = false;  ///< get brings it to disk
  Words needs;          ///< what the default does there, asked for by name: must work
};

unsigned cores() {
  return static_cast<unsigned>(std::max(1L, ::sysconf(_SC_NPROCESSORS_ONLN)));
}

std::vector<Technique> techniques() {
  const auto both = [](std::string id, std::string label, const Words& words, Words needs) {
    return Technique{std::move(id), std::move(label), words, words, false, std::move(needs)};
  };
  std::vector<Technique> all{both("epoll", "epoll, not io_uring", {"--io", "epoll"}, {"--io", "uring"}),
                             both("no-offload", "without GSO and GRO", {"--offload", "off"}, {})};
  const unsigned most = std::min(cores(), kMostShards);
  for (unsigned shards = 1; shards < most; ++shards)
    all.push_back(both(fmt::format("shards-{}", shards),
                       fmt::format("{} shard{}, not {}", shards, shards == 1 ? "" : "s", most),
                       {"--shards", std::to_string(shards)}, {}));
  all.push_back(both("openssl", "OpenSSL, not ipsec-mb", {"--aead", "openssl"}, {"--aead", "ipsec-mb"}));
  all.push_back({"buffered", "buffered writes", {}, {"--direct", "off"}, false, {}});
  all.push_back({"sha256", "SHA-256 checked, too", {}, {"--verify", "sha256"}, false, {}});
  all.push_back({"synced", "synced to disk", {}, {}, true, {}});
  return all;
}

Contestant contestant(const Technique& technique) {
  Words get = technique.get;
  if (!technique.synced) get.insert(get.end(), {"--sync", "none"});
  return {.id = technique.id,
          .label = technique.label,
          .group = "peernet",
          .prepare = peernet_transfer(technique.share, get)};
}

// Whether `peernet share` takes these options here; else its words.
Outcome<bool> works(const Job& job, const Words& options, Scratch& scratch) {
  Stage stage(job, scratch.folder("probe"));
  if (const auto ready = peernet_transfer(options, {})(stage); !ready) return std::unexpected(ready.error());
  return true;
}

struct Options {
  CommonOptions common;
  std::vector<std::string> cases;
};

std::vector<Contestant> field(const Options& options, Content& content, Result& result) {
  std::vector<Contestant> out;
  for (const Technique& technique : techniques()) {
    if (!options.cases.empty() && std::ranges::find(options.cases, technique.id) == options.cases.end()) continue;
    const auto can = technique.needs.empty() ? true : works(content.job, technique.needs, content.scratch);
    if (can)
      out.push_back(contestant(technique));
    else
      result.notes.push_back(
          fmt::format("left out: {}, which is what the default is here, too: {}", technique.id, can.error()));
  }
  if (cores() == 1) result.notes.emplace_back("left out: shards; this host has one core");
  return out;
}

// Its row and figures; the line of the table.
std::vector<std::string> add(Result& result, const Row& row, const Row* base) {
  result.rows.push_back(row);
  result.add_costs(row);
  std::vector<std::string> cells{row.label, format_summary(summarize(row.walls()), "s"),
                                 format_value(summarize(row.cpu_seconds_per_gb(true, false)).median, "s/GB"),
                                 format_value(summarize(row.cpu_seconds_per_gb(false, true)).median, "s/GB")};
  if (base == nullptr) {
    cells.insert(cells.end(), {"", ""});
    return cells;
  }
  const Summary wall = ratio(row.walls(), base->walls()),
                cpu = ratio(row.cpu_seconds_per_gb(true, true), base->cpu_seconds_per_gb(true, true));
  result.add(row.id + ".ratio", row.label + ": time / default", "x", Better::kNone, wall);
  result.add(row.id + ".cpu_ratio", row.label + ": CPU of both sides / default", "x", Better::kNone, cpu);
  cells.insert(cells.end(), {format_summary(wall, "x"), format_summary(cpu, "x")});
  return cells;
}

int run(const Options& options, std::span<const std::string> words) {
  const auto peernet = find_peernet(options.common);
  if (!peernet) return complain(kMode, peernet.error());
  auto content = make_content(options.common, {}, *peernet);
  if (!content) return interrupted() ? kInterrupted : complain(kMode, content.error());
  Result result = begin_result(kMode, words, options.common, *content);
  result.title = fmt::format("{} with one technique changed at a time, loopback, {}", describe(content->job, {}),
                             content->file_system);
  result.versions["peernet"] = version_said({*peernet, "--version"});
  Progress progress(options.common.quiet);
  progress.say("keeping memory backed");
  const MemoryKeeper keeper(keeper_gib_for(options.common, content->job.bytes));
  const std::vector<Contestant> others = field(options, *content, result);
  const Contestant base = contestant({"default", "default", {}, {}, false, {}});
  const NoiseMeter noise;
  const auto contest = hold_contest(content->job, base, others, options.common.runs, content->scratch, progress);
  progress.clear();
  if (interrupted()) return complain(kMode, "interrupted", kInterrupted);
  if (!contest) return complain(kMode, contest.error());
  result.noise = noise.verdict();
  Table table({"case", "time (min..max)", "CPU, source", "CPU, receiver", "time / default", "CPU / default"});
  table.row(add(result, contest->base, nullptr));
  for (const Entry& entry : contest->others) {
    if (entry.failure.empty())
      table.row(add(result, entry.row, &entry.base));
    else
      result.notes.push_back("given up: " + entry.failure);
  }
  fmt::print("{}\n\n{}", result.title, table.text());
  return finish(result, options.common);
}

}  // namespace

int run_engines(std::span<const std::string> words) {
  Options options;
  std::vector<std::string> known;
  for (const Technique& technique : techniques()) known.push_back(technique.id);
  ModeParser parser(kMode);
  add_common(parser, options.common);
  parser.names("--cases", options.cases, known);
  const auto parsed = parser.parse(words);
  if (!parsed) return complain(kMode, parsed.error(), kUsage);
  if (!*parsed) return std::fputs(kHelp, stdout) < 0;
  prepare_environment();
  catch_signals();
  return run(options, words);
}

}  // namespace peernet::bench
