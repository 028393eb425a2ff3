#include "stats.hpp"

#include <time.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <filesystem>
#include <fstream>

namespace peernet::tracker_load {
namespace {

constexpr auto kNames = std::to_array<std::string_view>({"sent",
                                                         "bytes_to_tracker",
                                                         "bytes_from_tracker",
                                                         "lost",
                                                         "late",
                                                         "send_blocked",
                                                         "socket_errors",
                                                         "connects",
                                                         "announces",
                                                         "scrapes",
                                                         "node_announces",
                                                         "heartbeats",
                                                         "queries",
                                                         "error_replies",
                                                         "contents",
                                                         "bad_transaction",
                                                         "bad_action",
                                                         "bad_length",
                                                         "bad_count",
                                                         "over_numwant",
                                                         "alien",
                                                         "wrong_swarm",
                                                         "ghost",
                                                         "stale",
                                                         "duplicate",
                                                         "wrong_node",
                                                         "forgotten",
                                                         "lists_checked",
                                                         "lists_nonempty",
                                                         "peers_listed",
                                                         "self_listed",
                                                         "short_lists",
                                                         "seed_to_seed"});
static_assert(kNames.size() == static_cast<std::size_t>(Count::kCount));

}  // namespace

std::string_view name_of(Count count) {
  return kNames[static_cast<std::size_t>(count)];
}

void Histogram::add(Duration latency) {
  const std::uint64_t ns = static_cast<std::uint64_t>(std::max<std::int64_t>(latency.count(), 1 << kStepBits));
  const int octave = static_cast<int>(std::bit_width(ns)) - 1;
  const std::uint64_t step = ns >> (octave - kStepBits) & ((1 << kStepBits) - 1);
  ++buckets_[(static_cast<std::size_t>(octave) << kStepBits) + step];
  ++count_;
  max_ = std::max(max_, ns);
}

void Histogram::merge(const Histogram& other) {
  for (std::size_t i = 0; i < buckets_.size(); ++i) buckets_[i] += other.buckets_[i];
  count_ += other.count_;
  max_ = std::max(max_, other.max_);
}

double Histogram::quantile_us(double q) const {
  const auto wanted = static_cast<std::uint64_t>(std::ceil(q * static_cast<double>(count_)));
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < buckets_.size(); ++i) {
    seen += buckets_[i];
    if (buckets_[i] == 0 || seen < wanted) continue;
    const double middle = 1.0 + (static_cast<double>(i % (1 << kStepBits)) + 0.5) / (1 << kStepBits);
    return std::min(static_cast<double>(max_), std::ldexp(middle, static_cast<int>(i >> kStepBits))) / 1e3;
  }
  return 0;
}

void Stats::invalid(Count count, const char* what) {
  add(count);
  if (first_invalid.empty()) first_invalid = what;
}

std::uint64_t Stats::sum(Count first, Count last) const {
  std::uint64_t total = 0;
  for (auto i = static_cast<std::size_t>(first); i <= static_cast<std::size_t>(last); ++i) total += counts[i];
  return total;
}

void Stats::merge(const Stats& other) {
  latency.merge(other.latency);
  for (std::size_t i = 0; i < counts.size(); ++i) counts[i] += other.counts[i];
  if (first_error.empty()) first_error = other.first_error;
  if (first_invalid.empty()) first_invalid = other.first_invalid;
}

ProcessSample sample_process(int pid) {
  ProcessSample out;
  if (pid == 0) return out;
  const std::filesystem::path process = "/proc/" + std::to_string(pid);
  std::error_code gone;
  for (const auto& task : std::filesystem::directory_iterator(process / "task", gone)) {
    std::uint64_t ns = 0;
    if (std::ifstream(task.path() / "schedstat") >> ns) out.cpu_seconds += static_cast<double>(ns) / 1e9;
  }
  std::ifstream status(process / "status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmRSS:")) out.rss_kib = std::strtod(line.c_str() + 6, nullptr);
  return out;
}

double own_cpu_seconds() {
  timespec t{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) / 1e9;
}

}  // namespace peernet::tracker_load
