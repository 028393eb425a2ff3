#include "node/file_store.hpp"

#include <fcntl.h>

#include <array>
#include <atomic>
#include <cstring>

#include "node/memory_plan.hpp"
#include "node/shard.hpp"
#include "storage/share_hasher.hpp"

namespace peernet::node {
namespace {

// Below this, or where the file system does not offer O_DIRECT, writes are buffered (a small file is cheaper in the
// page cache and its fsync is one).
constexpr std::uint64_t kDirectFrom = 1u << 20;
// A full disk is looked at again this often.
constexpr Duration kRetrySpace = 2s;

}  // namespace

// The part file as it is served while it grows, and under its final name after that.
class FileStore::PartBytes final : public ContentBytes {
 public:
  PartBytes(int fd, std::uint32_t chunk_bytes) : fd_(::fcntl(fd, F_DUPFD_CLOEXEC, 0)), chunk_bytes_(chunk_bytes) {}

  bool valid() const { return fd_.valid(); }
  Result<std::unique_ptr<PieceReader>> open(io::Driver& driver) override {
    return make_file_reader(driver, fd_.get(), chunk_bytes_);
  }
  bool changed() const override {
    if (!published_) return false;
    const auto stamp = storage::stamp_of(fd_.get());
    return !stamp || storage::compare(*published_, *stamp) == storage::SourceState::kChanged;
  }
  void on_published() {
    if (const auto stamp = storage::stamp_of(fd_.get())) published_ = *stamp;
  }

 private:
  storage::Fd fd_;
  std::uint32_t chunk_bytes_;
  std::optional<storage::SourceStamp> published_;
};

// Everything that opening needs to know and finds out; runs on the writer thread.
struct FileStore::OpenJob {
  StoreOptions options;
  content::Entry entry;
  bool want_direct = false;
  storage::StateThread* state = nullptr;
  const std::optional<content::ZeroChunks>* zeros = nullptr;
  std::atomic<bool> stop{false};  ///< set by the shard: a large target is not hashed to its end for nothing

  Error error{};
  bool failed = false;
  bool identical = false;
  std::optional<storage::PartFile> part;
  std::vector<storage::Extent> extents;
  std::optional<storage::PartRecord> record;
  storage::Fd there;  // the target, if it is this very content
  std::string path;

  std::int64_t fail(const Error& e) {
    error = e;
    failed = true;
    return -1;
  }

  // What must be allocated: everything but chunks that are known to be zeros.
  std::vector<storage::Extent> wanted_ranges() const {
    std::vector<storage::Extent> ranges;
    const content::ManifestCore& core = options.core;
    for (std::uint32_t c = 0; c < core.chunk_count; ++c) {
      const ChunkIndex chunk(c);
      if (options.xxh3->xxh3_of(chunk) == (*zeros)->xxh3_of(chunk)) continue;
      const std::uint64_t begin = core.chunk_start(chunk);
      const std::uint64_t end = begin + core.chunk_span(chunk);
      if (!ranges.empty() && ranges.back().end == begin) {
        ranges.back().end = end;
      } else {
        ranges.push_back({begin, end});
      }
    }
    return ranges;
  }

  Result<bool> target_is_identical(const storage::Target& target, const storage::TargetInfo& info) {
    if (info.state != storage::TargetState::kRegular || info.size != options.core.payload_bytes) return false;
    there = storage::Fd(::open(target.path().c_str(), O_RDONLY | O_CLOEXEC));
    if (!there.valid()) return false;
    path = target.path();
    storage::HashOptions hash;
    hash.cancel = &stop;
    return storage::file_matches(there.get(), options.core, hash);
  }

