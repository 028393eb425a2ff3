#include "storage/write_planner.hpp"

#include <errno.h>

#include "base/check.hpp"

namespace peernet::storage {
namespace {

constexpr std::size_t kControlEvents = 4;  // durable (one at a time), paused, failed, published
constexpr std::uint32_t kFsyncOffset = 0, kFinishOffset = 1, kPublishOffset = 2;  // ids after those of the entries

std::uint32_t whole_blocks(std::uint32_t bytes) {
  return (bytes + kDirectBlockBytes - 1) / kDirectBlockBytes * kDirectBlockBytes;
}

bool is_no_space(std::int64_t result) {
  return result == -ENOSPC || result == -EDQUOT;
}

Error error_of(std::int64_t result, const char* what) {
  return from_errno(result < 0 ? static_cast<int>(-result) : EIO, what);
}

}  // namespace

template <class T>
void WritePlanner::Ring<T>::push_back(const T& item) {
  PN_CHECK(count_ < items_.size());
  items_[(head_ + count_++) % items_.size()] = item;
}

template <class T>
void WritePlanner::Ring<T>::push_front(const T& item) {
  PN_CHECK(count_ < items_.size());
  head_ = (head_ + items_.size() - 1) % items_.size();
  items_[head_] = item;
  ++count_;
}

template <class T>
T WritePlanner::Ring<T>::pop_front() {
  PN_CHECK(count_ > 0);
  const T out = items_[head_];
  head_ = (head_ + 1) % items_.size();
  --count_;
  return out;
}

WritePlanner::WritePlanner(const WritePlannerOptions& options)
    : options_(options),
      held_(options.core.chunk_count),
      written_(options.core.chunk_count),
      syncing_(options.core.chunk_count),
      durable_(options.core.chunk_count),
      unwanted_(options.core.chunk_count),
      entries_(options.max_buffers),
      waiting_(options.max_buffers),
      events_(options.max_buffers + kControlEvents),
      direct_(options.direct) {
  PN_CHECK(options.core.kind == content::ContentKind::kFile || (options.layout != nullptr && !options.direct));
  PN_CHECK(options.max_buffers > 0 && options.max_writes_in_flight > 0);
  free_.reserve(options.max_buffers);
  for (std::uint32_t i = options.max_buffers; i > 0; --i) free_.push_back(i - 1);
}

bool WritePlanner::on_verified(ChunkIndex chunk, BufferSlot slot) {
  PN_CHECK(chunk.value() < options_.core.chunk_count);
  if (failed_ || free_.empty() || held_.test(chunk) || written_.test(chunk) || unwanted_.test(chunk)) return false;
  const std::uint32_t entry = free_.back();
  free_.pop_back();
  entries_[entry] = {.chunk = chunk, .slot = slot};
  held_.set(chunk);
  waiting_.push_back(entry);
  return true;
}

void WritePlanner::on_present(ChunkIndex chunk, bool durable) {
  PN_CHECK(chunk.value() < options_.core.chunk_count);
  if (failed_ || held_.test(chunk) || unwanted_.test(chunk) || !written_.set(chunk)) return;
  if (durable)
    durable_.set(chunk);
  else
    unsynced_bytes_ += payload_of(chunk);
}

void WritePlanner::on_unwanted(ChunkIndex chunk) {
  PN_CHECK(!held_.test(chunk) && !written_.test(chunk));
  unwanted_.set(chunk);
}

std::uint32_t WritePlanner::payload_of(ChunkIndex chunk) const {
  return options_.layout != nullptr ? options_.layout->chunk_payload(chunk) : options_.core.chunk_span(chunk);
}

std::optional<WriteOp> WritePlanner::poll_op(Instant now) {
  if (failed_) return std::nullopt;
  if (std::optional<WriteOp> op = plan_group_fsync(now)) return op;
  if (std::optional<WriteOp> op = plan_write()) return op;
  return plan_end();
}

WriteOp WritePlanner::control(WriteOpKind kind) {
  ++in_flight_;
  const std::uint32_t offset = kind == WriteOpKind::kFsync    ? kFsyncOffset
                               : kind == WriteOpKind::kFinish ? kFinishOffset
                                                              : kPublishOffset;
  return {.kind = kind, .id = WriteOpId{options_.max_buffers + offset}};
}

std::optional<WriteOp> WritePlanner::plan_group_fsync(Instant now) {
  if (stage_ != Stage::kWriting || !options_.sync || fsync_in_flight_ || unsynced_bytes_ == 0) return std::nullopt;
  if (all_written()) return std::nullopt;  // the last fsync follows at once
  const bool due = !unsynced_since_.is_never() && now >= unsynced_since_ + options_.group_time;
  if (!due && unsynced_bytes_ < options_.group_bytes) return std::nullopt;
  syncing_ = written_;  // same size: no allocation
  fsync_in_flight_ = true;
  unsynced_bytes_ = 0;
  unsynced_since_ = Instant::never();
  return control(WriteOpKind::kFsync);
}

std::optional<WriteOp> WritePlanner::plan_write() {
  if (paused_ || waiting_.empty() || writes_in_flight_ == options_.max_writes_in_flight) return std::nullopt;
  const std::uint32_t entry = waiting_.pop_front();
  Held& held = entries_[entry];
  held.direct = direct_;
  const std::uint32_t span = payload_of(held.chunk);
  ++in_flight_;
  ++writes_in_flight_;
  return WriteOp{.kind = WriteOpKind::kWrite,
                 .id = WriteOpId{entry},
                 .chunk = held.chunk,
                 .slot = held.slot,
                 .file_offset = options_.core.chunk_start(held.chunk),
                 .length = direct_ ? whole_blocks(span) : span,
                 .payload_length = span,
                 .direct = direct_};
}

std::optional<WriteOp> WritePlanner::plan_end() {
  if (in_flight_ != 0 || !all_written()) return std::nullopt;
  switch (stage_) {
    case Stage::kWriting:
      stage_ = Stage::kFinishing;
      return control(WriteOpKind::kFinish);
    case Stage::kSyncing:
      syncing_ = written_;
      fsync_in_flight_ = true;
      return control(WriteOpKind::kFsync);
    case Stage::kPublishing:
      return control(WriteOpKind::kPublish);
    case Stage::kFinishing:
    case Stage::kPublished:
      return std::nullopt;
  }
  return std::nullopt;
}

void WritePlanner::on_completed(WriteOpId id, std::int64_t result, Instant now) {
  PN_CHECK(in_flight_ > 0);
  --in_flight_;
  if (id.value() < options_.max_buffers) return on_write_done(id.value(), result, now);
  switch (id.value() - options_.max_buffers) {
    case kFsyncOffset:
      return on_fsync_done(result);
    case kFinishOffset:
      if (failed_) return;
      if (result < 0) return fail(error_of(result, "finish the part file"));
      stage_ = options_.sync ? Stage::kSyncing : Stage::kPublishing;
      return;
    case kPublishOffset:
      if (failed_) return;
      if (result == -EEXIST) return fail({ErrorCode::kTargetExists, EEXIST, "give the content its final name"});
      if (result < 0) return fail(error_of(result, "give the content its final name"));
      stage_ = Stage::kPublished;
      return events_.push_back({.kind = WriteEventKind::kPublished});
    default:
      PN_CHECK(false && "unknown operation");
  }
}

void WritePlanner::on_write_done(std::uint32_t entry, std::int64_t result, Instant now) {
  const Held& held = entries_[entry];
  const std::uint32_t span = payload_of(held.chunk);
  PN_CHECK(writes_in_flight_ > 0);
  --writes_in_flight_;
  if (failed_) return release(entry);
  if (result == -EINVAL && held.direct) {  // the file system promised O_DIRECT and does not keep it
    direct_ = false;
    return waiting_.push_front(entry);
  }
  if (is_no_space(result)) {
    waiting_.push_front(entry);
    if (!paused_ && !paused_pending_) {
      events_.push_back({.kind = WriteEventKind::kPaused, .error = error_of(result, "write the content")});
      paused_pending_ = true;
    }
    paused_ = true;
    return;
  }
  if (result < span) {
    fail(error_of(result, "write the content"));
    return release(entry);
  }
  held_.reset(held.chunk);
  written_.set(held.chunk);
  unsynced_bytes_ += span;
  if (unsynced_since_.is_never()) unsynced_since_ = now;
  events_.push_back(
      {.kind = WriteEventKind::kWritten, .chunk = held.chunk, .slot = held.slot, .has_slot = true, .entry = entry});
}

void WritePlanner::on_fsync_done(std::int64_t result) {
  fsync_in_flight_ = false;
  if (failed_) return;
  // The kernel may report a lost page once and forget it: a second fsync that succeeds would prove nothing.
  if (result < 0) return fail(error_of(result, "flush the part file"));
  durable_.merge(syncing_);
  if (stage_ == Stage::kSyncing) stage_ = Stage::kPublishing;
  if (!durable_pending_) events_.push_back({.kind = WriteEventKind::kDurable});
  durable_pending_ = true;
}

void WritePlanner::release(std::uint32_t entry) {
  const Held& held = entries_[entry];
  held_.reset(held.chunk);
  events_.push_back(
      {.kind = WriteEventKind::kReleased, .chunk = held.chunk, .slot = held.slot, .has_slot = true, .entry = entry});
}

void WritePlanner::fail(Error error) {
  failed_ = true;
  events_.push_back({.kind = WriteEventKind::kFailed, .error = error});
  while (!waiting_.empty()) release(waiting_.pop_front());
}

void WritePlanner::resume() {
  paused_ = false;
}

std::optional<WriteEvent> WritePlanner::poll_event() {
  if (events_.empty()) return std::nullopt;
  const WriteEvent event = events_.pop_front();
  if (event.has_slot) free_.push_back(event.entry);
  if (event.kind == WriteEventKind::kDurable) durable_pending_ = false;
  if (event.kind == WriteEventKind::kPaused) paused_pending_ = false;
  return event;
}

Instant WritePlanner::next_deadline() const {
  const bool waits = stage_ == Stage::kWriting && options_.sync && !failed_ && !fsync_in_flight_ && unsynced_bytes_ > 0;
  return waits ? unsynced_since_ + options_.group_time : Instant::never();
}

}  // namespace peernet::storage
