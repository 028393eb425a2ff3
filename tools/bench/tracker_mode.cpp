#include "tracker_mode.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <optional>
#include <utility>
#include <vector>

#include "cli/printable.hpp"
#include "console.hpp"
#include "machine.hpp"
#include "mode.hpp"
#include "mode_parser.hpp"
#include "process.hpp"

namespace peernet::bench {
namespace {

constexpr const char* kMode = "tracker";
constexpr const char* kHelp = R"(usage: peernet-bench tracker [OPTIONS]

What a real peernet-tracker on this host's loopback answers: each run starts a fresh one, tells it of all peers, and then asks
it as fast as 128 requests under way allow, or at a fixed rate. Every reply is checked. Replies for each second of CPU time
are the tracker's own figure: replies in a second are cut short by the load, which runs on this host too.

      --runs N             of each case (default 5)
      --cases A,B          of announces, announces-at-rate, node-announces, heartbeats: only these
      --peers N            that the tracker knows (default 100000)
      --swarms N           over which they are spread, a few large and many small (default 10000, or one a peer)
      --rate N             requests a second of announces-at-rate (default 20000); its latency counts from the time a request
                           was due
      --duration S         measured seconds of a run (default 3)
      --workers N          of the tracker (default 1: the load needs a core too)
      --json FILE          the result for programs, and for peernet-bench diff
      --html FILE          the result as a page
      --tracker FILE       the program (default: peernet-tracker beside this one)
  -q, --quiet              no progress
  -h, --help               this text

Cases: announces are those of BitTorrent clients (BEP 15), answered with 30 peers; node-announces and heartbeats are those of
peernet, a heartbeat says that one node still has 32 contents. Any other tracker, and much more: peernet-bench tracker-load.
)";

constexpr std::uint64_t kContentsOfNode = 32;
constexpr std::chrono::seconds kReadyPatience{30}, kEndPatience{2};
// For telling it of all peers, on a machine that is busy with other things.
constexpr double kLeastAnnounces = 2000;

struct Options {
  CommonOptions common;
  std::vector<std::string> cases;
  std::string tracker;
  std::uint64_t peers = 100'000, swarms = 0, rate = 20'000;
  unsigned workers = 1;
  double seconds = 3;
};

struct Case {
  const char* id;
  const char* label;
  std::vector<std::string> words;  // of the load
  std::vector<TrackerSample> samples;
};

std::vector<Case> cases_of(const Options& options) {
  const auto text = [](std::uint64_t value) { return std::to_string(value); };
  const std::vector<std::string> clients{"--peers", text(options.peers), "--populate", "--mix", "0:100:0"};
  const std::vector<std::string> nodes{"--nodes", text(std::max<std::uint64_t>(options.peers / kContentsOfNode, 1)),
                                       "--contents-per-node", text(std::min(kContentsOfNode, options.swarms))};
  const auto with = [](std::vector<std::string> words, const std::vector<std::string>& more) {
    words.insert(words.end(), more.begin(), more.end());
    return words;
  };
  std::vector<Case> out{
      {"announces", "announces", clients, {}},
      {"announces-at-rate", "announces at a rate", with(clients, {"--rate", text(options.rate), "--batch", "1"}), {}},
      {"node-announces", "announces of nodes", with(nodes, {"--mode", "announce"}), {}},
      {"heartbeats", "heartbeats of 32 contents", with(nodes, {"--mode", "heartbeat"}), {}}};
  if (!options.cases.empty())
    std::erase_if(out,
                  [&](const Case& one) { return std::ranges::find(options.cases, one.id) == options.cases.end(); });
  return out;
}

std::string first_line_of(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return cli::printable(line);
}

class Bench {
 public:
  Bench(const Options& options, std::string tracker, const Scratch& scratch)
      : options_(options), tracker_(std::move(tracker)), errors_(scratch.path() + "/errors") {}

  Outcome<TrackerSample> measure(const Case& one) const {
    auto tracker =
        Process::start({.words = {tracker_, "--listen", "127.0.0.1:0", "--workers", std::to_string(options_.workers)},
                        .capture = true,
                        .error_file = errors_});
    if (!tracker) return std::unexpected(tracker.error());
    const auto said = tracker->read_line(kReadyPatience);
    constexpr std::string_view kReady = "listening udp://";
    if (!said || !said->starts_with(kReady)) {
      tracker->stop();
      const std::string reason = first_line_of(errors_);
      return std::unexpected("peernet-tracker does not serve" + (reason.empty() ? "" : ": " + reason));
    }
    return load(one, said->substr(kReady.size()), tracker->pid());
  }

