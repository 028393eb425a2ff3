// Going on from a NAME.part: which chunks to read back and check, in which order. Pure; the part file gives the data
// extents (SEEK_DATA), the state database the record. Recorded chunks count as had for the picker (nobody need send
// them) but are neither announced nor published until their XXH3 has matched again; unrecorded chunks with data on disk
// are checked too, never thrown away.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/types.hpp"
#include "content/chunk_map.hpp"
#include "content/manifest.hpp"

namespace peernet::storage {

/// A part file with content in it; bytes outside all extents read as zeros.
struct Extent {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

/// What the state database remembers of a part file.
struct PartRecord {
  ContentId content_id{};
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::uint64_t size = 0;
  content::ChunkMap chunks;
};

/// Does the record speak of this file? Content id, device, inode and size match and the map has the content's size.
bool record_applies(const PartRecord& record, const content::ManifestCore& core, const ContentId& id,
                    std::uint64_t device, std::uint64_t inode, std::uint64_t size);

class ResumePlan {
 public:
  /// recorded may be null. extents in order, not overlapping.
  ResumePlan(const content::ManifestCore& core, const content::ChunkMap* recorded, std::span<const Extent> extents);

  /// A chunk to read back and hash; recorded ones first. Each comes once.
  std::optional<ChunkIndex> next();
  /// The result for a chunk that next() gave.
  void on_checked(ChunkIndex chunk, bool matches);
  /// The caller fetched or overwrote the chunk itself: no need to check it any more.
  void forget(ChunkIndex chunk);

  /// Chunks that need not be fetched now: recorded or with data, and not yet refuted. Fetch the others at once.
  const content::ChunkMap& hoped() const { return hoped_; }
  const content::ChunkMap& verified() const { return verified_; }
  bool was_recorded(ChunkIndex chunk) const { return recorded_.test(chunk); }
  bool done() const { return outstanding_ == 0; }

 private:
  content::ChunkMap recorded_, todo_, hoped_, verified_;
  ChunkIndex cursor_{0};
  bool recorded_pass_ = true;
  std::uint32_t outstanding_ = 0;
};

/// Chunks with no data in the file at all (they read as zeros): those whose expected hash is the zero chunk's are
/// already right.
content::ChunkMap chunks_in_holes(const content::ManifestCore& core, std::span<const Extent> extents);

}  // namespace peernet::storage
