// The same job by several programs in turn: each run of one beside a run of the base, so that the ratio of neighbours
// means something on a machine whose speed drifts.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "console.hpp"
#include "mode.hpp"
#include "outcome.hpp"
#include "process.hpp"
#include "result.hpp"

namespace peernet::bench {

struct Job {
  std::string source;       ///< absolute path of the file or folder that is moved
  bool folder = false;      ///< what source is
  std::uint64_t bytes = 0;  ///< of content
  bool durable = false;     ///< the clock stops when the result is on disk, not in the page cache
  std::string peernet;      ///< the program
  std::string lasting;      ///< folder for what is made once: certificates, keys, torrents, the state of peernet
};

/// A run that is being prepared: its folder, its sources.
class Stage {
 public:
  Stage(const Job& job, std::string folder);

  const Job& job() const { return job_; }
  const std::string& folder() const { return folder_; }
  std::string at(const std::string& name) const { return folder_ + "/" + name; }

  /// Starts a source and waits until ready() holds; fails with its own words if it ends or that takes 30 seconds.
  Outcome<bool> serve(const std::vector<std::string>& words, const std::function<bool()>& ready);
  /// What the sources wrote last to standard error, shortened; empty if nothing.
  std::string last_words() const;

  double source_cpu_seconds() const;
  std::uint64_t source_memory_bytes() const;
  /// Ends them; what they used after they were ready, and their memory, goes into `run`.
  void stop(Run& run);
  /// To be called when everything is ready.
  void start_clock() { cpu_before_ = source_cpu_seconds(); }

  std::string result;  ///< where the receiving command puts its copy; "out" in the folder unless changed; empty: none

 private:
  const Job& job_;  // outlives every stage
  std::string folder_;
  std::vector<Process> sources_;
  double cpu_before_ = 0;
};

/// Starts the sources of one run and returns the words of the receiving command, which runs in the stage's folder.
using Prepare = std::function<Outcome<std::vector<std::string>>(Stage&)>;

struct Contestant {
  std::string id, label, group;  ///< of its row
  Prepare prepare;
  bool until_line = false;    ///< the clock stops at the first line of the command's output, not at its end
  bool syncs_itself = false;  ///< in a durable job nothing is added to its command
};

/// A contestant's runs, and those of the base just before each.
struct Entry {
  Row row, base;
  std::string failure;  ///< why it was given up, in its own words; then there are no runs
};

struct Contest {
  Row base;
  std::vector<Entry> others;
};

/// runs + 1 rounds, of which the first is not counted: base, first, base, second, ... A contestant that fails is left
/// out from there on; if the base fails, so does everything. Results are compared with the source, and removed.
Outcome<Contest> hold_contest(const Job& job, const Contestant& base, const std::vector<Contestant>& others,
                              unsigned runs, Scratch& scratch, Progress& progress);

/// A port of 127.0.0.1 that nobody listens on.
std::string free_port();
/// Whether somebody listens on that port (TCP).
bool is_listening(const std::string& port);
/// Runs a command that makes `path`, unless it is there; fails with its last words.
Outcome<bool> make_once(const std::string& path, const Command& command);
/// The last line of a file that says something, shortened and printable; empty if there is none.
std::string last_line(const std::string& path);

}  // namespace peernet::bench