  std::int64_t run() {
    auto target = storage::resolve_target(options.output, entry.path);
    if (!target) return fail(target.error());
    auto info = storage::look_at_target(*target);
    if (!info) return fail(info.error());
    if (info->state != storage::TargetState::kAbsent && !options.overwrite) {
      auto same = target_is_identical(*target, *info);
      if (same && *same) {
        identical = true;
        return 0;
      }
      return fail(
          {ErrorCode::kTargetExists, 0, "the target exists and holds something else (--overwrite replaces it)"});
    }
    storage::PartFileOptions part_options;
    part_options.target = *target;
    part_options.content_id = options.id;
    part_options.size = options.core.payload_bytes;
    part_options.overwrite = options.overwrite;
    part_options.want_direct = want_direct;
    auto opened = storage::PartFile::open(part_options);
    if (!opened) return fail(opened.error());
    part.emplace(std::move(*opened));
    if (part->resumed()) {
      auto found = part->data_extents();
      if (!found) return fail(found.error());
      extents = std::move(*found);
      record = state->find_part(options.id, part->device(), part->inode());
    }
    const std::vector<storage::Extent> ranges = wanted_ranges();
    if (ranges.empty() && options.core.payload_bytes == 0) return 0;
    if (auto reserved = part->reserve(ranges); !reserved) {
      if (!part->resumed()) part->remove();  // there is nothing in it
      return fail(reserved.error());
    }
    return 0;
  }
};

struct FileStore::FinishJob {
  storage::PartFile* part = nullptr;
  storage::FinishOptions finish;
  bool publish = false;
  bool sync = true;
  Error error{};

