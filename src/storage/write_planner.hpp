// Plans the writes of one content, a file or (buffered) a tree: verified chunks in, disk operations out, completions
// in. Pure: no system call, no clock.
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
#include "content/layout.hpp"
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
  WriteOpId id{};
  // The rest is for kWrite.
  ChunkIndex chunk{};
  BufferSlot slot{};
  std::uint64_t file_offset = 0;
  std::uint32_t length = 0;          ///< bytes of the buffer to write; a multiple of 4 KiB if direct
  std::uint32_t payload_length = 0;  ///< the chunk's bytes; zero the buffer from here to length first
  bool direct = false;               ///< through the O_DIRECT descriptor
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
  ChunkIndex chunk{};
  BufferSlot slot{};
  bool has_slot = false;
  Error error{};
  std::uint32_t entry = 0;  ///< the planner's own
};

struct WritePlannerOptions {
  content::ManifestCore core;
  const content::Layout* layout = nullptr;  ///< of a tree, outlives the planner: a chunk's payload is without gaps
  bool direct = false;  ///< a file only: whole 4 KiB blocks; given up for good when a direct write says EINVAL
  bool sync = true;     ///< --sync file; false: --sync none
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
  /// A chunk that the part file already holds and that has been verified there (resume, or a zero chunk in a hole of a
  /// file that is ours). No event follows: it may be announced at once. durable: a record says that an earlier run
  /// fsync'd it.
  void on_present(ChunkIndex chunk, bool durable);

  /// A chunk that no wanted file needs: the end does not wait for it. Before any other call.
  void on_unwanted(ChunkIndex chunk);

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
  struct Held {
    ChunkIndex chunk;
    BufferSlot slot;
    bool direct = false;  // how it was last submitted
  };
  /// A queue of fixed capacity.
  template <class T>
  class Ring {
   public:
    explicit Ring(std::size_t capacity) : items_(capacity) {}
    bool empty() const { return count_ == 0; }
    void push_back(const T& item);
    void push_front(const T& item);
    T pop_front();

   private:
    std::vector<T> items_;
    std::size_t head_ = 0, count_ = 0;
  };

  std::uint32_t payload_of(ChunkIndex chunk) const;
  bool all_written() const { return written_.count() + unwanted_.count() == written_.size(); }
  WriteOp control(WriteOpKind kind);
  std::optional<WriteOp> plan_group_fsync(Instant now);
  std::optional<WriteOp> plan_write();
  std::optional<WriteOp> plan_end();
  void on_write_done(std::uint32_t entry, std::int64_t result, Instant now);
  void on_fsync_done(std::int64_t result);
  void fail(Error error);
  void release(std::uint32_t entry);

  WritePlannerOptions options_;
  content::ChunkMap held_;     // handed over, not yet written
  content::ChunkMap written_;  // a read gives the right bytes
  content::ChunkMap syncing_;  // covered by the fsync in flight
  content::ChunkMap durable_;
  content::ChunkMap unwanted_;
  std::vector<Held> entries_;        // chunks handed over; the index is the id of the write
  std::vector<std::uint32_t> free_;  // unused entries; an entry is free again when its event was taken
  Ring<std::uint32_t> waiting_;      // entries to write
  Ring<WriteEvent> events_;
  std::uint32_t in_flight_ = 0;  // all operations
  std::uint32_t writes_in_flight_ = 0;
  std::uint64_t unsynced_bytes_ = 0;  // written since the last fsync was started
  Instant unsynced_since_ = Instant::never();
  bool fsync_in_flight_ = false;
  bool durable_pending_ = false;  // a kDurable waits in events_
  bool paused_pending_ = false;
  bool direct_ = false;
  bool failed_ = false;
  bool paused_ = false;
  Stage stage_ = Stage::kWriting;
};

}  // namespace peernet::storage
