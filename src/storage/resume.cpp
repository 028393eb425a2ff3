#include "storage/resume.hpp"

#include <algorithm>

#include "base/check.hpp"

namespace peernet::storage {
namespace {

/// Chunks that any extent touches.
content::ChunkMap touched_chunks(const content::ManifestCore& core, std::span<const Extent> extents) {
  content::ChunkMap out(core.chunk_count);
  for (const Extent& extent : extents) {
    const std::uint64_t end = std::min(extent.end, core.total_bytes);
    if (extent.begin >= end) continue;
    const auto first = static_cast<std::uint32_t>(extent.begin / core.chunk_bytes);
    const auto last = static_cast<std::uint32_t>((end - 1) / core.chunk_bytes);
    PN_CHECK(out.set_range({ChunkIndex{first}, last - first + 1}));
  }
  return out;
}

}  // namespace

bool record_applies(const PartRecord& record, const content::ManifestCore& core, const ContentId& id,
                    std::uint64_t device, std::uint64_t inode, std::uint64_t size) {
  return record.content_id == id && record.device == device && record.inode == inode && record.size == size &&
         size == core.total_bytes && record.chunks.size() == core.chunk_count;
}

ResumePlan::ResumePlan(const content::ManifestCore& core, const content::ChunkMap* recorded,
                       std::span<const Extent> extents)
    : recorded_(core.chunk_count), todo_(touched_chunks(core, extents)), verified_(core.chunk_count) {
  if (recorded != nullptr && recorded->size() == core.chunk_count) recorded_ = *recorded;
  // A recorded chunk without data may be a chunk of zeros: it is checked like the others.
  todo_.merge(recorded_);
  hoped_ = todo_;
  outstanding_ = todo_.count();
}

std::optional<ChunkIndex> ResumePlan::next() {
  while (true) {
    const std::optional<ChunkIndex> found = todo_.next_set(cursor_);
    if (!found) {
      if (!recorded_pass_) return std::nullopt;
      recorded_pass_ = false;
      cursor_ = ChunkIndex{0};
      continue;
    }
    cursor_ = *found + 1;
    if (recorded_pass_ && !recorded_.test(*found)) continue;
    todo_.reset(*found);
    return found;
  }
}

void ResumePlan::on_checked(ChunkIndex chunk, bool matches) {
  if (!hoped_.test(chunk) || verified_.test(chunk)) return;  // forgotten meanwhile
  PN_CHECK(outstanding_ > 0);
  --outstanding_;
  if (matches)
    verified_.set(chunk);
  else
    hoped_.reset(chunk);
}

void ResumePlan::forget(ChunkIndex chunk) {
  todo_.reset(chunk);
  if (!verified_.test(chunk) && hoped_.reset(chunk)) --outstanding_;
}

content::ChunkMap chunks_in_holes(const content::ManifestCore& core, std::span<const Extent> extents) {
  content::ChunkMap out(core.chunk_count);
  out.set_all();
  out.subtract(touched_chunks(core, extents));
  return out;
}

}  // namespace peernet::storage
