// Real `peernet share` and `peernet get`, ready, timed and compared.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "mode.hpp"
#include "outcome.hpp"
#include "process.hpp"
#include "result.hpp"

namespace peernet::bench {

/// Where a program runs: this host, or one of a lab.
struct Place {
  std::string name = "local";
  std::string address = "127.0.0.1";  ///< numeric; what it listens at
  int network = -1;                   ///< see Command
};

/// How peernet is run. Defaults come first, so that words given here win.
struct Peernet {
  std::string program;
  std::vector<std::string> share_words{}, get_words{};  ///< further options
  double sample_every = 0;                              ///< seconds between the points of a timeline, 0: none is kept
  std::chrono::seconds patience{120};                   ///< with one step, before it is called failed
};

/// How long a step with so many bytes may take before it is called failed, however slow the link or the machine.
std::chrono::seconds patience_for(std::uint64_t bytes);

/// A running `peernet share`. It stops with this object.
class Source {
 public:
  /// Shares `path`, or joins the swarm of the link in `join` if that is not empty. It is not ready yet.
  static Outcome<Source> start(const Peernet& peernet, Scratch& scratch, const Place& place, const std::string& path,
                               const std::string& join = {});

  /// Waits until it serves and a tracker lists it.
  Outcome<bool> wait_ready(std::chrono::seconds patience);
  /// The file with its link.
  const std::string& link_file() const { return link_file_; }
  const Place& place() const { return place_; }
  const Process& process() const { return process_; }
  bool running() { return process_.running(); }
  /// What it said last on standard error.
  std::string last_words() const;

 private:
  Source(Process&& process, Place place, std::string folder);

  Process process_;
  Place place_;
  std::string link_file_, log_;
};

/// Of the same bytes, all ready: the first one makes the link, the others join it at the same time.
Outcome<std::vector<Source>> start_sources(const Peernet& peernet, Scratch& scratch, std::span<const Place> places,
                                           const std::string& path);

/// What of a transfer is not in its Run.
struct Transfer {
  Run run;                    ///< of all receivers together: from the first exec to the last exit
  std::vector<double> walls;  ///< of each receiver
  Timeline timeline;          ///< of the first receiver, if there was to be one
};

/// Gets the link of the first source at every place at once, compares what came with `path` (by bytes, or by `same`)
/// when the clock has stopped, and removes it.
Outcome<Transfer> transfer(const Peernet& peernet, Scratch& scratch, std::span<Source> sources,
                           std::span<const Place> receivers, const std::string& path, std::uint64_t bytes,
                           const std::function<bool(const std::string& got)>& same = {});

/// Content bytes by source from the lines of `get --progress json`, each with the seconds at which it came. Sources
/// are called as the place with their address, if only one has it, else "source 1" and so on as they joined.
struct StampedLine {
  double seconds = 0;
  std::string text;
};
Timeline timeline_of(std::span<const StampedLine> lines, std::span<const Place> sources);

}  // namespace peernet::bench
