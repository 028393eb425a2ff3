// The containers of the data path.
#include <benchmark/benchmark.h>

#include "base/range_set.hpp"
#include "base/rng.hpp"
#include "base/timer_wheel.hpp"

namespace peernet {
namespace {

using ByteRanges = RangeSet<std::uint32_t, WhenFull::kRefuse>;

// A chunk that arrives in order, packet by packet.
void range_set_in_order(benchmark::State& state) {
  ByteRanges set(512);
  std::uint32_t at = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(set.insert({at, at + 1432}));
    at += 1432;
    if (at > 1 << 20) {
      set.clear();
      at = 0;
    }
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(range_set_in_order);

// The same with every argument-th packet missing.
void range_set_with_holes(benchmark::State& state) {
  ByteRanges set(1024);
  const auto every = static_cast<std::uint32_t>(state.range(0));
  std::uint32_t n = 0;
  for (auto _ : state) {
    if (n % every != 0) benchmark::DoNotOptimize(set.insert({n * 1432, n * 1432 + 1432}));
    if (++n == 732) {
      set.clear();
      n = 0;
    }
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(range_set_with_holes)->Arg(2)->Arg(20);

void timer_arm_and_cancel(benchmark::State& state) {
  TimerWheel<std::uint32_t> wheel(Instant::from_ns(0), 50us, 4096);
  Rng rng(1);
  for (int i = 0; i < 1000; ++i) wheel.arm(Instant::from_ns(static_cast<std::int64_t>(rng.below(10'000'000'000))), 1);
  for (auto _ : state) {
    const auto timer = wheel.arm(Instant::from_ns(static_cast<std::int64_t>(rng.below(10'000'000'000))), 2);
    benchmark::DoNotOptimize(wheel.next_deadline());
    wheel.cancel(timer);
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(timer_arm_and_cancel);

}  // namespace
}  // namespace peernet

BENCHMARK_MAIN();
