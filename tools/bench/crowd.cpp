#include "crowd.hpp"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <utility>
#include <vector>

#include "console.hpp"
#include "contest.hpp"
#include "hosts.hpp"
#include "mode_parser.hpp"
#include "rival_servers.hpp"
#include "transfer.hpp"

namespace peernet::bench {
namespace {

namespace fs = std::filesystem;

constexpr const char* kMode = "crowd";
constexpr unsigned kMostReceivers = 64;
constexpr std::chrono::seconds kReadyPatience{30};

constexpr const char* kHelp = R"(usage: peernet-bench crowd [OPTIONS]

What it costs that several want the same file at once: one real "peernet share", N real "peernet get" that start together
and give each other what they have. The time is that of the last one. Beside it the same over HTTP, nginx and N curl, if
both are installed. N and the way change from transfer to transfer; each file that came is compared with the shared one.

      --local              all on this host, over loopback (default): all share its cores and no link is narrow, so
                           that the work of N transfers shows, and not how the receivers help the source
      --links RATE[,RTT[,LOSS]]
                           each one on a host of its own behind a link of that rate (bit/s) up and down; RTT and LOSS are
                           those between any two: "200M", "100M,20ms,0.1%". Network namespaces: root only
      --receivers N..M     or N,M,...: how many (default 1,2,4,8)
      --no-http            PeerNet alone: over a narrow link N files from one server take N times as long
)";

constexpr const char* kExitCodes = R"(
Exit status: 0 measured, 1 a transfer failed, 2 usage, 4 --links is not permitted here, 130 interrupted.
)";

struct Options {
  CommonOptions common;
  std::vector<unsigned> receivers{1, 2, 4, 8};
  NetworkOptions network{};
  bool no_http = false;
};

// nginx that serves a folder at a place.
Outcome<Process> serve_folder(Scratch& scratch, const Place& place, const std::string& port, const std::string& root) {
  const std::string folder = scratch.folder("nginx");
  std::ofstream file(folder + "/nginx.conf");
  file << nginx_configuration(fmt::format("listen {}:{};\n    root {};", place.address, port, root));
  file.close();
  const std::string log = folder + "/log";
  auto process = Process::start({.words = {"nginx", "-p", folder, "-c", "nginx.conf", "-e", "nginx.err"},
                                 .network = place.network,
                                 .error_file = log});
  if (!process) return process;
  // It is written when the sockets are open.
  const auto deadline = Clock::now() + kReadyPatience;
  while (::access((folder + "/nginx.pid").c_str(), F_OK) != 0) {
    if (interrupted()) return std::unexpected("interrupted");
    if (!process->running() || Clock::now() > deadline)
      return std::unexpected("nginx does not serve: " + last_line(log));
    ::poll(nullptr, 0, 5);
  }
  return process;
}

std::string nginx_version() {
  std::string text = output_of({"sh", "-c", "exec nginx -v 2>&1"});  // "nginx version: nginx/1.22.1"
  text.erase(text.find_last_not_of(" \n") + 1);
  return text.substr(text.rfind('/') + 1);
}

class Crowd {
 public:
  Crowd(const Options& options, Ground& ground, Hosts& hosts) : options_(options), ground_(ground), hosts_(hosts) {
    peernet_ = {.program = ground.program};
    peernet_.patience = patience_for(options.common.size * options.receivers.back());
    for (const unsigned count : options.receivers) {
      rows_.push_back(row_for("peernet", "PeerNet", count));
      if (has_http()) rows_.push_back(row_for("http", "HTTP", count));
    }
  }

  bool has_http() const { return !options_.no_http && is_installed("nginx") && is_installed("curl"); }

  Outcome<bool> measure(Progress& progress) {
    for (unsigned run = 0; run <= options_.common.runs; ++run) {
      for (Row& row : rows_) {
        progress.say(run == 0 ? fmt::format("warming up: {}", row.label)
                              : fmt::format("run {} of {}: {}", run, options_.common.runs, row.label));
        const std::span<const Place> places = std::span(hosts_.receivers).first(row.parties);
        auto done = row.group == "http" ? by_http(places) : by_peernet(places);
        if (!done) return std::unexpected(row.label + ": " + done.error());
        if (run > 0) row.runs.push_back(*done);
      }
    }
    if (hosts_.lab) hosts_.lab->stop();  // now what it used counts as this program's own, and not as noise
    return true;
  }

  Result result() const {
    Result out;
    for (const Row& row : rows_) {
      out.add_costs(row);
      if (row.parties > 1 && single(row) != nullptr)
        out.add(row.id + ".slowdown", row.label + ": time / that of one", "x", Better::kLess, slowdown(row));
      if (row.group == "peernet" && has_http())
        out.add(row.id + ".of_http", row.label + ": time / that of HTTP", "x", Better::kLess, of_http(row));
      out.rows.push_back(row);
    }
    return out;
  }

  std::string table() const {
    Table table(
        {"crowd", "last one ready", "/ one alone", "/ HTTP", "combined speed", "CPU, source", "CPU, receivers"});
    for (const Row& row : rows_) {
      std::vector<double> speeds;
      for (const Run& run : row.runs) speeds.push_back(static_cast<double>(run.bytes.value_or(0)) / run.wall_seconds);
      table.row({row.label, format_summary(summarize(row.walls()), "s"),
                 single(row) == nullptr ? "-" : format_value(slowdown(row).median, "x"),
                 row.group == "http" || !has_http() ? "-" : format_summary(of_http(row), "x"),
                 format_value(summarize(speeds).median, "B/s"),
                 format_value(summarize(row.cpu_seconds_per_gb(true, false)).median, "s/GB"),
                 format_value(summarize(row.cpu_seconds_per_gb(false, true)).median, "s/GB")});
    }
    return table.text();
  }