 private:
  Outcome<TrackerSample> load(const Case& one, const std::string& address, int tracker) const {
    std::error_code ignored;
    std::vector<std::string> words{std::filesystem::read_symlink("/proc/self/exe", ignored).string(),
                                   "tracker-load",
                                   "--json",
                                   "--target",
                                   address,
                                   "--pid",
                                   std::to_string(tracker),
                                   "--swarms",
                                   std::to_string(options_.swarms),
                                   "--duration",
                                   fmt::format("{}", options_.seconds)};
    words.insert(words.end(), one.words.begin(), one.words.end());
    auto load = Process::start({.words = std::move(words), .capture = true, .error_file = errors_});
    if (!load) return std::unexpected(load.error());
    const std::chrono::duration<double> patience(60 + options_.seconds +
                                                 static_cast<double>(options_.peers) / kLeastAnnounces);
    const std::string report = load->read_all(std::chrono::duration_cast<std::chrono::nanoseconds>(patience));
    const auto end = load->wait(kEndPatience);
    if (!end) return std::unexpected(fmt::format("{}: the load did not end: {}", one.label, end.error()));
    if (report.empty())
      return std::unexpected(
          fmt::format("{}: the load failed with status {}: {}", one.label, end->exit_code, last_line()));
    auto sample = read_load_report(report);
    if (!sample) return std::unexpected(fmt::format("{}: {}", one.label, sample.error()));
    return sample;
  }
  std::string last_line() const {
    std::ifstream file(errors_);
    std::string last;
    for (std::string line; std::getline(file, line);) last = line;
    return cli::printable(last);
  }

  const Options& options_;
  std::string tracker_, errors_;
};

Summary of(const Case& one, double TrackerSample::* field) {
  std::vector<double> values;
  for (const TrackerSample& sample : one.samples) values.push_back(sample.*field);
  return summarize(values);
}

// The figures of a case; its line of the table.
std::vector<std::string> add_figures(Result& result, const Case& one) {
  const std::string id = one.id, label = one.label;
  const bool at_rate = id == "announces-at-rate", beats = id == "heartbeats";
  const auto figure = [&](const char* name, const char* what, const char* unit, Better better, const Summary& value) {
    result.add(id + "." + name, label + ": " + what, unit, better, value);
    return format_summary(value, unit);
  };
  std::vector<std::string> cells{label};
  // At a fixed rate the replies in a second say only that it was kept.
  cells.push_back(figure("per_second", "replies a second", "1/s", at_rate ? Better::kNone : Better::kMore,
                         of(one, &TrackerSample::replies_per_second)));
  cells.push_back(figure("per_cpu_second", "replies a second of CPU", "1/s", Better::kMore,
                         of(one, &TrackerSample::replies_per_cpu_second)));
  if (beats)
    figure("contents_per_cpu_second", "contents a second of CPU", "1/s", Better::kMore,
           of(one, &TrackerSample::contents_per_cpu_second));
  cells.push_back(
      figure("p50", "half of the replies within", "s", Better::kLess, of(one, &TrackerSample::p50_seconds)));
  cells.push_back(
      figure("p99", "99 % of the replies within", "s", Better::kLess, of(one, &TrackerSample::p99_seconds)));
  cells.push_back(
      figure("longest", "all replies within", "s", Better::kLess, of(one, &TrackerSample::longest_seconds)));
  cells.push_back(figure("memory", "memory", "B", Better::kLess, of(one, &TrackerSample::memory_bytes)));
  return cells;
}

void add_notes(Result& result, const Case& one, const Options& options) {
  const Summary lost = of(one, &TrackerSample::lost), replies = of(one, &TrackerSample::replies_per_second);
  if (lost.max > 0)
    result.notes.push_back(fmt::format("{}: {:.2g} % of the requests had no reply", one.label, lost.max * 100));
  if (one.id == std::string_view("announces-at-rate") && replies.min < 0.98 * static_cast<double>(options.rate))
    result.notes.push_back(
        fmt::format("{}: {:.0f} a second were asked for and {:.0f} came: this machine, or the tracker, "
                    "cannot keep that rate",
                    one.label, static_cast<double>(options.rate), replies.min));
}

int run(const Options& options, std::span<const std::string> words) {
  const auto tracker = find_ours("peernet-tracker", options.tracker, "--tracker");
  if (!tracker) return complain(kMode, tracker.error());
  const auto scratch = Scratch::make("", 1 << 20);
  if (!scratch) return complain(kMode, scratch.error());
  Result result;
  result.mode = kMode;
  result.title = fmt::format("peernet-tracker with {} worker{}, {} peers in {} swarms, loopback", options.workers,
                             options.workers == 1 ? "" : "s", options.peers, options.swarms);
  result.started = now_utc();
  result.command = {"peernet-bench", kMode};
  result.command.insert(result.command.end(), words.begin(), words.end());
  result.machine = machine();
  std::string version = output_of({*tracker, "--version"});
  version.erase(version.find_last_not_of(" \n") + 1);
  result.versions["peernet-tracker"] = version.substr(version.rfind(' ') + 1);
  result.settings = {{"peers", options.peers}, {"swarms", options.swarms},      {"workers", options.workers},
                     {"rate", options.rate},   {"duration_s", options.seconds}, {"runs", options.common.runs},
                     {"links", "loopback"}};
  std::vector<Case> cases = cases_of(options);
  const Bench bench(options, *tracker, *scratch);
  Progress progress(options.common.quiet);
  const NoiseMeter noise;
  for (unsigned i = 0; i < options.common.runs; ++i)
    for (Case& one : cases) {
      progress.say(fmt::format("run {} of {}: {}", i + 1, options.common.runs, one.label));
      const auto sample = bench.measure(one);
      if (interrupted()) return complain(kMode, "interrupted", kInterrupted);
      if (!sample) return complain(kMode, sample.error());
      one.samples.push_back(*sample);
    }
  progress.clear();
  result.noise = noise.verdict();
  Table table({"", "replies", "of a CPU second", "p50", "p99", "longest", "memory"});
  for (const Case& one : cases) {
    table.row(add_figures(result, one));
    add_notes(result, one, options);
    Row row{.id = one.id, .label = one.label, .group = "peernet", .parties = 1, .runs = {}, .timeline = {}};
    for (const TrackerSample& sample : one.samples) row.runs.push_back({.wall_seconds = sample.seconds});
    result.rows.push_back(std::move(row));
  }
  fmt::print("{}\n\n{}", result.title, table.text());
  return finish(result, options.common);
}

}  // namespace

