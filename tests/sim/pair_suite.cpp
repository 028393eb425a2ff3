#include "sim/pair_suite.hpp"

#include <cstdio>

#include "sim/pair.hpp"

namespace peernet::sim {

namespace {

/// A part of the seeds is played twice: the same seed must give the same trace.
constexpr std::uint64_t kTwiceEvery = 8;

void describe(const Scenario& s, const PairReport& r) {
  std::printf(
      "content %llu range %u requests %u tls %d ipv6 %d retry %d mtu %u/%u hurt %.3f s events %zu attack %.0f/s\n",
      static_cast<unsigned long long>(s.app.content_bytes), s.app.range_bytes, s.app.max_requests, s.real_tls, s.ipv6,
      s.demand_retry, s.hurt[0].mtu, s.interface_mtu, static_cast<double>(s.hurt_for.count()) * 1e-9, s.events.size(),
      s.attack.total());
  for (std::size_t side = 0; side < 2; ++side) {
    std::printf("%s link: delay %.3f ms rate %llu loss %.3f;", side == kClient ? "up" : "down",
                static_cast<double>(s.hurt[side].delay.count()) * 1e-6,
                static_cast<unsigned long long>(s.hurt[side].rate), s.hurt[side].loss);
    for (std::size_t f = 0; f < kFates; ++f)
      if (r.fates[side][f] != 0)
        std::printf(" %s %llu", name_of(static_cast<Fate>(f)), static_cast<unsigned long long>(r.fates[side][f]));
    std::printf("\n");
  }
  std::printf("sessions %llu retries %llu foreign %llu socket drops %llu finished %.3f s over %.3f s\n",
              static_cast<unsigned long long>(r.sessions), static_cast<unsigned long long>(r.retries),
              static_cast<unsigned long long>(r.foreign), static_cast<unsigned long long>(r.socket_drops),
              static_cast<double>(r.finished_at.ns()) * 1e-9, static_cast<double>(r.over_at.ns()) * 1e-9);
}

SeedResult run_seed(std::uint64_t seed, const SeedOptions& options) {
  const bool verbose = options.verbose;
  const Scenario scenario = draw_scenario(seed);
  const PairReport report = Pair(scenario, verbose).run();
  if (verbose) describe(scenario, report);
  SeedResult result;
  result.state = SeedResult::State::kPassed;
  result.trace = report.trace;
  result.events = report.events;
  result.bytes = report.bytes;
  result.virtual_ns = report.over_at.ns();
  if (!report.passed) result.fail(report.reason);
  if (seed % kTwiceEvery == 1 && Pair(scenario).run().trace != report.trace)
    result.fail("the same seed gave another trace");
  return result;
}

}  // namespace

Suite pair_suite() {
  return {"pair", 500, 5000, run_seed, 120};
}

}  // namespace peernet::sim
