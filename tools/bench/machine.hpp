// The machine that is measured on, and whether it was quiet.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "process.hpp"

namespace peernet::bench {

/// Processor, cores, memory, kernel, distribution and hypervisor: what decides whether two results may be compared.
nlohmann::json machine();

/// "2026-11-22T22:40:00Z".
std::string now_utc();

/// What else ran: from construction to verdict(), CPU time of the whole machine less that of this program and its
/// children.
class NoiseMeter {
 public:
  NoiseMeter();

  /// Keys as in a result: load_before, others_cores (CPUs kept busy by others), steal_cores (by other guests), noisy.
  nlohmann::json verdict() const;

 private:
  struct Times {
    double busy = 0, stolen = 0;  ///< CPU seconds of all cores
  };
  static Times times();

  Clock::time_point since_;
  double load_ = 0;
  Times before_;
  double own_ = 0;
};

/// Keeps free memory backed while it lives. Many virtual machines hand free pages to their host, and the first touch of
/// each then costs up to ten times as much, which hides every difference between tools. A process of its own does it:
/// the memory would count as the peak of every program that this one starts.
class MemoryKeeper {
 public:
  /// Touches that much memory (at most three quarters of what is free) and frees all but a page in each MiB; 0:
  /// nothing.
  explicit MemoryKeeper(double gib);
  ~MemoryKeeper();
  MemoryKeeper(const MemoryKeeper&) = delete;
  MemoryKeeper& operator=(const MemoryKeeper&) = delete;

 private:
  int pid_ = -1;
};

}  // namespace peernet::bench
