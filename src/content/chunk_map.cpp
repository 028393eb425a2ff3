#include "content/chunk_map.hpp"

#include <algorithm>
#include <bit>

#include "base/check.hpp"

namespace peernet::content {
namespace {

/// HAVE_MAP puts the first chunk into bit 7; our words count from bit 0.
std::byte reversed(std::uint8_t b) {
  b = static_cast<std::uint8_t>(((b & 0xf0U) >> 4) | ((b & 0x0fU) << 4));
  b = static_cast<std::uint8_t>(((b & 0xccU) >> 2) | ((b & 0x33U) << 2));
  return static_cast<std::byte>(((b & 0xaaU) >> 1) | ((b & 0x55U) << 1));
}

std::uint32_t ones(std::uint64_t word) {
  return static_cast<std::uint32_t>(std::popcount(word));
}

}  // namespace

bool ChunkMap::set(ChunkIndex chunk) {
  PN_CHECK(chunk.value() < size_);
  std::uint64_t& word = words_[chunk.value() / 64];
  const std::uint64_t bit = std::uint64_t{1} << (chunk.value() % 64);
  if ((word & bit) != 0) return false;
  word |= bit;
  ++count_;
  return true;
}

bool ChunkMap::reset(ChunkIndex chunk) {
  PN_CHECK(chunk.value() < size_);
  std::uint64_t& word = words_[chunk.value() / 64];
  const std::uint64_t bit = std::uint64_t{1} << (chunk.value() % 64);
  if ((word & bit) == 0) return false;
  word &= ~bit;
  --count_;
  return true;
}

void ChunkMap::set_all() {
  static_cast<void>(set_range({ChunkIndex{0}, size_}));
}

void ChunkMap::clear() {
  std::ranges::fill(words_, 0);
  count_ = 0;
}

bool ChunkMap::set_range(ChunkRange range) {
  if (range.first.value() > size_ || range.count > size_ - range.first.value()) return false;
  std::uint32_t at = range.first.value();
  const std::uint32_t end = at + range.count;
  while (at < end) {
    const std::uint32_t bit = at % 64;
    const std::uint32_t n = std::min(64 - bit, end - at);
    const std::uint64_t mask = (n == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << n) - 1) << bit;
    std::uint64_t& word = words_[at / 64];
    count_ += ones(mask & ~word);
    word |= mask;
    at += n;
  }
  return true;
}

void ChunkMap::merge(const ChunkMap& other) {
  PN_CHECK(other.size_ == size_);
  count_ = 0;
  for (std::size_t i = 0; i < words_.size(); ++i) count_ += ones(words_[i] |= other.words_[i]);
}

void ChunkMap::subtract(const ChunkMap& other) {
  PN_CHECK(other.size_ == size_);
  count_ = 0;
  for (std::size_t i = 0; i < words_.size(); ++i) count_ += ones(words_[i] &= ~other.words_[i]);
}

std::optional<ChunkIndex> ChunkMap::next(ChunkIndex from, bool wanted) const {
  if (from.value() >= size_) return std::nullopt;
  std::size_t i = from.value() / 64;
  std::uint64_t mask = ~std::uint64_t{0} << (from.value() % 64);
  for (; i < words_.size(); ++i, mask = ~std::uint64_t{0}) {
    const std::uint64_t word = (wanted ? words_[i] : ~words_[i]) & mask;
    if (word == 0) continue;
    const auto found = static_cast<std::uint32_t>(i * 64) + static_cast<std::uint32_t>(std::countr_zero(word));
    if (found >= size_) return std::nullopt;
    return ChunkIndex{found};
  }
  return std::nullopt;
}

std::optional<ChunkIndex> ChunkMap::next_set(ChunkIndex from) const {
  return next(from, true);
}
std::optional<ChunkIndex> ChunkMap::next_clear(ChunkIndex from) const {
  return next(from, false);
}

std::optional<ChunkIndex> ChunkMap::next_common(const ChunkMap& other, ChunkIndex from) const {
  PN_CHECK(other.size_ == size_);
  if (from.value() >= size_) return std::nullopt;
  std::uint64_t mask = ~std::uint64_t{0} << (from.value() % 64);
  for (std::size_t i = from.value() / 64; i < words_.size(); ++i, mask = ~std::uint64_t{0}) {
    const std::uint64_t word = words_[i] & other.words_[i] & mask;
    if (word != 0)
      return ChunkIndex{static_cast<std::uint32_t>(i * 64) + static_cast<std::uint32_t>(std::countr_zero(word))};
  }
  return std::nullopt;
}

std::optional<ChunkRange> ChunkMap::next_run(ChunkIndex from) const {
  const std::optional<ChunkIndex> first = next_set(from);
  if (!first) return std::nullopt;
  const ChunkIndex end = next_clear(*first).value_or(ChunkIndex{size_});
  return ChunkRange{*first, end - *first};
}

std::uint32_t ChunkMap::map_page_bytes(std::uint32_t page) const {
  PN_CHECK(page < map_pages());
  return (std::min(kChunksPerMapPage, size_ - page * kChunksPerMapPage) + 7) / 8;
}

void ChunkMap::write_map_page(std::uint32_t page, MutableByteSpan out) const {
  const std::uint32_t bytes = map_page_bytes(page);
  PN_CHECK(out.size() >= bytes);
  const std::size_t first = std::size_t{page} * kMapPageBytes;
  for (std::size_t i = 0; i < bytes; ++i) {
    const std::uint64_t word = words_[(first + i) / 8];
    out[i] = reversed(static_cast<std::uint8_t>(word >> ((first + i) % 8 * 8)));
  }
}

bool ChunkMap::merge_map_page(std::uint32_t page, ByteSpan bits) {
  if (page >= map_pages() || bits.size() != map_page_bytes(page)) return false;
  const std::uint32_t in_page = std::min(kChunksPerMapPage, size_ - page * kChunksPerMapPage);
  const std::uint32_t spare = static_cast<std::uint32_t>(bits.size()) * 8 - in_page;
  if ((std::to_integer<unsigned>(bits.back()) & ((1U << spare) - 1)) != 0) return false;
  const std::size_t first = std::size_t{page} * kMapPageBytes;
  for (std::size_t i = 0; i < bits.size(); ++i) {
    const std::uint64_t value = std::to_integer<std::uint64_t>(reversed(std::to_integer<std::uint8_t>(bits[i])));
    std::uint64_t& word = words_[(first + i) / 8];
    const std::uint64_t mask = value << ((first + i) % 8 * 8);
    count_ += ones(mask & ~word);
    word |= mask;
  }
  return true;
}

}  // namespace peernet::content