Outcome<TrackerSample> read_load_report(const std::string& text) {
  using nlohmann::json;
  try {
    const json report = json::parse(text), &run = report.at("phases").at("run"), &latency = run.at("latency_us"),
               &used = run.at("tracker");
    for (const auto& [name, phase] : report.at("phases").items())
      if (phase.at("invalid").get<std::uint64_t>() > 0)
        return std::unexpected(
            fmt::format("the tracker gave wrong replies, {}", phase.at("first_invalid").get<std::string>()));
      else if (const std::string error = phase.at("first_error"); !error.empty())
        return std::unexpected(fmt::format("the tracker replied with an error, {}", in_quotes(error)));
    TrackerSample out;
    out.replies_per_second = run.at("replies_per_s");
    const double cpu = used.at("cpu_us_per_reply"), cpu_of_content = used.at("cpu_us_per_content");
    if (run.at("replies").get<std::uint64_t>() == 0 || cpu <= 0 || cpu_of_content <= 0)
      return std::unexpected(std::string("there was no reply, or the tracker's CPU time cannot be read"));
    out.replies_per_cpu_second = 1e6 / cpu;
    out.contents_per_cpu_second = 1e6 / cpu_of_content;
    out.p50_seconds = latency.at("p50").get<double>() * 1e-6;
    out.p99_seconds = latency.at("p99").get<double>() * 1e-6;
    out.longest_seconds = latency.at("max").get<double>() * 1e-6;
    out.memory_bytes = used.at("rss_kib").get<double>() * 1024;
    out.seconds = run.at("seconds");
    const double sent = run.at("counts").at("sent"), lost = run.at("counts").at("lost");
    out.lost = sent > 0 ? lost / sent : 0;
    return out;
  } catch (const json::exception& error) {
    return std::unexpected(fmt::format("the load's report cannot be read: {}", cli::printable(error.what())));
  }
}

int run_tracker(std::span<const std::string> words) {
  Options options;
  ModeParser parser(kMode);
  add_outputs(parser, options.common);
  parser.names("--cases", options.cases, {"announces", "announces-at-rate", "node-announces", "heartbeats"});
  parser.number("--peers", options.peers, 32, 10'000'000);
  parser.number("--swarms", options.swarms, 1, 1'000'000);
  parser.number("--rate", options.rate, 1, 10'000'000);
  parser.decimal("--duration", options.seconds, 0.1, 3600);
  parser.number("--workers", options.workers, 1, 64);
  parser.text("--tracker", options.tracker);
  const auto parsed = parser.parse(words);
  if (!parsed) return complain(kMode, parsed.error(), kUsage);
  if (!*parsed) return std::fputs(kHelp, stdout) < 0;
  if (options.swarms == 0) options.swarms = std::min<std::uint64_t>(10'000, options.peers);
  if (options.peers < options.swarms)
    return complain(kMode, "--peers must not be less than --swarms: every swarm has a peer", kUsage);
  catch_signals();
  return run(options, words);
}

}  // namespace peernet::bench
