#include "rivals.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <optional>
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

constexpr const char* kMode = "rivals";
constexpr const char* kHelp = R"(usage: peernet-bench rivals [OPTIONS]

The same transfer by peernet and by other programs, whatever of them is installed, all on this host's loopback. Each run
of another program follows one of peernet, and the ratio is that of such neighbours: the speed of a machine drifts. The
clock runs from the start of the receiving command to its end; sources are ready before. Every result is compared with
what was sent, outside the clock. peernet encrypts and verifies; --list tells what the others do.

      --size BYTES         of the file (default 200M)
      --files N,SIZE       a folder of N files instead: 10000,4KiB. Made in /dev/shm unless --dir names another place
      --runs N             counted runs, after one that warms caches (default 5)
      --tools A,B          only these
      --against FILE       another build of peernet, as one more of the others
      --list               which there are, what they do and what is installed
      --durable            results are on disk when the clock stops: peernet as it is by default, the others followed by
                           sync; without it nobody syncs (peernet: --sync none)
      --hash               instead: the time of peernet share to its link, beside programs that compute a SHA-256
      --json FILE          the result for programs, and for peernet-bench diff
      --html FILE          the result as a page
      --dir DIR            where files are made (default /var/tmp): its file system is what is measured
      --peernet FILE       the program (default: beside this one)
      --keeper GIB         free memory to keep backed by the host of a virtual machine (default 4); 0: none
  -q, --quiet              no progress
  -h, --help               this text

peernet-bench rivals --size 4GiB --dir /dev/shm --runs 3
peernet-bench rivals --size 1KiB                        how long the least takes
)";

struct Options {
  CommonOptions common;
  std::vector<std::string> tools;
  std::string against;
  FileCount files;
  bool list = false, durable = false, hash = false;
};

void print_list(const std::string& peernet) {
  Table table({"tool", "how", "verifies", "encrypts", "installed"});
  table.row({"peernet", "share and get", "XXH3, GCM", "AES-GCM",
             peernet.empty() ? "no" : version_said({peernet, "--version"})});
  for (const Rival& rival : rivals()) {
    const bool there = missing_for(rival).empty();
    table.row({rival.name, rival.how, rival.verifies, rival.encrypts,
               there ? version_of(rival) : "no; Debian: " + rival.packages});
  }
  fmt::print("{}", table.text());
}

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : ", ") + word;
  return out;
}

// Those to be run, in the order of the table; what was asked for and cannot be run is an error, the rest a note.
Outcome<std::vector<const Rival*>> chosen(const Options& options, std::vector<std::string>& notes) {
  std::vector<const Rival*> out;
  std::vector<std::string> absent;
  for (const Rival& rival : rivals()) {
    const bool named = std::ranges::find(options.tools, rival.name) != options.tools.end();
    if (!options.tools.empty() && !named) continue;
    if (options.files.count > 0 && !rival.folders) {
      if (named) return std::unexpected(rival.name + " moves no folders; leave it or --files out");
      continue;
    }
    if (const auto missing = missing_for(rival); missing.empty())
      out.push_back(&rival);
    else if (named)
      return std::unexpected(
          fmt::format("{} needs what is not installed: {} (Debian: {})", rival.name, joined(missing), rival.packages));
    else
      absent.push_back(fmt::format("{} (Debian: {})", rival.name, rival.packages));
  }
  if (!absent.empty()) notes.push_back("not installed: " + joined(absent));
  return out;
}

struct Field {
  Contestant base;
  std::vector<Contestant> others;
};

Field transfers(const Options& options, const std::vector<const Rival*>& those, const std::string& against) {
  const std::vector<std::string> get =
      options.durable ? std::vector<std::string>{} : std::vector<std::string>{"--sync", "none"};
  Field field{{.id = "peernet", .label = "peernet", .group = "peernet", .prepare = peernet_transfer({}, get)}, {}};
  field.base.syncs_itself = true;
  if (!against.empty())
    field.others.push_back({.id = "against",
                            .label = "peernet --against",
                            .group = "rivals",
                            .prepare = peernet_transfer({}, get, against),
                            .syncs_itself = true});
  for (const Rival* rival : those)
    field.others.push_back({.id = rival->name, .label = rival->name, .group = "rivals", .prepare = rival->prepare});
  return field;
}

