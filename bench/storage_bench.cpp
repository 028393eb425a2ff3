// The receiver's way to the disk: plans per chunk, the writer thread on tmpfs, direct writes, and reading back.
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <semaphore>
#include <vector>

#include "base/check.hpp"
#include "crypto/hash.hpp"
#include "storage/chunk_checker.hpp"
#include "storage/posix_direct.hpp"
#include "storage/posix_fd.hpp"
#include "storage/resume.hpp"
#include "storage/write_planner.hpp"
#include "storage/writer_thread.hpp"

namespace peernet::storage {
namespace {

constexpr std::uint32_t kChunk = content::kDefaultChunkBytes;
constexpr std::uint32_t kFileChunks = 32;
constexpr std::uint32_t kInFlight = 8;

content::ManifestCore core_of(std::uint32_t chunks) {
  content::ManifestCore core;
  core.total_bytes = core.payload_bytes = std::uint64_t{chunks} * kChunk;
  core.chunk_count = chunks;
  core.entry_count = 1;
  return core;
}

/// A file without a name in the directory, 32 MiB long; invalid if the flags are refused there.
Fd nameless_file(const char* directory, int flags) {
  Fd fd(::open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC | flags, 0600));
  if (fd.valid()) PN_CHECK(::ftruncate(fd.get(), off_t{kFileChunks} * kChunk) == 0);
  return fd;
}

const char* disk_directory() {
  const char* wanted = std::getenv("PEERNET_BENCH_DIRECTORY");
  return wanted != nullptr ? wanted : "/var/tmp";
}

/// Lent to a thread as its wake.
struct Bell {
  std::counting_semaphore<> rung{0};
  static void ring(void* self) { static_cast<Bell*>(self)->rung.release(); }
};

// A chunk's life in the planner: verified, planned, written, its event taken; items are chunks.
void plan_writes(benchmark::State& state) {
  constexpr std::uint32_t kChunks = 1 << 16;
  WritePlannerOptions options;
  options.core = core_of(kChunks);
  options.sync = state.range(0) != 0;
  auto planner = std::make_unique<WritePlanner>(options);
  std::uint32_t chunk = 0;
  const Instant now = Instant::from_ns(1);
  for (auto _ : state) {
    PN_CHECK(planner->on_verified(ChunkIndex(chunk), BufferSlot(chunk % 8)));
    while (const auto op = planner->poll_op(now)) planner->on_completed(op->id, op->length, now);
    while (const auto event = planner->poll_event()) benchmark::DoNotOptimize(event->chunk);
    if (++chunk + 1 < kChunks) continue;  // the last one would begin the end of the file
    state.PauseTiming();
    planner = std::make_unique<WritePlanner>(options);
    chunk = 0;
    state.ResumeTiming();
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(plan_writes)->ArgName("sync")->Arg(0)->Arg(1);

// What an earlier run left of a file of 64 GiB, every second chunk; items are chunks.
void plan_resume(benchmark::State& state) {
  constexpr std::uint32_t kChunks = 1 << 16;
  const content::ManifestCore core = core_of(kChunks);
  content::ChunkMap recorded(kChunks);
  std::vector<Extent> extents;
  for (std::uint64_t c = 0; c < kChunks; c += 2) {
    recorded.set(ChunkIndex(static_cast<std::uint32_t>(c)));
    extents.push_back({c * kChunk, (c + 1) * kChunk});
  }
  for (auto _ : state) {
    ResumePlan plan(core, &recorded, extents);
    while (const auto chunk = plan.next()) plan.on_checked(*chunk, true);
    PN_CHECK(plan.done());
    benchmark::DoNotOptimize(chunks_in_holes(core, extents));
  }
  state.SetItemsProcessed(state.iterations() * kChunks);
}
BENCHMARK(plan_resume)->Unit(benchmark::kMillisecond);

// Chunks through the writer thread into the page cache of tmpfs; CPU of both threads.
void write_buffered(benchmark::State& state) {
  const Fd file = nameless_file("/dev/shm", 0);
  if (!file.valid()) {
    state.SkipWithError("/dev/shm takes no file");
    return;
  }
  const std::vector<std::byte> chunk(kChunk, std::byte{7});
  Bell bell;
  WriterThread thread;
  WriterClient client(thread, kInFlight, Bell::ring, &bell);
  std::vector<WriterCompletion> done(kInFlight);
  std::uint64_t next = 0;
  const auto take = [&] {
    bell.rung.acquire();
    const std::size_t n = client.take(done);
    for (std::size_t i = 0; i < n; ++i) PN_CHECK(done[i].result == std::int64_t{kChunk});
  };
  for (auto _ : state) {
    while (!client.submit(
        {.token = next, .fd = file.get(), .bytes = chunk, .offset = next % kFileChunks * std::uint64_t{kChunk}}))
      take();
    ++next;
  }
  while (client.in_flight() > 0) take();
  state.SetBytesProcessed(static_cast<std::int64_t>(next) * kChunk);
}
BENCHMARK(write_buffered)->MeasureProcessCPUTime()->UseRealTime();

// Chunks with O_DIRECT, one at a time, into a file that has its blocks; PEERNET_BENCH_DIRECTORY names the disk.
void write_direct(benchmark::State& state) {
  const Fd file = nameless_file(disk_directory(), O_DIRECT);
  const DirectAlignment alignment = file.valid() ? direct_alignment(file.get()) : DirectAlignment{};
  const std::unique_ptr<void, decltype(&std::free)> memory(std::aligned_alloc(4096, kChunk), &std::free);
  const auto bytes = MutableByteSpan(static_cast<std::byte*>(memory.get()), kChunk);
  std::ranges::fill(bytes, std::byte{7});
  if (alignment.offset == 0 || ::posix_fallocate(file.get(), 0, off_t{kFileChunks} * kChunk) != 0) {
    state.SkipWithError("no direct writes here; PEERNET_BENCH_DIRECTORY names another directory");
    return;
  }
  std::uint64_t next = 0;
  for (auto _ : state) {
    PN_CHECK(::pwrite(file.get(), bytes.data(), bytes.size(), static_cast<off_t>(next++ % kFileChunks * kChunk)) ==
             ssize_t{kChunk});
  }
  state.SetBytesProcessed(state.iterations() * kChunk);
}
BENCHMARK(write_direct)->UseRealTime();

// A part file's chunks read back and hashed on the checker's thread, out of the page cache.
void check_chunks(benchmark::State& state) {
  const Fd file = nameless_file("/dev/shm", 0);
  if (!file.valid()) {
    state.SkipWithError("/dev/shm takes no file");
    return;
  }
  const std::vector<std::byte> chunk(kChunk, std::byte{7});
  for (std::uint32_t i = 0; i < kFileChunks; ++i)
    PN_CHECK(::pwrite(file.get(), chunk.data(), chunk.size(), off_t{i} * kChunk) == ssize_t{kChunk});
  const Hash128 expected = crypto::xxh3_128(chunk);
  Bell bell;
  ChunkChecker checker(file.get(), kInFlight, Bell::ring, &bell);
  std::vector<CheckResult> results(kInFlight);
  std::uint32_t next = 0;
  const auto take = [&] {
    bell.rung.acquire();
    const std::size_t n = checker.take(results);
    for (std::size_t i = 0; i < n; ++i) PN_CHECK(results[i].matches);
  };
  for (auto _ : state) {
    while (!checker.submit({.chunk = ChunkIndex(next % kFileChunks),
                            .offset = std::uint64_t{next % kFileChunks} * kChunk,
                            .length = kChunk,
                            .expected = expected}))
      take();
    ++next;
  }
  while (checker.in_flight() > 0) take();
  state.SetBytesProcessed(std::int64_t{next} * kChunk);
}
BENCHMARK(check_chunks)->MeasureProcessCPUTime()->UseRealTime();

}  // namespace
}  // namespace peernet::storage

BENCHMARK_MAIN();
