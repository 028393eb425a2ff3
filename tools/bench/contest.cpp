#include "contest.hpp"

#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <thread>
#include <utility>

#include "cli/printable.hpp"
#include "transfer.hpp"

namespace peernet::bench {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::seconds kReadyPatience{30};
bool same_trees(const std::string& one, const std::string& other) {
  std::error_code error;
  std::size_t files = 0;
  for (const auto& entry : fs::recursive_directory_iterator(one, error)) {
    if (!entry.is_regular_file()) continue;
    ++files;
    if (!same_bytes(entry.path(), other + entry.path().string().substr(one.size()))) return false;
  }
  std::size_t others = 0;
  for (const auto& entry : fs::recursive_directory_iterator(other, error)) others += entry.is_regular_file() ? 1U : 0U;
  return !error && files == others;
}

// The command, followed by what brings its result to disk.
std::vector<std::string> with_sync(const std::vector<std::string>& words, const Stage& stage) {
  const char* const script =
      stage.job().folder ? "\"$@\" && exec find \"$0\" -exec sync {} +" : "\"$@\" && exec sync \"$0\"";
  std::vector<std::string> out{"sh", "-c", script, stage.result};
  out.insert(out.end(), words.begin(), words.end());
  return out;
}

Outcome<End> timed(const Contestant& who, const Command& command, std::chrono::nanoseconds patience) {
  auto receiver = Process::start(command);
  if (!receiver) return std::unexpected(receiver.error());
  if (!who.until_line) return receiver->wait(patience);
  const bool said = receiver->read_line(patience).has_value();
  const double wall = seconds_between(receiver->started(), Clock::now());
  if (!said) {
    const End end = receiver->stop();
    return std::unexpected(interrupted() ? std::string("interrupted")
                                         : fmt::format("no line of output; exit code {}", end.exit_code));
  }
  const double used = receiver->cpu_seconds();
  End end = receiver->stop();
  end.exit_code = 0;  // that of an interrupt
  end.wall_seconds = wall;
  end.cpu_seconds = used;
  return end;
}

Outcome<Run> measured(const Job& job, const Contestant& who, const std::string& folder) {
  Stage stage(job, folder);
  auto words = who.prepare(stage);
  if (!words) return std::unexpected(words.error());
  if (job.durable && !who.syncs_itself) words = with_sync(*words, stage);
  const std::string errors = stage.at("receiver.err");
  stage.start_clock();
  const auto end = timed(
      who, {.words = *words, .capture = who.until_line, .output_file = "", .error_file = errors, .folder = folder},
      patience_for(job.bytes));
  std::string said = last_line(errors);
  const std::string other = stage.last_words();  // before it says that it was stopped
  Run run;
  stage.stop(run);
  if (!other.empty()) said += (said.empty() ? "" : "; ") + ("its source: " + other);
  if (!end) return std::unexpected(said.empty() ? end.error() : end.error() + ": " + said);
  if (end->exit_code != 0)
    return std::unexpected(fmt::format("{} (exit code {})", said.empty() ? "it failed" : said, end->exit_code));
  const std::string& got = stage.result;
  if (!got.empty() && !(job.folder ? same_trees(job.source, got) : same_bytes(job.source, got)))
    return std::unexpected("what it delivered is not what was sent" + (said.empty() ? said : ": " + said));
  run.wall_seconds = end->wall_seconds;
  run.bytes = job.bytes;
  run.receiver_cpu_seconds = end->cpu_seconds;
  run.receiver_memory_bytes = end->peak_memory_bytes;
  return run;
}

Outcome<Run> one_run(const Job& job, const Contestant& who, Scratch& scratch) {
  const std::string folder = scratch.folder(who.id);
  auto run = measured(job, who, folder);
  std::error_code ignored;
  fs::remove_all(folder, ignored);
  if (interrupted()) return std::unexpected(std::string("interrupted"));
  if (!run) return std::unexpected(who.id + ": " + run.error());
  return run;
}

Row row_of(const Contestant& who) {
  Row row;
  row.id = who.id;
  row.label = who.label;
  row.group = who.group;
  return row;
}

}  // namespace

Stage::Stage(const Job& job, std::string folder) : job_(job), folder_(std::move(folder)) {
  result = at("out");
}

Outcome<bool> Stage::serve(const std::vector<std::string>& words, const std::function<bool()>& ready) {
  const std::string name = fmt::format("source-{}", sources_.size() + 1);
  auto source = Process::start(
      {.words = words, .output_file = at(name + ".out"), .error_file = at(name + ".err"), .folder = folder_});
  if (!source) return std::unexpected(source.error());
  sources_.push_back(std::move(*source));
  const auto deadline = Clock::now() + kReadyPatience;
  while (!ready()) {
    if (interrupted()) return std::unexpected(std::string("interrupted"));
    const bool late = Clock::now() > deadline;
    if (!late && sources_.back().running()) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      continue;
    }
    const std::string said = last_words();
    return std::unexpected(fmt::format("its source {}{}", late ? "was not ready in time" : "ended at once",
                                       said.empty() ? said : ": " + said));
  }
  return true;
}