// Nobody receives: the commands only read the source.
Field hashes() {
  const auto only = [](const std::vector<std::string>& words) -> Prepare {
    return [=](Stage& stage) -> Outcome<std::vector<std::string>> {
      stage.result.clear();
      std::vector<std::string> command = words;
      command.push_back(stage.job().source);
      return command;
    };
  };
  Field field;
  field.base = {.id = "peernet", .label = "peernet share, to its link", .group = "peernet", .until_line = true};
  field.base.prepare = [](Stage& stage) -> Outcome<std::vector<std::string>> {
    stage.result.clear();
    const Job& job = stage.job();
    return std::vector<std::string>{job.peernet,   "share", job.source, "--listen",
                                    "127.0.0.1:0", "-q",    "--state",  job.lasting + "/share-state"};
  };
  if (is_installed("openssl"))
    field.others.push_back({.id = "openssl",
                            .label = "openssl dgst -sha256",
                            .group = "rivals",
                            .prepare = only({"openssl", "dgst", "-sha256"})});
  field.others.push_back({.id = "sha256sum", .label = "sha256sum", .group = "rivals", .prepare = only({"sha256sum"})});
  return field;
}

// The largest of one process, on either side.
std::string memory_text(const Row& row) {
  std::uint64_t most = 0;
  for (const Run& run : row.runs)
    most = std::max({most, run.source_memory_bytes.value_or(0), run.receiver_memory_bytes.value_or(0)});
  return most == 0 ? "-" : format_value(static_cast<double>(most), "B");
}

// Rows, figures, and the lines of the table.
class Report {
 public:
  Report(Result& result, bool transfer) : result_(result), transfer_(transfer) {}

  void add(const Row& row, const std::string& verifies, const std::string& encrypts, const Row* base) {
    const Summary wall = summarize(row.walls()),
                  cpu = summarize(row.cpu_seconds_per_gb(row.id != "cp" && transfer_, true));
    const Summary ratio_of = base == nullptr ? Summary{} : ratio(base->walls(), row.walls());
    const double bytes = row.runs.empty() ? 0 : static_cast<double>(row.runs.front().bytes.value_or(0));
    if (transfer_)
      result_.add_costs(row);
    else
      result_.add(row.id + ".wall_seconds", row.label + ": time", "s", Better::kLess, wall);
    if (base != nullptr) result_.add(row.id + ".ratio", "peernet / " + row.label, "x", Better::kLess, ratio_of);
    std::vector<std::string> cells{row.label, format_summary(wall, "s"), format_value(bytes / wall.median, "B/s"),
                                   format_value(cpu.median, "s/GB")};
    if (transfer_) cells.insert(cells.end(), {memory_text(row), verifies, encrypts});
    cells.push_back(base == nullptr ? "" : format_summary(ratio_of, "x"));
    lines_.push_back(std::move(cells));
    result_.rows.push_back(row);
  }
  std::string table() const {
    std::vector<std::string> head{"tool", "time (min..max)", "speed", "CPU"};
    if (transfer_) head.insert(head.end(), {"memory", "verifies", "encrypts"});
    head.emplace_back("peernet / it");
    Table table(std::move(head));
    for (const auto& line : lines_) table.row(line);
    return table.text();
  }

 private:
  Result& result_;
  bool transfer_;
  std::vector<std::vector<std::string>> lines_;
};

