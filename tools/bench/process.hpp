// Programs that are measured: started, watched, ended, and what they cost.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "outcome.hpp"

namespace peernet::bench {

using Clock = std::chrono::steady_clock;

inline double seconds_between(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

struct Command {
  std::vector<std::string> words;  ///< the first is looked up in PATH unless it has a slash
  int network = -1;                ///< descriptor of the network namespace to run in, -1: this one
  bool capture = false;            ///< standard output goes to Process::output(), else nowhere
  std::string output_file{};       ///< standard output, if not captured; empty: nowhere
  std::string error_file{};        ///< standard error; empty: nowhere
  std::string folder{};            ///< working directory, empty: this one
};

/// How a process ended and what it used, with the children that it waited for.
struct End {
  int exit_code = 0;  ///< 128 + the signal's number if one ended it
  double wall_seconds = 0;
  double cpu_seconds = 0;
  std::uint64_t peak_memory_bytes = 0;  ///< the largest resident set; never below the one of this program at the start
};

/// One child, leader of a process group of its own. It does not outlive this object, nor this program, whatever ends
/// it; the rest of its group does not outlive this object.
class Process {
 public:
  /// Fails, with the program's name and the system's reason, if it cannot be started.
  static Outcome<Process> start(const Command& command);

  Process(Process&& other) noexcept;
  Process& operator=(Process&& other) noexcept;
  ~Process();

  int pid() const { return pid_; }
  /// Read end of its standard output if Command::capture, else -1. Owned by this object.
  int output() const { return output_; }
  /// When exec was called.
  Clock::time_point started() const { return started_; }
  bool running();

  /// Of its standard output if Command::capture: the first line without its end; nothing if none is whole within
  /// `patience`, before interrupted() or its end. What came behind the line is lost.
  std::optional<std::string> read_line(std::chrono::nanoseconds patience) const;
  /// All that comes until it is closed, interrupted() or `patience` is over.
  std::string read_all(std::chrono::nanoseconds patience) const;

  /// CPU time so far of it and of its descendants, the living and those that were waited for; 0 once wait() or stop()
  /// returned.
  double cpu_seconds() const;
  /// The largest resident set of it and its living descendants, summed, in bytes.
  std::uint64_t peak_memory_bytes() const;

  /// Waits for its end; fails, and kills it, if that takes longer than `patience` or interrupted().
  Outcome<End> wait(std::chrono::nanoseconds patience);
  /// SIGTERM to its group, and SIGKILL after two seconds, then what it used in all.
  End stop();

 private:
  Process() = default;
  void reap(End& end);
  bool ended_within(std::chrono::nanoseconds patience) const;
  std::string read_until(char last, std::chrono::nanoseconds patience) const;

  int pid_ = -1;
  int pidfd_ = -1;
  int output_ = -1;
  Clock::time_point started_;
  End end_;
};

/// SIGINT and SIGTERM no longer end this program: waits for a process end at once, and modes stop between their steps.
/// A second signal ends it; children die with it.
void catch_signals();
/// Whether one has come.
bool interrupted();

/// The path of a program of this name in PATH; empty if there is none. A name with a slash is a path.
std::string find_program(const std::string& program);
/// Whether a program of this name can be run.
bool is_installed(const std::string& program);

/// Standard output of a command that ends by itself within ten seconds; nothing if it cannot be run or fails.
std::string output_of(const std::vector<std::string>& words);

}  // namespace peernet::bench