std::string Stage::last_words() const {
  std::string said;
  for (std::size_t i = 1; i <= sources_.size() && said.empty(); ++i)
    said = last_line(at(fmt::format("source-{}.err", i)));
  return said;
}

double Stage::source_cpu_seconds() const {
  double sum = 0;
  for (const Process& source : sources_) sum += source.cpu_seconds();
  return sum;
}

std::uint64_t Stage::source_memory_bytes() const {
  std::uint64_t most = 0;
  for (const Process& source : sources_) most = std::max(most, source.peak_memory_bytes());
  return most;
}

void Stage::stop(Run& run) {
  if (sources_.empty()) return;
  std::uint64_t memory = source_memory_bytes();
  run.source_cpu_seconds = std::max(0.0, source_cpu_seconds() - cpu_before_);
  for (Process& source : sources_) {
    const bool ended = !source.running();
    const End end = source.stop();
    if (ended) memory = std::max(memory, end.peak_memory_bytes);  // one that has ended has no memory to look at
  }
  if (memory > 0) run.source_memory_bytes = memory;
}

Outcome<Contest> hold_contest(const Job& job, const Contestant& base, const std::vector<Contestant>& others,
                              unsigned runs, Scratch& scratch, Progress& progress) {
  Contest contest{row_of(base), {}};
  for (const Contestant& who : others) contest.others.push_back({row_of(who), row_of(base), {}});
  const auto ahead = [&](unsigned round, const std::string& name) {
    progress.say(round == 0 ? "warming up: " + name : fmt::format("run {} of {}: {}", round, runs, name));
  };
  for (unsigned round = 0; round <= runs; ++round) {
    for (std::size_t i = 0; i < others.size(); ++i) {
      Entry& entry = contest.others[i];
      if (!entry.failure.empty()) continue;
      ahead(round, others[i].label);
      auto own = one_run(job, base, scratch);
      if (!own) return std::unexpected(own.error());
      auto its = one_run(job, others[i], scratch);
      if (interrupted()) return std::unexpected(std::string("interrupted"));
      if (!its) {
        entry.failure = its.error();
        entry.row.runs.clear();
        entry.base.runs.clear();
      } else if (round > 0) {
        entry.row.runs.push_back(*its);
        entry.base.runs.push_back(*own);
        contest.base.runs.push_back(*own);
      }
    }
    if (round == 0 ? !others.empty() : contest.base.runs.size() >= round) continue;
    ahead(round, base.label);  // nobody is left; its own figures are still worth something
    auto own = one_run(job, base, scratch);
    if (!own) return std::unexpected(own.error());
    if (round > 0) contest.base.runs.push_back(*own);
  }
  return contest;
}

std::string free_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  auto* const any = reinterpret_cast<sockaddr*>(&address);
  const bool bound = fd >= 0 && ::bind(fd, any, length) == 0 && ::getsockname(fd, any, &length) == 0;
  if (fd >= 0) ::close(fd);
  return std::to_string(bound ? ntohs(address.sin_port) : 0);
}

bool is_listening(const std::string& port) {
  std::ifstream file("/proc/net/tcp");
  const std::string address = fmt::format(":{:04X} ", std::stoul(port));
  std::string line;
  std::getline(file, line);
  while (std::getline(file, line)) {
    const auto at = line.find(address);  // the first address is the local one; 0A: listening
    if (at != std::string::npos && at < 20 && line.find(" 0A ") != std::string::npos) return true;
  }
  return false;
}

Outcome<bool> make_once(const std::string& path, const Command& command) {
  if (fs::exists(path)) return true;
  Command one = command;
  one.error_file = path + ".err";
  auto process = Process::start(one);
  if (!process) return std::unexpected(process.error());
  const auto end = process->wait(std::chrono::minutes(10));
  if (!end) return std::unexpected(fmt::format("{}: {}", command.words[0], end.error()));
  if (end->exit_code == 0 && fs::exists(path)) return true;
  return std::unexpected(
      fmt::format("{}: {} (exit code {})", command.words[0], last_line(one.error_file), end->exit_code));
}

std::string last_line(const std::string& path) {
  std::ifstream file(path);
  std::string last;
  for (std::string line; std::getline(file, line);)
    if (const auto end = line.find_last_not_of(" \t\r"); end != std::string::npos) last = line.substr(0, end + 1);
  return cli::shortened(cli::printable(last), 200);
}

}  // namespace peernet::bench