 private:
  static Row row_for(const std::string& group, const std::string& name, unsigned count) {
    return {.id = fmt::format("{}-{}", group, count),
            .label = fmt::format("1 to {}, {}", count, name),
            .group = group,
            .parties = count,
            .runs = {},
            .timeline = {}};
  }
  const Row* single(const Row& of) const {
    const auto at = std::ranges::find_if(rows_, [&](const Row& r) { return r.group == of.group && r.parties == 1; });
    return at == rows_.end() ? nullptr : &*at;
  }
  Summary slowdown(const Row& row) const { return ratio(row.walls(), single(row)->walls()); }
  Summary of_http(const Row& row) const {
    const auto http =
        std::ranges::find_if(rows_, [&](const Row& r) { return r.group == "http" && r.parties == row.parties; });
    return ratio(row.walls(), http->walls());
  }

  // With a source of its own: one that has served a crowd before knows what it gave.
  Outcome<Run> by_peernet(std::span<const Place> places) {
    auto sources = start_sources(peernet_, ground_.scratch, hosts_.sources, ground_.file);
    if (!sources) return std::unexpected(sources.error());
    auto done = transfer(peernet_, ground_.scratch, *sources, places, ground_.file, options_.common.size);
    if (!done) return std::unexpected(done.error());
    return done->run;
  }

  Outcome<Run> by_http(std::span<const Place> places) {
    const std::string port = hosts_.lab ? "8080" : free_port();
    const fs::path file(ground_.file);
    auto server = serve_folder(ground_.scratch, hosts_.sources[0], port, file.parent_path());
    if (!server) return std::unexpected(server.error());
    const std::string url = fmt::format("http://{}:{}/{}", hosts_.sources[0].address, port, file.filename().string());
    const double before = server->cpu_seconds();
    std::vector<std::string> folders;
    std::vector<Process> curls;
    for (const Place& place : places) {
      folders.push_back(ground_.scratch.folder("curl"));
      auto curl = Process::start({.words = {"curl", "-sS", "--fail", "-o", folders.back() + "/out", url},
                                  .network = place.network,
                                  .error_file = folders.back() + "/log"});
      if (!curl) return std::unexpected(curl.error());
      curls.push_back(std::move(*curl));
    }
    Run run;
    run.bytes = options_.common.size * places.size();
    double cpu = 0;
    std::uint64_t memory = 0;
    Clock::time_point last = curls.front().started();
    for (std::size_t i = 0; i < curls.size(); ++i) {
      const auto end = curls[i].wait(peernet_.patience);
      if (!end) return std::unexpected("curl: " + end.error());
      if (end->exit_code != 0) return std::unexpected(last_line(folders[i] + "/log"));
      last = std::max(last, Clock::now());  // those after it may have ended already, the last one has not
      cpu += end->cpu_seconds;
      memory = std::max(memory, end->peak_memory_bytes);
    }
    run.wall_seconds = seconds_between(curls.front().started(), last);
    run.receiver_cpu_seconds = cpu;
    run.receiver_memory_bytes = memory;
    run.source_cpu_seconds = server->cpu_seconds() - before;
    run.source_memory_bytes = server->peak_memory_bytes();
    for (const std::string& folder : folders) {
      if (!same_bytes(folder + "/out", ground_.file))
        return std::unexpected("what curl received is not what was served");
      std::error_code ignored;
      fs::remove_all(folder, ignored);
    }
    return run;
  }

  const Options& options_;
  Ground& ground_;
  Hosts& hosts_;
  Peernet peernet_;
  std::vector<Row> rows_;
};

int measured(const Options& options, std::span<const std::string> words) {
  auto ground = Ground::prepare(options.common, options.receivers.back() + 2);
  if (!ground) return complain(kMode, ground.error().sentence, ground.error().code);
  auto hosts = Hosts::make(options.network, 1, options.receivers.back(), true);
  if (!hosts) return complain(kMode, hosts.error().sentence, hosts.error().code);
  Progress progress(options.common.quiet);
  Crowd crowd(options, *ground, *hosts);
  const std::string started = now_utc();
  const auto good = crowd.measure(progress);
  progress.clear();
  if (interrupted()) return kInterrupted;
  if (!good) return complain(kMode, good.error());
  Result result = crowd.result();
  result.mode = kMode;
  result.started = started;
  result.command = {"peernet-bench", kMode};
  result.command.insert(result.command.end(), words.begin(), words.end());
  result.title = fmt::format("one source to {} to {} receivers, {}, {}", options.receivers.front(),
                             options.receivers.back(), format_size(options.common.size), hosts->links);
  ground->describe(options.common, result);
  result.settings["links"] = hosts->links;
  if (crowd.has_http())
    result.versions["nginx"] = nginx_version();
  else if (!options.no_http)
    result.notes.emplace_back("nginx and curl are not both installed: no HTTP beside it");
  if (!options.network.links)
    result.notes.push_back(fmt::format("all share this machine's {} cores, and nothing on loopback is narrow",
                                       result.machine.value("cores", 1)));
  result.notes.emplace_back("PeerNet is encrypted, at most 1500 bytes a datagram, --sync none; HTTP is in the clear");
  fmt::print("{}: median (min..max) of {} runs\n\n{}\n", result.title, options.common.runs, crowd.table());
  return finish(result, options.common);
}

}  // namespace

int run_crowd(std::span<const std::string> words) {
  Options options;
  ModeParser parser(kMode);
  add_common(parser, options.common);
  parser.counts("--receivers", options.receivers, 1, kMostReceivers);
  parser.flag("--no-http", options.no_http);
  add_network(parser, options.network);
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
