// Contents for tests: seeded bytes, their manifest and tables, computed the plain way.
#pragma once

#include <span>
#include <vector>

#include "base/rng.hpp"
#include "content/entries.hpp"
#include "content/manifest.hpp"
#include "content/merkle.hpp"
#include "content/table.hpp"
#include "crypto/hash.hpp"

namespace peernet::content {

inline std::vector<std::byte> random_bytes(std::size_t n, std::uint64_t seed) {
  Rng rng(seed);
  std::vector<std::byte> out(n);
  for (std::byte& b : out) b = static_cast<std::byte>(rng.next());
  return out;
}

inline Hash256 random_hash(Rng& rng) {
  Hash256 out;
  for (std::byte& b : out) b = static_cast<std::byte>(rng.next());
  return out;
}

struct Sample {
  Entry entry;
  ManifestCore core;
  PageTable entries, xxh3, sha256;
};

inline Sample describe_bytes(ByteSpan data, std::uint32_t chunk_bytes, const std::string& name = "sample") {
  Sample out;
  out.entry.path = name;
  out.entry.size = data.size();
  ManifestCore& core = out.core;
  core.chunk_bytes = chunk_bytes;
  core.total_bytes = core.payload_bytes = data.size();
  core.chunk_count = chunk_count_for(data.size(), chunk_bytes);
  core.entry_count = 1;
  std::vector<std::byte> xxh3, sha256;
  for (std::uint32_t i = 0; i < core.chunk_count; ++i) {
    const ByteSpan chunk = data.subspan(core.chunk_start(ChunkIndex{i}), core.chunk_span(ChunkIndex{i}));
    const Hash128 fast = crypto::xxh3_128(chunk);
    const Hash256 strong = chunk_sha256(chunk, chunk_tree_height(core));
    xxh3.insert(xxh3.end(), fast.begin(), fast.end());
    sha256.insert(sha256.end(), strong.begin(), strong.end());
  }
  const std::vector<std::byte> entries = encode_entries({out.entry}).value();
  core.entry_table_bytes = static_cast<std::uint32_t>(entries.size());
  out.entries = PageTable::build(table_shape(core, TableId::kEntries), entries);
  out.xxh3 = PageTable::build(table_shape(core, TableId::kXxh3), xxh3);
  out.sha256 = PageTable::build(table_shape(core, TableId::kSha256), sha256);
  core.entry_root = out.entries.root();
  core.xxh3_root = out.xxh3.root();
  core.sha256_root = out.sha256.root();
  return out;
}

}  // namespace peernet::content
