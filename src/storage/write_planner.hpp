// Plans the writes of one single-file content: verified chunks in, disk operations out, completions in. Pure: no system
// call, no clock.
//
// A chunk's life: verified -> write planned -> written (may be announced and served; its buffer is free) -> durable (an
// fsync that was started after its write completed has succeeded; may be recorded). When all chunks are written:
//   kFinish (cut to size, mode, mtime) -> kFsync -> kPublish (rename) ; with sync none kFinish -> kPublish.
// The final name therefore appears only over bytes that a completed fsync covers. A failed fsync is never retried: the
// content has failed. ENOSPC pauses: the chunk keeps its buffer and is written again after resume().
//
// Use, on one thread: on_verified / on_present, then poll_op until empty, submit each, on_completed for each;
// poll_event until empty after every on_*; next_deadline for the group fsync's timer.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/time.hpp"
#include "base/types.hpp"
#include "content/chunk_map.hpp"
#include "content/manifest.hpp"
#include "peernet/error.hpp"

namespace peernet::storage {

/// The owner's buffer that holds a chunk; the planner only hands it back.
using BufferSlot = Strong<struct BufferSlotTag, std::uint32_t>;
using WriteOpId = Strong<struct WriteOpIdTag, std::uint32_t>;

inline constexpr std::uint32_t kDirectBlockBytes = 4096;

enum class WriteOpKind : std::uint8_t { kWrite, kFsync, kFinish, kPublish };

struct WriteOp {
  WriteOpKind kind = WriteOpKind::kWrite;
  WriteOpId id;
  ChunkIndex chunk;               ///< kWrite
  BufferSlot slot;                ///< kWrite: write the buffer's first `length` bytes
  std::uint64_t file_offset = 0;  ///< kWrite
  std::uint32_t length = 0;  ///< kWrite; with direct a multiple of 4 KiB: zero the buffer from payload_length on first
  std::uint32_t payload_length = 0;
};

enum class WriteEventKind : std::uint8_t {
  kWritten,    ///< chunk: announce and serve it; slot is free again if has_slot
  kReleased,   ///< slot is free, the chunk was not written (the content failed)
  kDurable,    ///< durable() has grown: record it
  kPaused,     ///< no space: make some and call resume()
  kFailed,     ///< error: fail-stop; nothing more will be planned
  kPublished,  ///< the final name is there
};

struct WriteEvent {
  WriteEventKind kind = WriteEventKind::kWritten;
  ChunkIndex chunk;
  BufferSlot slot;
  bool has_slot = false;
  Error error;
};

struct WritePlannerOptions {
  content::ManifestCore core;  ///< kind kFile
  bool direct = false;         ///< whole 4 KiB blocks
  bool sync = true;            ///< --sync file; false: --sync none
  std::uint32_t max_writes_in_flight = 8;
  std::uint32_t max_buffers = 64;        ///< chunks handed over and not yet given back, at most
  std::uint64_t group_bytes = 64 << 20;  ///< fsync after this much
  Duration group_time = 1s;              ///< or after this long
};

class WritePlanner {
 public:
  explicit WritePlanner(const WritePlannerOptions& options);

  /// A chunk that passed verification and lies in `slot`. False (the slot stays the caller's): the chunk is already
  /// held or written, max_buffers are held, or the content has failed.
  bool on_verified(ChunkIndex chunk, BufferSlot slot);
  /// A chunk that the part file already holds and that has been verified there (resume, or a zero chunk in a hole).
  /// Gives kWritten without a slot. durable: a record says that it was fsync'd by an earlier run.
  void on_present(ChunkIndex chunk, bool durable);

  /// The next operation to submit, if any is due.
  std::optional<WriteOp> poll_op(Instant now);
  /// result: >= 0 (kWrite: bytes) or -errno. A short write counts as EIO.
  void on_completed(WriteOpId id, std::int64_t result, Instant now);
  /// Tries again what did not fit.
  void resume();

  std::optional<WriteEvent> poll_event();
  /// When poll_op must be called again although nothing happened.
  Instant next_deadline() const;

  const content::ChunkMap& written() const { return written_; }
  const content::ChunkMap& durable() const { return durable_; }
  bool holds(ChunkIndex chunk) const { return held_.test(chunk); }
  bool failed() const { return failed_; }
  bool paused() const { return paused_; }
  bool published() const { return stage_ == Stage::kPublished; }
  std::uint32_t operations_in_flight() const { return in_flight_; }

 private:
  enum class Stage : std::uint8_t { kWriting, kFinishing, kSyncing, kPublishing, kPublished };
  enum class SlotState : std::uint8_t { kFree, kWaiting, kWriting };
  struct Held {
    SlotState state = SlotState::kFree;
    ChunkIndex chunk;
    BufferSlot slot;
  };

  void fail(Error error);
  void mark_written(ChunkIndex chunk, std::uint64_t bytes);
  void push(const WriteEvent& event);
  std::optional<WriteOp> plan_write();
  std::optional<WriteOp> plan_fsync(Instant now);
  std::optional<WriteOp> plan_end();
  void on_write_done(Held& held, std::int64_t result, Instant now);
  void on_control_done(WriteOpId id, std::int64_t result);
  void release_waiting();

  WritePlannerOptions options_;
  content::ChunkMap held_;     // handed over, not yet written
  content::ChunkMap written_;  // on disk as far as reads can tell
  content::ChunkMap syncing_;  // covered by the fsync in flight
  content::ChunkMap durable_;
  std::vector<Held> slots_;             // index = id of its write
  std::vector<std::uint32_t> free_;     // unused entries of slots_
  std::vector<std::uint32_t> waiting_;  // ring of entries to write, oldest first
  std::size_t waiting_head_ = 0, waiting_count_ = 0;
  std::vector<WriteEvent> events_;  // ring
  std::size_t event_head_ = 0, event_count_ = 0;
  std::uint32_t present_cursor_ = 0;
  std::uint32_t in_flight_ = 0, writes_in_flight_ = 0;
  std::uint64_t unsynced_bytes_ = 0;
  Instant unsynced_since_ = Instant::never();
  bool fsync_in_flight_ = false, control_in_flight_ = false;
  bool finished_ = false;  // kFinish has completed
  bool failed_ = false, paused_ = false;
  Stage stage_ = Stage::kWriting;
};

}  // namespace peernet::storage
