#include "speedup.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "console.hpp"
#include "ground.hpp"
#include "mode_parser.hpp"
#include "transfer.hpp"

namespace peernet::bench {
namespace {

constexpr const char* kMode = "speedup";
constexpr double kSampleEvery = 0.01;
constexpr unsigned kMostSources = 16;

constexpr const char* kHelp = R"(usage: peernet-bench speedup [OPTIONS]

How much quicker several sources are than one: N real "peernet share", one real "peernet get", found through the tracker
that the first share is. The clock runs from the start of get to its end; sources are ready before. N changes from
transfer to transfer (1, 2, 3, 1, 2, 3, ...). Each file that came is compared with the one that was shared.

      --local              all on this host, over loopback (default). All share its cores, so that several sources
                           cannot be quicker than one: what shows is what they cost. "get --trust members": XXH3 checks
                           what comes from any of them, as if it were the publisher
      --sources N..M       or N,M,...: how many sources (default 1..5)
      --sums               also show the SHA-256 of the file that was shared and of one that came, by sha256sum
)";

constexpr const char* kExitCodes = R"(
Exit status: 0 measured, 1 a transfer failed, 2 usage, 130 interrupted.
)";

struct Options {
  CommonOptions common;
  std::vector<unsigned> sources{1, 2, 3, 4, 5};
  bool local = false, sums = false;
};

// One number of sources: its swarm, and what came of it.
struct Case {
  std::vector<Source> sources;
  Row row;
  std::vector<Timeline> timelines;  // of each run
};

// "9f86d081...  random.bin" without the name.
std::string sha256_of(const std::string& path) {
  const std::string line = output_of({"sha256sum", path});
  return line.substr(0, line.find(' '));
}

class Speedup {
 public:
  Speedup(const Options& options, Ground& ground) : options_(options), ground_(ground) {
    peernet_ = {.program = ground.program, .get_words = {"--trust", "members"}, .sample_every = kSampleEvery};
    peernet_.patience = patience_for(options.common.size);
  }

  Outcome<bool> measure(Progress& progress) {
    for (const unsigned count : options_.sources) {
      progress.say(fmt::format("{} {} ready to serve", count, count == 1 ? "source gets" : "sources get"));
      auto sources = start_sources(peernet_, ground_.scratch, std::vector<Place>(count), ground_.file);
      if (!sources) return std::unexpected(sources.error());
      cases_.push_back({.sources = std::move(*sources), .row = row_for(count), .timelines = {}});
    }
    for (unsigned run = 0; run <= options_.common.runs; ++run) {
      for (Case& one : cases_) {
        progress.say(run == 0 ? fmt::format("warming up: {}", one.row.label)
                              : fmt::format("run {} of {}: {}", run, options_.common.runs, one.row.label));
        const bool with_sums = options_.sums && run == 0 && &one == &cases_.back();
        auto done = transfer(peernet_, ground_.scratch, one.sources, std::vector<Place>(1), ground_.file,
                             options_.common.size, with_sums ? sums() : nullptr);
        if (!done) return std::unexpected(one.row.label + ": " + done.error());
        if (run == 0) continue;
        one.row.runs.push_back(done->run);
        one.timelines.push_back(std::move(done->timeline));
      }
    }
    return true;
  }

  Result result() {
    Result out;
    for (Case& one : cases_) {
      one.row.timeline = one.timelines[median_run(one.row)];
      const std::vector<double> walls = one.row.walls();
      out.add_costs(one.row);
      out.add(one.row.id + ".combined", one.row.label + ": combined speed", "B/s", Better::kMore, speed(one.row, 1));
      if (cases_.front().row.parties == 1 && &one != &cases_.front())
        out.add(one.row.id + ".speedup", one.row.label + ": speedup", "x", Better::kMore, speedup(one.row));
      out.rows.push_back(one.row);
    }
    return out;
  }

