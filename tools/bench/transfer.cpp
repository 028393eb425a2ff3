#include "transfer.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <map>
#include <optional>
#include <string_view>
#include <utility>

#include "contest.hpp"

namespace peernet::bench {
namespace {

namespace fs = std::filesystem;

constexpr auto kLookEvery = std::chrono::milliseconds(5);
constexpr const char* kDatagram = "1500";

void append(std::vector<std::string>& words, const std::vector<std::string>& more) {
  words.insert(words.end(), more.begin(), more.end());
}

// One `peernet get` and what it prints.
class Receiver {
 public:
  static Outcome<Receiver> start(const Peernet& peernet, Scratch& scratch, const Place& place,
                                 const std::string& link_file) {
    Receiver out(scratch.folder("get"));
    std::vector<std::string> words{peernet.program,
                                   "get",
                                   "@" + link_file,
                                   "--output",
                                   out.got(),
                                   "--listen",
                                   place.address + ":0",
                                   "--max-datagram",
                                   kDatagram,
                                   "--sync",
                                   "none",
                                   "--state",
                                   out.folder_ + "/state",
                                   "--progress",
                                   "json"};
    if (peernet.sample_every > 0) append(words, {"--progress-every", fmt::format("{}", peernet.sample_every)});
    append(words, peernet.get_words);
    auto process = Process::start({.words = words, .network = place.network, .capture = true, .error_file = out.log()});
    if (!process) return std::unexpected(process.error());
    out.process_ = std::move(*process);
    return out;
  }

  std::string got() const { return folder_ + "/out"; }
  int output() const { return process_->output(); }
  Clock::time_point started() const { return process_->started(); }
  const End& end() const { return end_; }
  std::uint64_t memory() const { return memory_ > 0 ? memory_ : end_.peak_memory_bytes; }
  const std::vector<StampedLine>& lines() const { return lines_; }

  // False at the end of its output. Lines are only put aside: taking them apart would cost time while the clock runs.
  bool read() {
    char block[16384];
    const ssize_t count = ::read(output(), block, sizeof block);
    if (count < 0) return errno == EINTR;
    const double now = seconds_between(started(), Clock::now());
    rest_.append(block, static_cast<std::size_t>(count));
    std::size_t from = 0;
    for (std::size_t end = 0; (end = rest_.find('\n', from)) != std::string::npos; from = end + 1) {
      lines_.push_back({now, rest_.substr(from, end - from)});
      // Its own peak: what the system tells at its end would count this program's, too.
      if (lines_.back().text.find(R"("event":"complete")") != std::string::npos)
        memory_ = process_->peak_memory_bytes();
    }
    rest_.erase(0, from);
    return count > 0;
  }

  // Fails with its own last words.
  Outcome<bool> finish(std::chrono::nanoseconds patience) {
    auto end = process_->wait(patience);
    if (!end) return std::unexpected("peernet get: " + end.error());
    end_ = *end;
    if (end_.exit_code == 0) return true;
    const std::string words = last_line(log());
    return std::unexpected(words.empty() ? fmt::format("peernet get ended with exit code {}", end_.exit_code) : words);
  }

  void remove() const {
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }

 private:
  explicit Receiver(std::string folder) : folder_(std::move(folder)) {}
  std::string log() const { return folder_ + "/log"; }

  std::string folder_, rest_;
  std::optional<Process> process_;
  std::vector<StampedLine> lines_;
  End end_;
  std::uint64_t memory_ = 0;
};

// Reads until all have ended.
Outcome<bool> follow(std::vector<Receiver>& receivers, std::chrono::seconds patience) {
  const auto deadline = Clock::now() + patience;
  std::vector<pollfd> outputs;
  for (const Receiver& receiver : receivers) outputs.push_back({receiver.output(), POLLIN, 0});
  for (std::size_t left = outputs.size(); left > 0;) {
    const auto rest = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
    if (interrupted()) return std::unexpected("interrupted");
    if (rest.count() <= 0) return std::unexpected(fmt::format("peernet get: no end within {} s", patience.count()));
    if (::poll(outputs.data(), outputs.size(), static_cast<int>(rest.count())) < 0) continue;  // a signal
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      if (outputs[i].revents == 0 || receivers[i].read()) continue;
      outputs[i].fd = -1;  // the end of its output: it is about to exit
      --left;
      if (auto good = receivers[i].finish(deadline - Clock::now()); !good) return good;
    }
  }
  return true;
}

std::uint64_t duplicates_in(const std::vector<StampedLine>& lines) {
  for (auto line = lines.rbegin(); line != lines.rend(); ++line) {
    const auto event = nlohmann::json::parse(line->text, nullptr, false);
    if (event.is_object() && event.value("event", "") == "progress") return event.value("bytes_duplicate", 0ULL);
  }
  return 0;
}

double cpu_of(std::span<const Source> sources) {
  double sum = 0;
  for (const Source& source : sources) sum += source.process().cpu_seconds();
  return sum;
}

void fill(Transfer& out, const std::vector<Receiver>& receivers) {
  Run& run = out.run;
  Clock::time_point first = receivers.front().started(), last = first;
  double cpu = 0;
  std::uint64_t memory = 0, duplicates = 0;
  for (const Receiver& receiver : receivers) {
    const auto lasted =
        std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(receiver.end().wall_seconds));
    first = std::min(first, receiver.started());
    last = std::max(last, receiver.started() + lasted);
    cpu += receiver.end().cpu_seconds;
    memory = std::max(memory, receiver.memory());
    duplicates += duplicates_in(receiver.lines());
    out.walls.push_back(receiver.end().wall_seconds);
  }
  run.wall_seconds = seconds_between(first, last);
  run.receiver_cpu_seconds = cpu;
  run.receiver_memory_bytes = memory;
  run.duplicate_bytes = duplicates;
}

}  // namespace