  std::int64_t run() {
    auto done = publish ? part->publish(sync) : part->finish(finish);
    if (!done) error = done.error();
    return storage::completion_of(done);
  }
};

FileStore::FileStore(NodeContext& context, io::Driver& driver, std::uint32_t number, const StoreOptions& options)
    : context_(context), driver_(driver), number_(number), options_(options), buffers_(options.max_buffers) {
  writer_ = std::make_unique<storage::WriterClient>(
      *context.writer, 128, [](void* d) { static_cast<io::Driver*>(d)->wake(); }, &driver);
  zeros_.emplace(options.core);
  events_.reserve(64);
  deferred_.reserve(64);
  again_.reserve(64);
  hoped_ = content::ChunkMap(options.core.chunk_count);
}

FileStore::~FileStore() {
  PN_CHECK(in_flight() == 0);
  if (!files_added_) return;
  driver_.release_file(fsync_file_);
  if (direct_) driver_.release_file(direct_file_);
}

std::shared_ptr<ContentBytes> FileStore::bytes() {
  return bytes_;
}

std::uint32_t FileStore::in_flight() const {
  return driver_ops_ + writer_->in_flight();
}

void FileStore::open() {
  const auto entry = content::decode_single_entry(options_.core, options_.entries->page(0));
  if (!entry) return push({.kind = StoreEvent::Kind::kFailed, .error = entry.error()});
  entry_ = *entry;
  open_job_ = std::make_unique<OpenJob>();
  open_job_->options = options_;
  open_job_->entry = entry_;
  open_job_->want_direct = context_.config.direct != DirectWrites::kOff && options_.core.payload_bytes >= kDirectFrom;
  open_job_->state = context_.state.get();
  open_job_->zeros = &zeros_;
  storage::WriterOp op;
  op.kind = storage::WriterOpKind::kCall;
  op.token = kOpenToken;
  op.call = [](void* job) { return static_cast<OpenJob*>(job)->run(); };
  op.argument = open_job_.get();
  PN_CHECK(writer_->submit(op));
}

void FileStore::stop() {
  stopped_ = true;
  if (open_job_) open_job_->stop.store(true, std::memory_order_relaxed);
}

void FileStore::on_opened(Instant) {
  const std::unique_ptr<OpenJob> job = std::move(open_job_);
  if (job->failed) {
    push({.kind = StoreEvent::Kind::kFailed, .error = job->error});
    return;
  }
  if (job->identical) {
    final_path_ = job->path;
    auto bytes = std::make_shared<PartBytes>(job->there.get(), options_.core.chunk_bytes);
    bytes->on_published();
    if (bytes->valid()) bytes_ = std::move(bytes);
    push({.kind = StoreEvent::Kind::kIdentical});
    return;
  }
  part_.emplace(std::move(*job->part));
  final_path_ = part_->target().path();
  const auto file = driver_.add_file(part_->fd());
  if (!file) {
    push({.kind = StoreEvent::Kind::kFailed, .error = file.error()});
    return;
  }
  fsync_file_ = *file;
  direct_ = part_->direct_fd() >= 0;
  if (direct_) {
    const auto direct = driver_.add_file(part_->direct_fd());
    direct_ = direct.has_value();
    if (direct) direct_file_ = *direct;
  }
  files_added_ = true;
  auto bytes = std::make_shared<PartBytes>(part_->fd(), options_.core.chunk_bytes);
  if (bytes->valid()) bytes_ = std::move(bytes);
  storage::WritePlannerOptions plan;
  plan.core = options_.core;
  plan.direct = direct_;
  plan.sync = options_.sync;
  plan.max_buffers = options_.max_buffers;
  planner_.emplace(plan);
  const content::ChunkMap* recorded = nullptr;
  if (job->record && storage::record_applies(*job->record, options_.core, options_.id, part_->device(), part_->inode(),
                                             options_.core.payload_bytes)) {
    recorded = &job->record->chunks;
    recorded_ = true;
  }
  resume_.emplace(options_.core, recorded, job->extents);
  take_present(job->extents);
  push({.kind = StoreEvent::Kind::kOpened});
}

// Zero chunks in holes are right already; what has data is hoped for and read back.
void FileStore::take_present(std::span<const storage::Extent> extents) {
  const content::ChunkMap holes = storage::chunks_in_holes(options_.core, extents);
  for (std::uint32_t c = 0; c < options_.core.chunk_count; ++c) {
    const ChunkIndex chunk(c);
    if (!holes.test(chunk) || options_.xxh3->xxh3_of(chunk) != zeros_->xxh3_of(chunk)) continue;
    hoped_.set(chunk);
    resume_->forget(chunk);
    planner_->on_present(chunk, true);
    present_bytes_ += options_.core.chunk_span(chunk);
  }
  if (!part_->resumed()) return;
  hoped_.merge(resume_->hoped());
  if (!resume_->done()) {
    checker_ = std::make_unique<storage::ChunkChecker>(
        part_->fd(), kMaxCheckJobs, [](void* d) { static_cast<io::Driver*>(d)->wake(); }, &driver_);
  }
}

bool FileStore::write(ChunkIndex chunk, std::uint16_t slot, MutableByteSpan buffer) {
  PN_CHECK(planner_.has_value());
  buffers_[slot] = buffer;
  return planner_->on_verified(chunk, storage::BufferSlot(slot));
}

void FileStore::run_checks(Instant) {
  std::array<storage::CheckResult, kMaxCheckJobs> results;
  for (std::size_t n; (n = checker_->take(results)) > 0;) {
    for (const storage::CheckResult& result : std::span(results).first(n)) {
      const bool durable = resume_->was_recorded(result.chunk);
      resume_->on_checked(result.chunk, result.matches);
      if (result.matches) {
        resumed_bytes_ += options_.core.chunk_span(result.chunk);
        present_bytes_ += options_.core.chunk_span(result.chunk);
        planner_->on_present(result.chunk, durable);
      }
      push({.kind = StoreEvent::Kind::kChecked, .chunk = result.chunk, .good = result.matches});
    }
  }
  while (!stopped_) {
    if (!check_next_) check_next_ = resume_->next();
    if (!check_next_) break;
    const storage::CheckJob job{*check_next_, options_.core.chunk_start(*check_next_),
                                options_.core.chunk_span(*check_next_), *options_.xxh3->xxh3_of(*check_next_)};
    if (!checker_->submit(job)) break;
    check_next_.reset();
  }
  if (resume_->done()) checker_.reset();
}

void FileStore::submit(const storage::WriteOp& op, Instant now) {
  using storage::WriteOpKind;
  const auto token = Shard::token(Shard::TokenKind::kFetch, (std::uint64_t{number_} << 32) | op.id.value());
  bool queued = false;
  switch (op.kind) {
    case WriteOpKind::kWrite: {
      MutableByteSpan buffer = buffers_[op.slot.value()];
      if (op.length > op.payload_length)
        std::memset(buffer.data() + op.payload_length, 0, op.length - op.payload_length);
      if (op.direct) {
        queued = driver_.submit_write(token, direct_file_, buffer.first(op.length), op.file_offset);
        driver_ops_ += queued ? 1 : 0;
      } else {
        queued = submit_buffered(op);
      }
      break;
    }
    case WriteOpKind::kFsync:
      queued = driver_.submit_fsync(token, fsync_file_);
      driver_ops_ += queued ? 1 : 0;
      break;
    case WriteOpKind::kFinish:
    case WriteOpKind::kPublish: {
      finish_job_ = std::make_unique<FinishJob>();
      finish_job_->part = &*part_;
      finish_job_->finish = {entry_.mode, entry_.mtime_s, entry_.mtime_ns};
      finish_job_->publish = op.kind == WriteOpKind::kPublish;
      finish_job_->sync = options_.sync;
      storage::WriterOp call;
      call.kind = storage::WriterOpKind::kCall;
      call.token = op.id.value();
      call.call = [](void* job) { return static_cast<FinishJob*>(job)->run(); };
      call.argument = finish_job_.get();
      queued = writer_->submit(call);
      break;
    }
  }
  if (!queued) deferred_.push_back(op);
  static_cast<void>(now);
}

bool FileStore::submit_buffered(const storage::WriteOp& op) {
  storage::WriterOp write;
  write.kind = storage::WriterOpKind::kWrite;
  write.token = op.id.value();
  write.fd = part_->fd();
  write.bytes = buffers_[op.slot.value()].first(op.length);
  write.offset = op.file_offset;
  return writer_->submit(write);
}

void FileStore::take_completions(Instant now) {
  std::array<storage::WriterCompletion, 32> done;
  for (std::size_t n; (n = writer_->take(done)) > 0;) {
    for (const storage::WriterCompletion& completion : std::span(done).first(n)) {
      if (completion.token == kOpenToken) {
        on_opened(now);
      } else {
        planner_->on_completed(storage::WriteOpId(static_cast<std::uint32_t>(completion.token)), completion.result,
                               now);
      }
    }
  }
}

void FileStore::on_file(std::uint32_t op, std::int64_t result, Instant now) {
  --driver_ops_;
  planner_->on_completed(storage::WriteOpId(op), result, now);
}

void FileStore::take_planner_events() {
  using storage::WriteEventKind;
  while (const auto event = planner_->poll_event()) {
    const auto slot = static_cast<std::uint16_t>(event->slot.value());
    switch (event->kind) {
      case WriteEventKind::kWritten:
        present_bytes_ += options_.core.chunk_span(event->chunk);
        push({.kind = StoreEvent::Kind::kWritten, .chunk = event->chunk, .slot = slot, .has_slot = event->has_slot});
        break;
      case WriteEventKind::kReleased:
        push({.kind = StoreEvent::Kind::kReleased, .chunk = event->chunk, .slot = slot, .has_slot = true});
        break;
      case WriteEventKind::kDurable:
        record();
        break;
      case WriteEventKind::kPaused:
        push({.kind = StoreEvent::Kind::kPaused, .error = event->error});
        break;
      case WriteEventKind::kFailed: {
        const bool from_job = finish_job_ != nullptr && finish_job_->error.what[0] != '\0';
        push({.kind = StoreEvent::Kind::kFailed, .error = from_job ? finish_job_->error : event->error});
        break;
      }
      case WriteEventKind::kPublished:
        if (recorded_) context_.state->erase_part(options_.id, part_->device(), part_->inode());
        if (bytes_) bytes_->on_published();
        push({.kind = StoreEvent::Kind::kPublished});
        break;
    }
  }
  if (!all_written_told_ && planner_->written().full()) {
    all_written_told_ = true;
    push({.kind = StoreEvent::Kind::kAllWritten});
  }
}

// The last group is published a moment later: a record would be erased at once.
void FileStore::record() {
  if (planner_->durable().full()) return;
  recorded_ = true;
  storage::PartRecord part;
  part.content_id = options_.id;
  part.device = part_->device();
  part.inode = part_->inode();
  part.size = options_.core.payload_bytes;
  part.chunks = planner_->durable();
  context_.state->post_part(part);
}

void FileStore::pump(Instant now) {
  take_completions(now);
  if (!planner_) return;
  if (checker_) run_checks(now);
  if (planner_->paused() && retry_space_at_.is_never()) retry_space_at_ = now + kRetrySpace;
  if (now >= retry_space_at_) {
    retry_space_at_ = Instant::never();
    planner_->resume();
  }
  if (!stopped_) {
    std::swap(deferred_, again_);
    for (const storage::WriteOp& op : again_) submit(op, now);
    again_.clear();
    while (deferred_.empty()) {
      const auto op = planner_->poll_op(now);
      if (!op) break;
      submit(*op, now);
    }
  }
  take_planner_events();
}

std::optional<StoreEvent> FileStore::poll_event() {
  if (next_event_ == events_.size()) {  // empty: the memory is used again
    events_.clear();
    next_event_ = 0;
    return std::nullopt;
  }
  return events_[next_event_++];
}

Instant FileStore::next_deadline() const {
  if (!planner_ || stopped_) return Instant::never();
  return std::min(planner_->next_deadline(), retry_space_at_);
}

}  // namespace peernet::node
