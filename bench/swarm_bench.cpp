// What a packet of a download costs above the transport: its target and its mark; and a request from asking to its end.
#include <benchmark/benchmark.h>

#include "base/slab.hpp"
#include "swarm/download.hpp"
#include "swarm/fair_queue.hpp"
#include "swarm/have_log.hpp"
#include "swarm/upload.hpp"

namespace peernet::swarm {
namespace {

constexpr std::uint32_t kChunk = 1 << 20;
constexpr std::uint32_t kPacket = 1432;

// Chunk after chunk from one source, 1432 bytes a packet; items are packets.
void download_packets(benchmark::State& state) {
  DownloadOptions options;
  Download download(options);
  constexpr std::uint32_t kChunks = 1 << 16;
  download.begin_chunks({.count = kChunks, .bytes = kChunk, .last_bytes = kChunk, .assemblies = 24});
  download.set_verifiable(ChunkIndex(0), kChunks);
  Instant now = Instant::from_ns(0);
  const SourceIndex source = *download.add_source(now);
  download.on_have_all(source);
  std::int64_t packets = 0;
  for (auto _ : state) {
    now += 10us;
    const auto plan = download.next_request(now);
    if (!plan) {
      state.SkipWithError("the content is used up");
      break;
    }
    for (std::uint32_t at = plan->offset; at < plan->offset + plan->length; at += kPacket) {
      const std::uint32_t length = std::min(kPacket, plan->offset + plan->length - at);
      benchmark::DoNotOptimize(download.target(source, plan->id, at, length));
      ++packets;
      if (const auto whole = download.on_data(now, source, plan->id, at, length)) {
        download.on_verified(*whole);
        download.on_written(*whole);
      }
    }
  }
  state.SetItemsProcessed(packets);
  state.SetBytesProcessed(static_cast<std::int64_t>(download.received_bytes()));
}
BENCHMARK(download_packets)->Iterations(20000);

// The same with a whole train's bytes at once, as the session hands over packets that follow each other.
void download_trains(benchmark::State& state) {
  constexpr std::uint32_t kTrain = 44 * kPacket;
  constexpr std::uint32_t kChunks = 1 << 16;
  Download download({});
  download.begin_chunks({.count = kChunks, .bytes = kChunk, .last_bytes = kChunk, .assemblies = 24});
  download.set_verifiable(ChunkIndex(0), kChunks);
  Instant now = Instant::from_ns(0);
  const SourceIndex source = *download.add_source(now);
  download.on_have_all(source);
  std::int64_t trains = 0;
  for (auto _ : state) {
    now += 10us;
    const auto plan = download.next_request(now);
    if (!plan) {
      state.SkipWithError("the content is used up");
      break;
    }
    for (std::uint32_t at = plan->offset, end = at + plan->length; at < end; at += kTrain, ++trains) {
      const std::uint32_t length = std::min(kTrain, end - at);
      benchmark::DoNotOptimize(download.target(source, plan->id, at, length));
      if (const auto whole = download.on_data(now, source, plan->id, at, length)) {
        download.on_verified(*whole);
        download.on_written(*whole);
      }
    }
  }
  state.SetItemsProcessed(trains);
  state.SetBytesProcessed(static_cast<std::int64_t>(download.received_bytes()));
}
BENCHMARK(download_trains)->Iterations(20000);

// A request and all its bytes at once, with 64 sources of which half hold a random half of 1,000,000 chunks.
void download_next_request(benchmark::State& state) {
  constexpr std::uint32_t kChunks = 1'000'000;
  constexpr std::uint32_t kBytes = 64 * 1024;
  Download download({});
  download.begin_chunks({.count = kChunks, .bytes = kBytes, .last_bytes = kBytes, .assemblies = 24});
  download.set_verifiable(ChunkIndex(0), kChunks);
  Instant now = Instant::from_ns(0);
  Rng rng(1);
  for (std::size_t i = 0; i < kMaxSources; ++i) {
    const SourceIndex source = *download.add_source(now);
    download.set_round_trip(source, 10ms, 10ms);
    if (i % 2 == 0) download.on_have_all(source);
    for (std::uint32_t c = 0; c < kChunks && i % 2 != 0; ++c)
      if (rng.chance(0.5)) download.on_have(source, c, 1);
  }
  for (auto _ : state) {
    now += 10us;
    const auto plan = download.next_request(now);
    if (!plan) {
      state.SkipWithError("nothing to ask");
      break;
    }
    if (const auto whole = download.on_data(now, plan->source, plan->id, plan->offset, plan->length)) {
      download.on_verified(*whole);
      download.on_written(*whole);
    }
  }
}
BENCHMARK(download_next_request)->Iterations(200'000);

// A request served: pieces taken, acknowledged, done; items are packets of 1432 bytes.
void upload_packets(benchmark::State& state) {
  UploadQueue queue;
  std::uint32_t id = 0;
  for (auto _ : state) {
    queue.on_request({.id = RequestId(++id), .slot = ContentSlot(2), .offset = 0, .length = kChunk});
    while (const auto piece = queue.next_piece(44 * kPacket))
      queue.on_acked(piece->request.id, piece->offset, piece->length);
  }
  state.SetItemsProcessed(state.iterations() * (kChunk / kPacket + 1));
}
BENCHMARK(upload_packets);

// The same with 255 others waiting behind it: what finding a request costs must not depend on them.
void upload_packets_of_many(benchmark::State& state) {
  UploadQueue queue;
  for (std::uint32_t i = 1; i < kMaxUploads; ++i)
    queue.on_request({.id = RequestId(i << 8), .slot = ContentSlot(2), .offset = 0, .length = kChunk});
  std::int64_t packets = 0;
  for (auto _ : state) {
    const auto piece = queue.next_piece(kPacket);
    if (!piece) {
      state.SkipWithError("all is sent");
      break;
    }
    benchmark::DoNotOptimize(queue.active(piece->request.id));
    queue.on_acked(piece->request.id, piece->offset, piece->length);
    ++packets;
  }
  state.SetItemsProcessed(packets);
}
BENCHMARK(upload_packets_of_many)->Iterations(150000);

// Turns of so many receivers that always have something to send; items are trains.
void fair_turns(benchmark::State& state) {
  const auto receivers = static_cast<std::size_t>(state.range(0));
  constexpr std::uint64_t kTrain = 44 * kPacket;
  Slab<FairShare> shares(static_cast<std::uint32_t>(receivers));
  FairQueue queue;
  for (std::size_t i = 0; i < receivers; ++i) {
    const SlabHandle who = shares.emplace();
    queue.push(who, *shares.get(who));
  }
  std::int64_t trains = 0;
  for (auto _ : state) {
    int left = 64;  // trains there are in a turn of the shard
    queue.run([&](SlabHandle who) { return shares.get(who); },
              [&](SlabHandle) {
                if (left-- == 0) return SendResult{SendResult::End::kStop, 0};
                ++trains;
                return SendResult{SendResult::End::kSent, kTrain};
              });
  }
  state.SetItemsProcessed(trains);
}
BENCHMARK(fair_turns)->Arg(1)->Arg(8)->Arg(4096);

// Chunks that come to be served, and the ranges that a receiver is told of them; items are chunks.
void have_log_grows(benchmark::State& state) {
  constexpr std::uint32_t kChunks = 4096;
  for (auto _ : state) {
    HaveLog log(kChunks);
    for (std::uint32_t i = 0; i < kChunks; ++i) log.add(ChunkIndex(i * 1031 % kChunks));  // in no order
    std::uint32_t told = 0;
    for (std::uint32_t i = 0; i < log.count(); ++i) told += log.has(log.at(i)) ? 1U : 0U;
    benchmark::DoNotOptimize(told);
  }
  state.SetItemsProcessed(state.iterations() * kChunks);
}
BENCHMARK(have_log_grows);

}  // namespace
}  // namespace peernet::swarm

BENCHMARK_MAIN();
