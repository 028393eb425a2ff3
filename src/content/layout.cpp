#include "content/layout.hpp"

#include <algorithm>

#include "base/check.hpp"

namespace peernet::content {
namespace {

constexpr std::uint64_t kMaxPlaced = std::uint64_t{1} << 56;  // room for any rounding below 2^64

std::uint64_t aligned(std::uint64_t address) {
  return (address + kLeafBytes - 1) / kLeafBytes * kLeafBytes;
}

}  // namespace

std::uint64_t Layout::place(std::uint64_t end, std::uint64_t previous_size, std::uint64_t size) {
  if (size == 0) return end;
  if (size >= kLeafBytes || previous_size >= kLeafBytes) return aligned(end);
  return end % kLeafBytes + size > kLeafBytes ? aligned(end) : end;
}

std::optional<Layout> Layout::make(std::span<const std::uint64_t> sizes, std::uint32_t chunk_bytes) {
  Layout out;
  out.chunk_bytes_ = chunk_bytes;
  out.files_.reserve(sizes.size());
  std::uint64_t previous = 0;
  for (const std::uint64_t size : sizes) {
    if (size >= kMaxPlaced || out.total_ >= kMaxPlaced - size) return std::nullopt;
    const std::uint64_t address = place(out.total_, previous, size);
    out.files_.push_back({address, size});
    if (size == 0) continue;
    out.total_ = address + size;
    out.payload_ += size;
    previous = size;
  }
  if (sizes.size() > 1 && fits_chunk_count(out.total_, chunk_bytes)) out.sum_chunks();
  return out;
}

void Layout::sum_chunks() {
  payloads_.resize(chunk_count_for(total_, chunk_bytes_));
  for (const Placed& file : files_)
    for (std::uint64_t at = file.address, end = at + file.size; at < end;) {
      const std::uint64_t chunk = at / chunk_bytes_;
      const std::uint64_t until = std::min(end, (chunk + 1) * chunk_bytes_);
      payloads_[chunk] += static_cast<std::uint32_t>(until - at);
      at = until;
    }
}

Layout Layout::single(std::uint64_t size, std::uint32_t chunk_bytes) {
  const std::optional<Layout> out = make(std::span(&size, 1), chunk_bytes);
  PN_CHECK(out.has_value());
  return *out;
}

std::uint32_t Layout::chunk_payload(ChunkIndex chunk) const {
  if (chunk.value() < payloads_.size()) return payloads_[chunk.value()];
  std::uint32_t sum = 0;
  Cursor cursor = segments(chunk);
  while (const std::optional<Segment> segment = cursor.next()) sum += segment->length;
  return sum;
}

Layout::Cursor::Cursor(const Layout& layout, std::uint64_t start, std::uint64_t end)
    : layout_(&layout), start_(start), end_(end) {
  // Ends never decrease along the list, so the first file that reaches beyond the start is found by bisection.
  const auto first = std::ranges::partition_point(
      layout.files_, [this](const Placed& file) { return file.address + file.size <= start_; });
  file_ = static_cast<std::size_t>(first - layout.files_.begin());
}

std::optional<Segment> Layout::Cursor::next() {
  const std::vector<Placed>& files = layout_->files_;
  while (file_ < files.size() && files[file_].size == 0) ++file_;
  if (file_ == files.size() || files[file_].address >= end_) return std::nullopt;
  const Placed& file = files[file_];
  const std::uint64_t begin = std::max(file.address, start_);
  const std::uint64_t end = std::min(file.address + file.size, end_);
  const Segment out{.file = static_cast<std::uint32_t>(file_),
                    .file_offset = begin - file.address,
                    .chunk_offset = chunk_offset_,
                    .length = static_cast<std::uint32_t>(end - begin),
                    .starts_leaf = begin % kLeafBytes == 0};
  chunk_offset_ += out.length;
  ++file_;
  return out;
}

}  // namespace peernet::content
