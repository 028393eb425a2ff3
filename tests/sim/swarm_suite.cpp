#include "sim/swarm_suite.hpp"

#include <cstdio>

#include "sim/crowd_model.hpp"
#include "sim/swarm_world.hpp"

namespace peernet::sim {

namespace {

/// A part of the seeds is played twice: the same seed must give the same trace.
constexpr std::uint64_t kTwiceEvery = 16;

void describe(const SwarmScenario& s, const SwarmReport& r) {
  std::printf("content %llu bytes, %s, %u trackers, hurt %.3f s, %zu events\n",
              static_cast<unsigned long long>(s.content_bytes), s.is_private ? "private" : "public", s.trackers,
              static_cast<double>(s.hurt_for.count()) * 1e-9, s.events.size());
  for (std::size_t n = 0; n < s.nodes.size(); ++n) {
    const NodePlan& p = s.nodes[n];
    std::printf("node %zu: %s up %llu down %llu delay %.1f ms loss %.3f%s%s\n", n,
                p.role == Role::kPublisher ? "publisher"
                : p.role == Role::kSharer  ? "sharer"
                                           : "getter",
                static_cast<unsigned long long>(p.up.rate), static_cast<unsigned long long>(p.down.rate),
                static_cast<double>((p.up.delay + p.down.delay).count()) * 1e-6, p.up.loss,
                p.honest() ? "" : " dishonest", p.serves_after ? " serves on" : "");
  }
  std::printf("received %llu duplicate %llu gets %u failed and repeated %u banned %u finished %.3f s over %.3f s\n",
              static_cast<unsigned long long>(r.received_bytes), static_cast<unsigned long long>(r.duplicate_bytes),
              r.finished, r.failed_gets, r.banned, static_cast<double>(r.finished_at.ns()) * 1e-9,
              static_cast<double>(r.over_at.ns()) * 1e-9);
}

SeedResult run_seed(std::uint64_t seed, const SeedOptions& options) {
  const SwarmScenario scenario = draw_swarm(seed, options.nodes);
  const SwarmReport report = SwarmWorld(scenario, options.verbose).run();
  if (options.verbose) describe(scenario, report);
  SeedResult result;
  result.state = SeedResult::State::kPassed;
  result.trace = report.trace;
  result.events = report.events;
  result.bytes = report.received_bytes;
  result.virtual_ns = report.over_at.ns();
  if (!report.passed) result.fail(report.reason);
  if (seed % kTwiceEvery == 1 && SwarmWorld(scenario).run().trace != report.trace)
    result.fail("the same seed gave another trace");
  return result;
}

SeedResult run_crowd(std::uint64_t seed, const SeedOptions& options) {
  const std::uint32_t getters = options.nodes == 0 ? 100 : options.nodes;
  const SwarmScenario scenario = crowd(seed, getters);
  const SwarmReport report = SwarmWorld(scenario, options.verbose).run();
  const double ideal = static_cast<double>(scenario.content_bytes) / kCrowdRate;
  const double took = static_cast<double>(report.finished_at.ns()) * 1e-9;
  std::printf("%u receivers: the last is done after %.3f s, %.2f times the ideal of %.3f s; duplicates %.2f %%\n",
              getters, took, took / ideal, ideal,
              100.0 * static_cast<double>(report.duplicate_bytes) / static_cast<double>(report.received_bytes + 1));
  const auto copies = [&](std::uint64_t bytes) {
    return static_cast<double>(bytes) / static_cast<double>(scenario.content_bytes);
  };
  const auto done = [&](std::size_t part) {
    return static_cast<double>(report.done_at[(report.done_at.size() - 1) * part / 10].ns()) * 1e-9;
  };
  std::printf("  done: the first after %.3f s, half after %.3f s, nine in ten after %.3f s\n", done(0), done(5),
              done(9));
  std::printf(
      "  sent, in copies of the content: %.2f by the publisher, %.2f by each receiver; links were used to %.0f %% and "
      "%.0f %%\n",
      copies(report.publisher_sent), copies(report.getters_sent) / getters,
      100 * copies(report.publisher_sent) * ideal / took, 100 * copies(report.getters_sent) / getters * ideal / took);
  std::fflush(stdout);
  SeedResult result;
  result.state = SeedResult::State::kPassed;
  result.trace = report.trace;
  result.events = report.events;
  result.bytes = report.received_bytes;
  result.virtual_ns = report.over_at.ns();
  if (!report.passed) result.fail(report.reason);
  return result;
}

SeedResult run_crowd_model(std::uint64_t seed, const SeedOptions& options) {
  CrowdPlan plan;
  plan.seed = seed;
  plan.receivers = options.nodes == 0 ? 1000 : options.nodes;
  const CrowdReport report = play_crowd(plan);
  std::printf("%u receivers: the last is done after %.3f s, %.2f times the ideal of %.3f s; duplicates %.2f %%\n",
              plan.receivers, report.last_seconds, report.last_seconds / report.ideal_seconds, report.ideal_seconds,
              100.0 * static_cast<double>(report.duplicate_bytes) / static_cast<double>(report.received_bytes + 1));
  std::printf("  done: the first after %.3f s, half after %.3f s\n", report.first_seconds, report.half_seconds);
  std::printf("  sent, in copies of the content: %.2f by the publisher, %.2f by each receiver\n",
              report.publisher_copies, report.receiver_copies);
  std::fflush(stdout);
  SeedResult result;
  result.state = SeedResult::State::kPassed;
  result.trace = report.trace;
  result.events = report.events;
  result.bytes = report.received_bytes;
  result.virtual_ns = static_cast<std::int64_t>(report.last_seconds * 1e9);
  if (!report.finished) result.fail("not all receivers have everything");
  return result;
}

}  // namespace

Suite crowd_model_suite() {
  return {"crowd-model", 1, 1, run_crowd_model, 3600};
}

Suite crowd_suite() {
  return {"crowd", 1, 1, run_crowd, 3600};
}

Suite swarm_suite() {
  return {"swarm", 100, 1000, run_seed, 120};
}

}  // namespace peernet::sim
