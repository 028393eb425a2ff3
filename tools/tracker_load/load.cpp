// The load of stock clients: populate, run, verify.
#include <memory>
#include <thread>

#include "jobs.hpp"
#include "packets.hpp"
#include "report.hpp"
#include "worker.hpp"

namespace peernet::tracker_load {
namespace {

class Load {
 public:
  Load(const Options& options, Sources sources)
      : options_(options), model_(options), sources_(std::move(sources)), rng_(options.seed), report_(options, "load") {
    for (std::uint32_t i = 0; i < options.threads; ++i)
      workers_.push_back(std::make_unique<Worker>(options_, model_, sources_, i));
  }

  int run() {
    if (!take_connection_ids()) return complain("no connect reply from " + options_.target, kNoReply);
    describe();
    if (options_.populate && !measure("populate", Phase::kPopulate, 0)) return kNoReply;
    if (options_.seconds > 0) {
      if (options_.warmup_seconds > 0)
        good_ = run_workers(Phase::kRun, options_.warmup_seconds).invalid() == 0 && good_;
      if (!measure("run", Phase::kRun, options_.seconds)) return kNoReply;
    }
    if (options_.verify) {
      take_connection_ids();  // a long run may have outlived the first ones
      if (!measure("verify", Phase::kVerify, 0)) return kNoReply;
      Verified all;
      for (const auto& worker : workers_) all.merge(worker->verified());
      report_.add(all);
      good_ = good_ && all.wrong == 0 && all.swarms == options_.swarms;
    }
    return report_.finish(good_);
  }

 private:
  bool take_connection_ids() {
    for (std::uint32_t i = 0; i < sources_.count(); ++i)
      if (!sources_.connect(i, rng_, 10)) return false;
    return true;
  }

  void describe() {
    auto& fields = report_.fields();
    fields["peers"] = options_.peers;
    fields["largest_swarm"] = model_.size_of(0);
    fields["zipf"] = options_.zipf;
    fields["sources"] = options_.sources;
    fields["source_addresses"] = sources_.addresses();
    fields["threads"] = options_.threads;
    fields["gso"] = options_.gso;
    fields["rate"] = options_.rate;
    fields["mix"] = {options_.mix.connect, options_.mix.announce, options_.mix.scrape};
    fields["numwant"] = options_.numwant;
  }

  Stats run_workers(Phase phase, double seconds) {
    const Instant end = now() + Duration(static_cast<std::int64_t>(seconds * 1e9));
    std::vector<std::jthread> threads;
    for (std::size_t i = 1; i < workers_.size(); ++i) threads.emplace_back([=, this] { workers_[i]->run(phase, end); });
    workers_[0]->run(phase, end);
    threads.clear();
    Stats stats;
    for (const auto& worker : workers_) stats.merge(worker->stats());
    return stats;
  }

  // False: no reply at all.
  bool measure(const char* name, Phase phase, double seconds) {
    PhaseClock clock(options_, name);
    const Stats stats = run_workers(phase, seconds);
    clock.stop(seconds);
    report_.add(clock, stats);
    good_ = good_ && stats.invalid() == 0 && stats.at(Count::kErrors) == 0;
    if (stats.at(Count::kBytesIn) == 0) complain("no reply at all", kNoReply);
    return stats.at(Count::kBytesIn) != 0;
  }

  const Options& options_;
  Model model_;
  Sources sources_;
  Rng rng_;
  Report report_;
  std::vector<std::unique_ptr<Worker>> workers_;
  bool good_ = true;
};

}  // namespace

int run_load(const Options& options) {
  auto sources = Sources::open(options);
  if (!sources) return complain(sources.error(), kUsage);
  return Load(options, std::move(*sources)).run();
}

}  // namespace peernet::tracker_load