  std::string tables() const {
    Table speeds({"transfer", "total time", "each source", "combined speed", "speedup"});
    Table costs({"transfer", "CPU, sources", "CPU, receiver", "memory, source", "memory, receiver", "twice"});
    for (const Case& one : cases_) {
      const Row& row = one.row;
      speeds.row({row.label, format_summary(summarize(row.walls()), "s"),
                  format_value(speed(row, row.parties).median, "B/s"), format_summary(speed(row, 1), "B/s"),
                  cases_.front().row.parties == 1 ? format_summary(speedup(row), "x") : "-"});
      Result figures;
      figures.add_costs(row);
      std::vector<std::string> cells{row.label};
      for (const Figure& figure : figures.figures)
        if (!figure.id.ends_with(".wall_seconds")) cells.push_back(format_summary(figure.value, figure.unit));
      costs.row(std::move(cells));
    }
    return speeds.text() + "\n" + costs.text();
  }

  // Both sums, or nothing if they were not asked for.
  const std::string& sums_text() const { return sums_text_; }

 private:
  static Row row_for(unsigned count) {
    return {.id = fmt::format("sources-{}", count),
            .label = fmt::format("{} to 1", count),
            .group = "peernet",
            .parties = count,
            .runs = {},
            .timeline = {}};
  }
  static std::size_t median_run(const Row& row) {
    std::vector<std::pair<double, std::size_t>> walls;
    for (const double wall : row.walls()) walls.emplace_back(wall, walls.size());
    std::ranges::sort(walls);
    return walls[(walls.size() - 1) / 2].second;
  }
  Summary speed(const Row& row, unsigned parts) const {
    std::vector<double> speeds;
    for (const double wall : row.walls())
      speeds.push_back(static_cast<double>(options_.common.size) / wall / static_cast<double>(parts));
    return summarize(speeds);
  }
  Summary speedup(const Row& row) const { return ratio(cases_.front().row.walls(), row.walls()); }

  std::function<bool(const std::string&)> sums() {
    return [this](const std::string& got) {
      sums_text_ = fmt::format("SHA-256 of what was shared:  {}\nSHA-256 of what came:        {}\n",
                               sha256_of(ground_.file), sha256_of(got));
      return same_bytes(got, ground_.file);
    };
  }

  const Options& options_;
  Ground& ground_;
  Peernet peernet_;
  std::vector<Case> cases_;
  std::string sums_text_;
};

int measured(const Options& options, std::span<const std::string> words) {
  auto ground = Ground::prepare(options.common, 3);
  if (!ground) return complain(kMode, ground.error().sentence, ground.error().code);
  Progress progress(options.common.quiet);
  Speedup speedup(options, *ground);
  const std::string started = now_utc();
  const auto good = speedup.measure(progress);
  progress.clear();
  if (interrupted()) return kInterrupted;
  if (!good) return complain(kMode, good.error());
  Result result = speedup.result();
  result.mode = kMode;
  result.started = started;
  result.command = {"peernet-bench", kMode};
  result.command.insert(result.command.end(), words.begin(), words.end());
  result.title = fmt::format("{} to {} sources to one receiver, {}, loopback", options.sources.front(),
                             options.sources.back(), format_size(options.common.size));
  ground->describe(options.common, result);
  result.settings["links"] = "loopback";
  result.settings["trust"] = "members";
  result.notes = {fmt::format("on loopback all sources and the receiver share this machine's {} cores",
                              result.machine.value("cores", 1)),
                  "get --trust members: what comes from any source is checked by XXH3 alone, as if from the publisher",
                  "encrypted, at most 1500 bytes a datagram, --sync none; each file that came was compared"};
  fmt::print("{}: median (min..max) of {} runs\n\n{}\n{}", result.title, options.common.runs, speedup.tables(),
             speedup.sums_text());
  return finish(result, options.common);
}

}  // namespace

int run_speedup(std::span<const std::string> words) {
  Options options;
  ModeParser parser(kMode);
  add_common(parser, options.common);
  parser.counts("--sources", options.sources, 1, kMostSources);
  parser.flag("--local", options.local);
  parser.flag("--sums", options.sums);
  const auto go = parser.parse(words);
  if (!go) return complain(kMode, go.error(), kUsage);
  if (!*go) {
    fmt::print("{}{}{}", kHelp, kCommonHelp, kExitCodes);
    return kOk;
  }
  catch_signals();
  return measured(options, words);
}

}  // namespace peernet::bench