std::chrono::seconds patience_for(std::uint64_t bytes) {
  constexpr std::uint64_t kLeastRate = 2'000'000;
  return std::chrono::seconds(60 + bytes / kLeastRate);
}

// ---- sources

Source::Source(Process&& process, Place place, std::string folder)
    : process_(std::move(process)), place_(std::move(place)), link_file_(folder + "/link"), log_(folder + "/log") {}

Outcome<Source> Source::start(const Peernet& peernet, Scratch& scratch, const Place& place, const std::string& path,
                              const std::string& join) {
  const std::string folder = scratch.folder("share");
  std::vector<std::string> words{
      peernet.program,  "share",          path,      "--listen", place.address + ":0", "--link-file",
      folder + "/link", "--max-datagram", kDatagram, "--state",  folder + "/state",    "--quiet"};
  if (!join.empty()) append(words, {"--join", "@" + join});
  append(words, peernet.share_words);
  auto process = Process::start({.words = words, .network = place.network, .error_file = folder + "/log"});
  if (!process) return std::unexpected(process.error());
  return Source(std::move(*process), place, folder);
}

// The file comes by rename, after the trackers of the link have listed this source.
Outcome<bool> Source::wait_ready(std::chrono::seconds patience) {
  const auto deadline = Clock::now() + patience;
  while (::access(link_file_.c_str(), F_OK) != 0) {
    if (interrupted()) return std::unexpected("interrupted");
    if (!process_.running()) {
      const std::string words = last_words();
      return std::unexpected(words.empty() ? "peernet share ended before it served" : words);
    }
    if (Clock::now() > deadline)
      return std::unexpected(fmt::format("peernet share is not ready within {} s", patience.count()));
    ::poll(nullptr, 0, static_cast<int>(kLookEvery.count()));
  }
  return true;
}

std::string Source::last_words() const {
  return last_line(log_);
}

Outcome<std::vector<Source>> start_sources(const Peernet& peernet, Scratch& scratch, std::span<const Place> places,
                                           const std::string& path) {
  std::vector<Source> out;
  for (const Place& place : places) {
    auto source = Source::start(peernet, scratch, place, path, out.empty() ? "" : out.front().link_file());
    if (!source) return std::unexpected(source.error());
    out.push_back(std::move(*source));
    if (out.size() > 1) continue;
    if (auto ready = out.front().wait_ready(peernet.patience); !ready) return std::unexpected(ready.error());
  }
  for (Source& source : out)
    if (auto ready = source.wait_ready(peernet.patience); !ready) return std::unexpected(ready.error());
  return out;
}

// ---- receivers

Outcome<Transfer> transfer(const Peernet& peernet, Scratch& scratch, std::span<Source> sources,
                           std::span<const Place> places, const std::string& path, std::uint64_t bytes,
                           const std::function<bool(const std::string& got)>& same) {
  const double before = cpu_of(sources);
  std::vector<Receiver> receivers;
  for (const Place& place : places) {
    auto receiver = Receiver::start(peernet, scratch, place, sources.front().link_file());
    if (!receiver) return std::unexpected(receiver.error());
    receivers.push_back(std::move(*receiver));
  }
  auto good = follow(receivers, peernet.patience);
  for (Source& source : sources)
    if (!interrupted() && !source.running()) return std::unexpected("a source has ended: " + source.last_words());
  if (!good) return std::unexpected(good.error());
  Transfer out;
  fill(out, receivers);
  out.run.bytes = bytes * receivers.size();
  out.run.source_cpu_seconds = cpu_of(sources) - before;
  std::uint64_t memory = 0;
  for (const Source& source : sources) memory = std::max(memory, source.process().peak_memory_bytes());
  out.run.source_memory_bytes = memory;
  if (peernet.sample_every > 0) {
    std::vector<Place> from;
    for (const Source& source : sources) from.push_back(source.place());
    out.timeline = timeline_of(receivers.front().lines(), from);
  }
  for (const Receiver& receiver : receivers) {
    if (!(same ? same(receiver.got()) : same_bytes(receiver.got(), path)))
      return std::unexpected("what was received is not what was shared");
    receiver.remove();
  }
  return out;
}

Timeline timeline_of(std::span<const StampedLine> lines, std::span<const Place> sources) {
  Timeline out;
  std::map<std::string, std::size_t> columns;
  const auto column_of = [&](const std::string& peer) {
    const auto [at, fresh] = columns.try_emplace(peer, out.names.size());
    if (!fresh) return at->second;
    const std::string host = peer.substr(0, peer.rfind(':'));
    const auto has = [&](const Place& place) { return place.address == host; };
    out.names.push_back(std::ranges::count_if(sources, has) == 1 ? std::ranges::find_if(sources, has)->name
                                                                 : fmt::format("source {}", out.names.size() + 1));
    return at->second;
  };
  for (const StampedLine& line : lines) {
    const auto event = nlohmann::json::parse(line.text, nullptr, false);
    if (!event.is_object() || event.value("event", "") != "progress" || !event.contains("by_source")) continue;
    Timeline::Point point{.seconds = line.seconds, .bytes = std::vector<std::uint64_t>(out.names.size())};
    for (const auto& source : event["by_source"]) {
      const std::size_t column = column_of(source.value("peer", ""));
      point.bytes.resize(std::max(point.bytes.size(), column + 1));
      point.bytes[column] += source.value("bytes", std::uint64_t{0});
    }
    out.points.push_back(std::move(point));
  }
  for (Timeline::Point& point : out.points) point.bytes.resize(out.names.size());
  return out;
}

}  // namespace peernet::bench
