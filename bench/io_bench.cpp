// Ring and epoll loops on loopback: GSO trains from one thread to another, as the node sends them (44 x 1472 bytes, as
// a 1500-byte MTU cuts them), and the cost of a turn that finds nothing.
#include <benchmark/benchmark.h>
#include <pthread.h>

#include <atomic>
#include <ctime>
#include <memory>
#include <thread>
#include <vector>

#include "io/driver_factory.hpp"
#include "io/probe.hpp"
#include "io/socket_group.hpp"

namespace peernet::io {
namespace {

constexpr std::uint32_t kSegmentSize = 1472;
constexpr std::size_t kSegments = 44;
constexpr std::size_t kTrainBytes = kSegmentSize * kSegments;
constexpr std::size_t kTrains = 8;                // in flight; 512 KiB, which stays in the cache
constexpr std::uint64_t kWindowBytes = 2U << 20;  // what may be under way, so that the socket buffer drops nothing
constexpr Duration kPatience = 20ms;

void pin(unsigned cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu % std::max(1U, std::thread::hardware_concurrency()), &set);
  pthread_setaffinity_np(pthread_self(), sizeof set, &set);
}

double thread_cpu_seconds() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

struct Shard {
  std::unique_ptr<SocketGroup> group;
  std::unique_ptr<Driver> driver;
};

Shard open_shard(Engine engine, bool offload) {
  const Capabilities capabilities = probe_capabilities();
  SocketGroupOptions group_options;
  group_options.listen = Address::v4(127, 0, 0, 1, 0);
  auto group = SocketGroup::open(group_options, capabilities);
  if (!group) return {};
  Shard out;
  out.group = std::make_unique<SocketGroup>(std::move(*group));
  DriverOptions options;
  options.engine = engine;
  options.offload = offload;
  auto driver = make_driver(options, capabilities, out.group->shard(0));
  if (driver) out.driver = std::move(*driver);
  return out;
}

class CountingSink final : public Sink {
 public:
  void on_datagrams(Instant, std::span<Received> batch) override {
    std::uint64_t n = 0;
    for (const Received& r : batch) n += r.bytes.size();
    // Relaxed: the number alone is what the sender looks at.
    received.fetch_add(n, std::memory_order_relaxed);
  }
  void on_sent(OpToken, std::int32_t result) override {
    --in_flight;
    if (result > 0) sent += static_cast<std::uint64_t>(result);
  }
  void on_file(OpToken, FileOp, std::int64_t) override {}
  void on_wake() override {}

  std::atomic<std::uint64_t> received{0};
  std::uint64_t sent = 0;
  std::size_t in_flight = 0;
};

// Arguments: engine, offloads, and whether the receiver polls instead of sleeping: the difference is the cost of waking
// up.
void trains(benchmark::State& state) {
  const auto engine = state.range(0) != 0 ? Engine::kUring : Engine::kEpoll;
  const bool offload = state.range(1) != 0;
  const Duration receiver_patience = state.range(2) != 0 ? Duration(0) : kPatience;
  Shard from = open_shard(engine, offload);
  Shard to = open_shard(engine, offload);
  if (!from.driver || !to.driver) {
    state.SkipWithError("this kernel refuses the engine");
    return;
  }
  CountingSink receiver;
  std::atomic<bool> stop{false};
  double receive_cpu = 0;
  double send_cpu = 0;
  std::thread thread([&] {
    pin(1);
    while (!stop.load(std::memory_order_relaxed)) to.driver->turn(to.driver->now() + receiver_patience, receiver);
    receive_cpu = thread_cpu_seconds();
  });
  pin(0);
  std::vector<std::byte> pool(kTrains * kTrainBytes, std::byte{0});
  for (std::size_t i = 0; i < pool.size(); i += kSegmentSize) pool[i] = std::byte{0x53};
  CountingSink sender;
  std::uint64_t lost = 0;
  std::uint64_t token = 0;
  const auto send_once = [&] {
    while (sender.in_flight < kTrains) {
      Send send;
      send.token = OpToken(token);
      send.to = to.group->local();
      send.bytes = ByteSpan(pool).subspan((token++ % kTrains) * kTrainBytes, kTrainBytes);
      send.segment_size = kSegmentSize;
      send.ecn = 2;
      if (!from.driver->submit_send(send)) break;
      ++sender.in_flight;
    }
    from.driver->turn(from.driver->now() + kPatience, sender);
  };
  for (auto _ : state) {
    const double cpu = thread_cpu_seconds();
    send_once();
    send_cpu += thread_cpu_seconds() - cpu;
    // Wait for the receiver, spinning: the bench is about the data path, not about waking up.
    Instant patience = from.driver->now() + kPatience;
    while (sender.sent - lost - receiver.received.load(std::memory_order_relaxed) > kWindowBytes) {
      if (from.driver->now() > patience) {  // dropped: forget it
        lost = sender.sent - receiver.received.load(std::memory_order_relaxed);
        break;
      }
    }
  }
  const std::uint64_t received = receiver.received.load();
  stop = true;
  to.driver->wake();
  thread.join();
  state.SetBytesProcessed(static_cast<std::int64_t>(received));
  // CPU seconds per GB and side, without the sender's spinning: what stays comparable on a busy machine.
  if (sender.sent > 0) state.counters["send_s_GB"] = send_cpu * 1e9 / static_cast<double>(sender.sent);
  if (received > 0) state.counters["receive_s_GB"] = receive_cpu * 1e9 / static_cast<double>(received);
  state.counters["lost_MB"] = static_cast<double>(lost) / 1e6;
}
BENCHMARK(trains)
    ->ArgNames({"uring", "offload", "poll"})
    ->Args({1, 1, 0})
    ->Args({0, 1, 0})
    ->Args({1, 1, 1})
    ->Args({0, 1, 1})
    ->Args({1, 0, 0})
    ->Args({0, 0, 0})
    ->UseRealTime();

void empty_turn(benchmark::State& state) {
  Shard shard = open_shard(state.range(0) != 0 ? Engine::kUring : Engine::kEpoll, true);
  if (!shard.driver) {
    state.SkipWithError("this kernel refuses the engine");
    return;
  }
  CountingSink sink;
  for (auto _ : state) shard.driver->turn(shard.driver->now(), sink);
}
BENCHMARK(empty_turn)->ArgName("uring")->Arg(1)->Arg(0);

}  // namespace
}  // namespace peernet::io

BENCHMARK_MAIN();
