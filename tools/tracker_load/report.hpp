// What a run found out, as lines for people or as one JSON object.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "options.hpp"
#include "reply_checker.hpp"
#include "stats.hpp"

namespace peernet::tracker_load {

/// One sentence on standard error; returns the status.
int complain(std::string_view sentence, int status);

/// Samples around a phase.
class PhaseClock {
 public:
  /// Says on standard error that the phase begins: who wants to interfere in the middle of it reads that.
  PhaseClock(const Options& options, const char* phase);
  /// The phase is over; `limit` is what a timed one was to last (the wait for its last replies does not count), else 0.
  void stop(double limit_seconds);

  const char* name() const { return name_; }
  double seconds() const { return seconds_; }
  double load_cpu_seconds() const { return load_cpu_; }
  const ProcessSample& before() const { return before_; }
  const ProcessSample& after() const { return after_; }
  double tracker_cpu_seconds() const { return after_.cpu_seconds - before_.cpu_seconds; }

 private:
  const char* name_;
  int pid_;
  Instant start_;
  double seconds_ = 0;
  double load_cpu_ = 0;
  ProcessSample before_;
  ProcessSample after_;
};

/// Collects phases; prints each at once for people, all at the end as JSON.
class Report {
 public:
  Report(const Options& options, const char* mode);

  nlohmann::ordered_json& fields() { return json_; }
  void add(const PhaseClock& clock, const Stats& stats);
  void add(const Verified& verified);
  /// Prints the JSON; the exit status.
  int finish(bool good);

 private:
  const Options& options_;
  nlohmann::ordered_json json_;
};

}  // namespace peernet::tracker_load