void report(Result& result, Report& into, const Contest& contest) {
  const std::string name = contest.base.id;
  into.add(contest.base, "XXH3, GCM", "AES-GCM", nullptr);
  for (const Entry& entry : contest.others) {
    const auto rival = std::ranges::find(rivals(), entry.row.id, &Rival::name);
    const bool known = rival != rivals().end();
    if (entry.failure.empty())
      into.add(entry.row, known ? rival->verifies : "", known ? rival->encrypts : "", &entry.base);
    else
      result.notes.push_back("given up: " + entry.failure);
  }
}

std::string title(const Options& options, const Content& content, std::size_t others) {
  const std::string what = describe(content.job, options.files);
  if (options.hash) return fmt::format("{}: time of share to its link, and of a SHA-256", what);
  return fmt::format("{} by peernet and {} other tool{}, loopback, {}{}", what, others, others == 1 ? "" : "s",
                     content.file_system, options.durable ? ", on disk when the clock stops" : "");
}

int run(const Options& options, std::span<const std::string> words) {
  std::vector<std::string> notes;
  const auto peernet = find_peernet(options.common);
  if (!peernet) return complain(kMode, peernet.error());
  const auto those = options.hash ? std::vector<const Rival*>{} : chosen(options, notes);
  if (!those) return complain(kMode, those.error(), kUsage);
  CommonOptions other = options.common;
  other.peernet = options.against;
  const auto against = options.against.empty() ? Outcome<std::string>(std::string()) : find_peernet(other);
  if (!against) return complain(kMode, against.error());
  auto content = make_content(options.common, options.files, *peernet);
  if (!content) return interrupted() ? kInterrupted : complain(kMode, content.error());
  content->job.durable = options.durable;
  Result result = begin_result(kMode, words, options.common, *content);
  result.notes = std::move(notes);
  result.versions["peernet"] = version_said({*peernet, "--version"});
  if (!against->empty()) result.versions["against"] = version_said({*against, "--version"});
  for (const Rival* rival : *those) result.versions[rival->name] = version_of(*rival);
  if (options.files.count > 0)
    result.settings["files"] = {{"count", options.files.count}, {"size_bytes", options.files.bytes}};

  Field field = options.hash ? hashes() : transfers(options, *those, *against);
  result.title = title(options, *content, field.others.size());
  Progress progress(options.common.quiet);
  progress.say("keeping memory backed");
  const MemoryKeeper keeper(keeper_gib_for(options.common, content->job.bytes));
  const NoiseMeter noise;
  const auto contest =
      hold_contest(content->job, field.base, field.others, options.common.runs, content->scratch, progress);
  progress.clear();
  if (interrupted()) return complain(kMode, "interrupted", kInterrupted);
  if (!contest) return complain(kMode, contest.error());
  result.noise = noise.verdict();
  Report into(result, !options.hash);
  report(result, into, *contest);
  fmt::print("{}\n\n{}", result.title, into.table());
  return finish(result, options.common);
}

}  // namespace

int run_rivals(std::span<const std::string> words) {
  Options options;
  std::vector<std::string> known{"peernet"};
  for (const Rival& rival : rivals()) known.push_back(rival.name);
  ModeParser parser(kMode);
  add_common(parser, options.common);
  parser.names("--tools", options.tools, known);
  parser.word("--files", file_count_word(options.files));
  parser.text("--against", options.against);
  parser.flag("--list", options.list);
  parser.flag("--durable", options.durable);
  parser.flag("--hash", options.hash);
  const auto parsed = parser.parse(words);
  if (!parsed) return complain(kMode, parsed.error(), kUsage);
  if (!*parsed) return std::fputs(kHelp, stdout) < 0;
  if (options.hash &&
      (options.files.count > 0 || options.durable || !options.tools.empty() || !options.against.empty()))
    return complain(kMode, "--hash reads one file and writes none: leave --files, --durable, --tools and --against out",
                    kUsage);
  prepare_environment();
  if (options.list) {
    print_list(find_peernet(options.common).value_or(""));
    return kOk;
  }
  catch_signals();
  return run(options, words);
}

}  // namespace peernet::bench
