#include "report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "jobs.hpp"
#include "sources.hpp"

namespace peernet::tracker_load {
namespace {

double per(double amount, std::uint64_t of) {
  return of == 0 ? 0 : amount / static_cast<double>(of);
}

double rounded(double value, double steps) {
  return std::round(value * steps) / steps;
}

// "3 announces, 1 lost" of the counters from one to another that are not zero.
std::string list_of(const Stats& stats, Count first, Count last) {
  std::string out;
  for (auto i = static_cast<std::uint8_t>(first); i <= static_cast<std::uint8_t>(last); ++i)
    if (const auto count = static_cast<Count>(i); stats.at(count) != 0)
      out += fmt::format("{}{} {}", out.empty() ? "" : ", ", stats.at(count), name_of(count));
  return out.empty() ? "none" : out;
}

void print(const PhaseClock& clock, const Stats& stats, bool with_tracker) {
  fmt::print("{}: {:.2f} s, {:.0f} replies/s: {}; lost {}, late {}\n", clock.name(), clock.seconds(),
             static_cast<double>(stats.replies()) / clock.seconds(), list_of(stats, Count::kConnects, Count::kContents),
             stats.at(Count::kLost), stats.at(Count::kLate));
  fmt::print("  latency us: p50 {:.0f}, p99 {:.0f}, p99.9 {:.0f}, most {:.0f}\n", stats.latency.quantile_us(0.5),
             stats.latency.quantile_us(0.99), stats.latency.quantile_us(0.999), stats.latency.max_us());
  fmt::print("  invalid: {}{}{}; seen: {}\n", list_of(stats, Count::kBadTransaction, Count::kForgotten),
             stats.first_invalid.empty() ? "" : ", the first: ", stats.first_invalid,
             list_of(stats, Count::kListsChecked, Count::kSeedToSeed));
  if (!stats.first_error.empty()) fmt::print("  first error reply: {}\n", stats.first_error);
  if (with_tracker)
    fmt::print(
        "  tracker: {:.2f} CPU s ({:.0f} %), {:.2f} us a reply, {:.2f} us a content, RSS {:.1f} MiB ({:+.1f}); load "
        "{:.2f} CPU s\n",
        clock.tracker_cpu_seconds(), 100 * clock.tracker_cpu_seconds() / clock.seconds(),
        per(clock.tracker_cpu_seconds() * 1e6, stats.replies()),
        per(clock.tracker_cpu_seconds() * 1e6, stats.at(Count::kContents)), clock.after().rss_kib / 1024,
        (clock.after().rss_kib - clock.before().rss_kib) / 1024, clock.load_cpu_seconds());
  std::fflush(stdout);
}

}  // namespace

int complain(std::string_view sentence, int status) {
  fmt::print(stderr, "peernet-bench: {}\n", sentence);
  return status;
}

PhaseClock::PhaseClock(const Options& options, const char* phase)
    : name_(phase),
      pid_(options.pid),
      start_(now()),
      load_cpu_(own_cpu_seconds()),
      before_(sample_process(options.pid)) {
  fmt::print(stderr, "peernet-bench: {} ...\n", phase);
}

void PhaseClock::stop(double limit_seconds) {
  seconds_ = static_cast<double>((now() - start_).count()) / 1e9;
  if (limit_seconds > 0) seconds_ = std::min(seconds_, limit_seconds);
  load_cpu_ = own_cpu_seconds() - load_cpu_;
  after_ = sample_process(pid_);
}

Report::Report(const Options& o, const char* mode) : options_(o) {
  json_ = {{"mode", mode},   {"target", o.target}, {"swarms", o.swarms},
           {"seed", o.seed}, {"window", o.window}, {"batch", o.batch}};
}

void Report::add(const PhaseClock& clock, const Stats& stats) {
  if (!options_.json) return print(clock, stats, options_.pid != 0);
  nlohmann::ordered_json phase{{"seconds", rounded(clock.seconds(), 1e4)},
                               {"replies", stats.replies()},
                               {"replies_per_s", rounded(static_cast<double>(stats.replies()) / clock.seconds(), 1)},
                               {"invalid", stats.invalid()},
                               {"first_invalid", stats.first_invalid},
                               {"first_error", stats.first_error},
                               {"latency_us",
                                {{"p50", rounded(stats.latency.quantile_us(0.5), 10)},
                                 {"p90", rounded(stats.latency.quantile_us(0.9), 10)},
                                 {"p99", rounded(stats.latency.quantile_us(0.99), 10)},
                                 {"p999", rounded(stats.latency.quantile_us(0.999), 10)},
                                 {"max", rounded(stats.latency.max_us(), 10)}}},
                               {"load_cpu_s", rounded(clock.load_cpu_seconds(), 1e3)}};
  if (options_.pid != 0) {
    const double cpu = clock.tracker_cpu_seconds();
    phase["tracker"] = {{"cpu_s", rounded(cpu, 1e4)},
                        {"busy", rounded(cpu / clock.seconds(), 1e3)},
                        {"cpu_us_per_reply", rounded(per(cpu * 1e6, stats.replies()), 1e3)},
                        {"cpu_us_per_content", rounded(per(cpu * 1e6, stats.at(Count::kContents)), 1e4)},
                        {"rss_kib", clock.after().rss_kib},
                        {"rss_growth_kib", clock.after().rss_kib - clock.before().rss_kib}};
  }
  for (std::uint8_t i = 0; i < static_cast<std::uint8_t>(Count::kCount); ++i)
    phase["counts"][std::string(name_of(static_cast<Count>(i)))] = stats.at(static_cast<Count>(i));
  json_["phases"][clock.name()] = std::move(phase);
}

void Report::add(const Verified& v) {
  if (options_.json)
    json_["verified"] = {{"swarms", v.swarms},
                         {"exact", v.exact},
                         {"within_unsure", v.within_unsure},
                         {"wrong", v.wrong},
                         {"first_wrong", v.first_wrong}};
  else
    fmt::print("verified: {} swarms, {} exact, {} within the uncertainty of lost replies, {} wrong{}{}\n", v.swarms,
               v.exact, v.within_unsure, v.wrong, v.first_wrong.empty() ? "" : ", the first: ", v.first_wrong);
}

int Report::finish(bool good) {
  json_["ok"] = good;
  if (options_.json) fmt::print("{}\n", json_.dump(1, ' ', true, nlohmann::ordered_json::error_handler_t::replace));
  return good ? kAllPlausible : kCheckFailed;
}

}  // namespace peernet::tracker_load
