#include "content/zero_chunk.hpp"

#include <algorithm>
#include <array>

#include "content/merkle.hpp"
#include "crypto/hash.hpp"

namespace peernet::content {
namespace {

constexpr ByteArray<kLeafBytes> kZeros{};

Hash128 xxh3_of_zeros(std::uint32_t bytes) {
  if (bytes <= kLeafBytes) return crypto::xxh3_128(ByteSpan(kZeros).first(bytes));
  crypto::Xxh3 state;
  for (std::uint32_t at = 0; at < bytes; at += kLeafBytes)
    state.update(ByteSpan(kZeros).first(std::min(kLeafBytes, bytes - at)));
  return state.finish();
}

Hash256 sha256_of_zeros(std::uint32_t bytes, unsigned height) {
  const Hash256 leaf = crypto::sha256(kZeros);
  RootFolder folder;
  for (std::uint32_t i = 0; i < bytes / kLeafBytes; ++i) folder.add(leaf);
  if (bytes % kLeafBytes != 0) folder.add(crypto::sha256(ByteSpan(kZeros).first(bytes % kLeafBytes)));
  return folder.finish(height);
}

}  // namespace

ZeroChunks::ZeroChunks(const ManifestCore& core) : chunk_count_(core.chunk_count) {
  if (chunk_count_ == 0) return;
  const unsigned height = chunk_tree_height(core);
  const std::uint32_t last = core.chunk_span(ChunkIndex{chunk_count_ - 1});
  last_xxh3_ = xxh3_of_zeros(last);
  last_sha256_ = sha256_of_zeros(last, height);
  full_xxh3_ = last == core.chunk_bytes ? last_xxh3_ : chunk_count_ == 1 ? Hash128{} : xxh3_of_zeros(core.chunk_bytes);
  full_sha256_ = last == core.chunk_bytes ? last_sha256_
                 : chunk_count_ == 1      ? Hash256{}
                                          : sha256_of_zeros(core.chunk_bytes, height);
}

}  // namespace peernet::content
