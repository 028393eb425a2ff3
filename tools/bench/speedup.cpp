#include "speedup.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "console.hpp"
#include "hosts.hpp"
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
      --links RATE[,RTT[,LOSS]]
                           each source on a host of its own behind a link of that rate (bit/s), round trip and loss,
                           the receiver behind none: "400M", "100M,20ms,0.1%". Network namespaces: root only
      --sources N..M       or N,M,...: how many sources (default 1..5)
      --sums               also show the SHA-256 of the file that was shared and of one that came, by sha256sum
)";

constexpr const char* kExitCodes = R"(
Exit status: 0 measured, 1 a transfer failed, 2 usage, 4 --links is not permitted here,
130 interrupted.
)";

struct Options {
  CommonOptions common;
  std::vector<unsigned> sources{1, 2, 3, 4, 5};
  NetworkOptions network{};
  bool sums = false;
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
  return line.empty() ? "(sha256sum told none)" : line.substr(0, line.find(' '));
}

class Speedup {
 public:
  Speedup(const Options& options, Ground& ground, Hosts& hosts) : options_(options), ground_(ground), hosts_(hosts) {
    peernet_ = {.program = ground.program, .get_words = {}, .sample_every = kSampleEvery};
    if (!options.network.links) peernet_.get_words = {"--trust", "members"};
    peernet_.patience = patience_for(options.common.size);
  }

  Outcome<bool> measure(Progress& progress) {
    for (const unsigned count : options_.sources) {
      progress.say(fmt::format("{} {} ready to serve", count, count == 1 ? "source gets" : "sources get"));
      auto sources = start_sources(peernet_, ground_.scratch, std::span(hosts_.sources).first(count), ground_.file);
      if (!sources) return std::unexpected(sources.error());
      cases_.push_back({.sources = std::move(*sources), .row = row_for(count), .timelines = {}});
    }
    for (unsigned run = 0; run <= options_.common.runs; ++run) {
      for (Case& one : cases_) {
        progress.say(run == 0 ? fmt::format("warming up: {}", one.row.label)
                              : fmt::format("run {} of {}: {}", run, options_.common.runs, one.row.label));
        const bool with_sums = options_.sums && run == 0 && &one == &cases_.back();
        auto done = transfer(peernet_, ground_.scratch, one.sources, hosts_.receivers, ground_.file,
                             options_.common.size, with_sums ? sums() : nullptr);
        if (!done) return std::unexpected(one.row.label + ": " + done.error());
        if (run == 0) continue;
        one.row.runs.push_back(done->run);
        one.timelines.push_back(std::move(done->timeline));
      }
    }
    // What they used counts as this program's own, and not as noise, when they have ended.
    for (Case& one : cases_) one.sources.clear();
    if (hosts_.lab) hosts_.lab->stop();
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
      if (options_.network.links)
        out.add(one.row.id + ".links_used", one.row.label + ": use of the links", "%", Better::kMore, used(one.row));
      out.rows.push_back(one.row);
    }
    return out;
  }

  std::string tables() const {
    std::vector<std::string> head{"transfer", "total time", "each source", "combined speed", "speedup"};
    if (options_.network.links) head.emplace_back("use of the links");
    Table speeds(std::move(head));
    Table costs({"transfer", "CPU, sources", "CPU, receiver", "memory, source", "memory, receiver", "twice"});
    for (const Case& one : cases_) {
      const Row& row = one.row;
      std::vector<std::string> line{row.label, format_summary(summarize(row.walls()), "s"),
                                    format_value(speed(row, row.parties).median, "B/s"),
                                    format_value(speed(row, 1).median, "B/s"),
                                    cases_.front().row.parties == 1 ? format_summary(speedup(row), "x") : "-"};
      if (options_.network.links) line.push_back(format_summary(used(row), "%"));
      speeds.row(std::move(line));
      Result figures;
      figures.add_costs(row);
      std::vector<std::string> cells{row.label};
      for (const Figure& figure : figures.figures)
        if (!figure.id.ends_with(".wall_seconds")) cells.push_back(format_value(figure.value.median, figure.unit));
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
  // Of what all uplinks together could have carried meanwhile, headers not counted as carried.
  Summary used(const Row& row) const {
    std::vector<double> shares;
    for (const double wall : row.walls())
      shares.push_back(static_cast<double>(options_.common.size) * 800 /
                       (options_.network.links->up.rate_bits * static_cast<double>(row.parties) * wall));
    return summarize(shares);
  }
  Summary speedup(const Row& row) const { return ratio(cases_.front().row.walls(), row.walls()); }

  std::function<bool(const std::string&)> sums() {
    return [this](const std::string& got) {
      sums_text_ = fmt::format(
          "\nSHA-256 of the file that was shared: {}\nSHA-256 of the file that came:       {}\n"
          "They are the same file. It was encrypted on its way, and every part was verified.\n\n",
          sha256_of(ground_.file), sha256_of(got));
      return same_bytes(got, ground_.file);
    };
  }

  const Options& options_;
  Ground& ground_;
  Hosts& hosts_;
  Peernet peernet_;
  std::vector<Case> cases_;
  std::string sums_text_;
};

std::vector<std::string> notes(const Options& options, const Result& result) {
  std::vector<std::string> out;
  if (!options.network.links) {
    out.push_back(
        fmt::format("all sources and the receiver share this machine's {} cores: more sources cannot be quicker",
                    result.machine.value("cores", 1)));
    out.emplace_back("get --trust members: what comes from any source is checked by XXH3, as if from the publisher");
  }
  out.emplace_back("encrypted, at most 1500 bytes a datagram, --sync none; each file that came was compared");
  return out;
}

int measured(const Options& options, std::span<const std::string> words) {
  auto ground = Ground::prepare(options.common, 3);
  if (!ground) return complain(kMode, ground.error().sentence, ground.error().code);
  Progress progress(options.common.quiet);
  auto hosts = Hosts::make(options.network, options.sources.back(), 1, false);
  if (!hosts) return complain(kMode, hosts.error().sentence, hosts.error().code);
  Speedup speedup(options, *ground, *hosts);
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
  result.title = fmt::format("{} to {} sources to one receiver, {}, {}", options.sources.front(),
                             options.sources.back(), format_size(options.common.size), hosts->links);
  ground->describe(options.common, result);
  result.settings["links"] = hosts->links;
  result.settings["trust"] = options.network.links ? "publisher" : "members";
  result.notes = notes(options, result);
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
  add_network(parser, options.network);
  parser.flag("--sums", options.sums);
  const auto go = parser.parse(words);
  if (!go) return complain(kMode, go.error(), kUsage);
  if (!*go) {
    fmt::print("{}{}{}", kHelp, kCommonHelp, kExitCodes);
    return kOk;
  }
  if (const std::string wrong = contradiction(options.network); !wrong.empty()) return complain(kMode, wrong, kUsage);
  catch_signals();
  return measured(options, words);
}

}  // namespace peernet::bench
