// A part file on a disk that keeps nothing but what an fsync has covered, and may keep any part of the rest. Blocks of
// 4 KiB carry a stamp instead of bytes.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/rng.hpp"
#include "storage/write_planner.hpp"

namespace peernet::storage {

class PlannedDisk {
 public:
  explicit PlannedDisk(const content::ManifestCore& core) : core_(core), blocks_((core.total_bytes + 4095) / 4096) {}

  struct Image {
    bool final_name = false;
    std::uint64_t size = 0;
    std::vector<std::uint64_t> blocks;  // stamp, 0: never written
  };

  static std::uint64_t right_stamp(std::uint64_t block) { return block + 1; }

  void submit(const WriteOp& op) {
    if (op.kind == WriteOpKind::kWrite) effects_.push_back({.op = op});
    if (op.kind == WriteOpKind::kFinish) effects_.push_back({.op = op});
    if (op.kind == WriteOpKind::kFsync)
      for (Effect& e : effects_) e.covered = e.covered || e.complete;
    if (op.kind == WriteOpKind::kPublish) publish_submitted_ = true;
  }
  void complete(const WriteOp& op, bool ok) {
    for (Effect& e : effects_)
      if (e.op.kind == op.kind && e.op.id == op.id && !e.complete && ok) e.complete = true;
    if (op.kind == WriteOpKind::kFsync) {
      for (Effect& e : effects_) {
        if (e.covered && ok) e.durable = true;
        e.covered = false;
      }
      // A failed fsync has marked the pages clean: what it covered may never reach the disk.
    }
    if (op.kind == WriteOpKind::kPublish && !ok) publish_submitted_ = false;
  }

  /// One disk that a power cut right now may leave.
  Image after_power_cut(Rng& rng) const {
    Image out{
        .final_name = publish_submitted_ && rng.chance(0.9), .size = 0, .blocks = std::vector<std::uint64_t>(blocks_)};
    for (const Effect& e : effects_) {
      if (e.op.kind == WriteOpKind::kFinish) {
        if (e.durable || rng.chance(0.5)) out.size = core_.total_bytes;
        continue;
      }
      const bool whole = e.durable || rng.chance(0.3);
      const std::uint64_t first = e.op.file_offset / 4096;
      for (std::uint64_t i = 0; i * 4096 < e.op.length; ++i)
        if (whole || rng.chance(0.5)) out.blocks[first + i] = right_stamp(first + i);
      if (whole) out.size = std::max(out.size, e.op.file_offset + e.op.length);
    }
    return out;
  }
  bool is_right(const Image& image) const {
    if (image.size != core_.total_bytes) return false;
    for (std::uint64_t i = 0; i < blocks_; ++i)
      if (image.blocks[i] != right_stamp(i)) return false;
    return true;
  }
  bool chunk_is_right(const Image& image, ChunkIndex chunk) const {
    const std::uint64_t first = core_.chunk_start(chunk) / 4096;
    const std::uint64_t end = (core_.chunk_start(chunk) + core_.chunk_span(chunk) + 4095) / 4096;
    for (std::uint64_t i = first; i < end; ++i)
      if (image.blocks[i] != right_stamp(i)) return false;
    return true;
  }

 private:
  struct Effect {
    WriteOp op{};
    bool complete = false;  // the write call has returned
    bool covered = false;   // by the fsync in flight
    bool durable = false;
  };
  content::ManifestCore core_;
  std::uint64_t blocks_;
  std::vector<Effect> effects_;
  bool publish_submitted_ = false;
};

}  // namespace peernet::storage
