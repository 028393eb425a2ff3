// What a published or verified byte costs above the bare hashes of bench_crypto, and the books of tables and folders.
#include <benchmark/benchmark.h>

#include <vector>

#include "base/check.hpp"
#include "content/chunk_hasher.hpp"
#include "content/chunk_map.hpp"
#include "content/layout.hpp"
#include "content/merkle.hpp"
#include "content/table.hpp"
#include "content/tree_chunks.hpp"

namespace peernet::content {
namespace {

constexpr std::uint32_t kChunk = kDefaultChunkBytes;
constexpr unsigned kChunkHeight = 6;  // 64 leaves of 16 KiB

std::vector<std::byte> some_bytes(std::size_t n) {
  std::vector<std::byte> out(n);
  for (std::size_t i = 0; i < n; ++i) out[i] = static_cast<std::byte>(i * 31 + (i >> 8));
  return out;
}

void count_bytes(benchmark::State& state, std::size_t each) {
  state.SetBytesProcessed(static_cast<std::int64_t>(each) * state.iterations());
}

// Both hashes of a chunk, read in pieces of the argument's size: the publisher's price of a byte.
void hash_chunk(benchmark::State& state) {
  const std::vector<std::byte> chunk = some_bytes(kChunk);
  const auto piece = static_cast<std::size_t>(state.range(0));
  for (auto _ : state) {
    ChunkHasher hasher;
    for (std::size_t at = 0; at < chunk.size(); at += piece) hasher.update(ByteSpan(chunk).subspan(at, piece));
    benchmark::DoNotOptimize(hasher.finish(kChunkHeight));
  }
  count_bytes(state, kChunk);
}
BENCHMARK(hash_chunk)->Arg(64 << 10)->Arg(256 << 10)->Arg(1 << 20);

// The receiver's check against a Merkle root (--verify sha256).
void verify_chunk_sha256(benchmark::State& state) {
  const std::vector<std::byte> chunk = some_bytes(kChunk);
  for (auto _ : state) benchmark::DoNotOptimize(chunk_sha256(chunk, kChunkHeight));
  count_bytes(state, kChunk);
}
BENCHMARK(verify_chunk_sha256);

// The same in a folder of files of the argument's size: gaps cut leaves short.
void verify_tree_chunk_sha256(benchmark::State& state) {
  const std::vector<std::uint64_t> sizes((8U << 20) / static_cast<std::uint64_t>(state.range(0)) + 1,
                                         static_cast<std::uint64_t>(state.range(0)));
  const auto layout = Layout::make(sizes, kChunk);
  PN_CHECK(layout.has_value());
  const std::uint32_t length = layout->chunk_payload(ChunkIndex(1));
  const std::vector<std::byte> chunk = some_bytes(length);
  for (auto _ : state) benchmark::DoNotOptimize(tree_chunk_sha256(*layout, ChunkIndex(1), chunk, kChunkHeight));
  count_bytes(state, length);
}
BENCHMARK(verify_tree_chunk_sha256)->Arg(1000)->Arg(20'000)->Arg(3'000'000);

// The segments of each chunk of 100,000 files; items are segments. Every read and write of a folder walks them.
void layout_segments(benchmark::State& state) {
  const std::vector<std::uint64_t> sizes(100'000, static_cast<std::uint64_t>(state.range(0)));
  const auto layout = Layout::make(sizes, kChunk);
  PN_CHECK(layout.has_value());
  const std::uint32_t chunks = chunk_count_for(layout->total_bytes(), kChunk);
  std::int64_t segments = 0;
  std::uint32_t chunk = 0;
  for (auto _ : state) {
    Layout::Cursor cursor = layout->segments(ChunkIndex(chunk));
    while (const auto segment = cursor.next()) {
      benchmark::DoNotOptimize(segment->file_offset);
      ++segments;
    }
    chunk = (chunk + 1) % chunks;
  }
  state.SetItemsProcessed(segments);
}
BENCHMARK(layout_segments)->Arg(1000)->Arg(100'000);

void layout_make(benchmark::State& state) {
  const std::vector<std::uint64_t> sizes(100'000, 20'000);
  for (auto _ : state) benchmark::DoNotOptimize(Layout::make(sizes, kChunk));
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(sizes.size()));
}
BENCHMARK(layout_make);

TableShape xxh3_shape(std::uint32_t chunks) {
  ManifestCore core;
  core.total_bytes = core.payload_bytes = std::uint64_t{chunks} * kChunk;
  core.chunk_count = chunks;
  return table_shape(core, TableId::kXxh3);
}

// A page of hashes with its proof, accepted or served; the table is that of 16 GiB. Bytes are those of the pages.
void table_accept_page(benchmark::State& state) {
  constexpr std::uint32_t kChunks = 16 << 10;
  const std::vector<std::byte> bytes = some_bytes(kChunks * 16);
  const PageTable full = PageTable::build(xxh3_shape(kChunks), bytes);
  ByteArray<kMaxPageReplyBytes> reply;
  PageTable table(full.shape());
  std::uint32_t page = 0;
  for (auto _ : state) {
    const std::uint32_t length = full.write_reply(page, reply);
    PN_CHECK(table.accept_page(page, ByteSpan(reply).first(length)) == PageVerdict::kAccepted);
    if (++page == full.shape().pages) {
      page = 0;
      table = PageTable(full.shape());
    }
  }
  count_bytes(state, kPageBytes);
}
BENCHMARK(table_accept_page);

// A tree over so many leaves, as a table has it over its pages; items are leaves.
void merkle_build(benchmark::State& state) {
  const auto n = static_cast<std::uint32_t>(state.range(0));
  const std::vector<Hash256> leaves(n);
  for (auto _ : state) {
    MerkleTree tree(n, 0);  // another one each time: what is known is not hashed again
    tree.build(leaves);
    benchmark::DoNotOptimize(tree.root());
  }
  state.SetItemsProcessed(state.iterations() * n);
}
BENCHMARK(merkle_build)->Arg(64)->Arg(4096);

// A HAVE_MAP page of every second chunk; items are chunks.
void map_page_round_trip(benchmark::State& state) {
  ChunkMap from(kChunksPerMapPage);
  for (std::uint32_t c = 0; c < kChunksPerMapPage; c += 2) from.set(ChunkIndex(c));
  ChunkMap to(kChunksPerMapPage);
  ByteArray<kMapPageBytes> page;
  for (auto _ : state) {
    from.write_map_page(0, page);
    PN_CHECK(to.merge_map_page(0, page));
  }
  state.SetItemsProcessed(state.iterations() * kChunksPerMapPage);
}
BENCHMARK(map_page_round_trip);

}  // namespace
}  // namespace peernet::content

BENCHMARK_MAIN();
