#include "node/tree_store.hpp"

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <atomic>

#include "base/check.hpp"
#include "crypto/hash.hpp"
#include "node/local_content.hpp"
#include "storage/name_rules.hpp"

namespace peernet::node {
namespace {

// A full disk is looked at again this often.
constexpr Duration kRetrySpace = 2s;
constexpr std::uint32_t kControlOps = 3;  // fsync, finish, publish: ids behind those of the writes

// "-o DIR/" puts the folder into DIR; "-o NAME" is its name, whatever is there already: going on from NAME.part would
// else end in another place than where it began.
Result<storage::Target> target_of(const std::string& output, const std::string& own_name) {
  const storage::TargetWish wish = storage::split_target(output);
  const std::string directory = wish.directory.empty() ? "." : wish.directory;
  return storage::resolve_target(directory.ends_with('/') ? directory : directory + "/",
                                 wish.name.empty() ? own_name : wish.name);
}

bool is_no_space(const Error& error) {
  return error.code == ErrorCode::kNoSpace;
}

// For the planner, which knows only numbers; what it was stands in the job.
std::int64_t completion_of(const Error& error) {
  if (is_no_space(error)) return -ENOSPC;
  if (error.code == ErrorCode::kTargetExists) return -EEXIST;
  return error.os_error > 0 ? -error.os_error : -EIO;
}

// map &= other.
void keep_common(content::ChunkMap& map, const content::ChunkMap& other) {
  content::ChunkMap rest = map;
  rest.subtract(other);
  map.subtract(rest);
}

}  // namespace

struct TreeStore::OpenJob {
  StoreOptions options;
  std::atomic<bool> stop{false};  ///< set by the shard: a large target is not hashed to its end for nothing

  std::optional<content::PathError> error;
  bool identical = false;
  std::string final_path;
  std::optional<storage::TreePart> part;
  content::ChunkMap hoped;
  storage::StateThread* state = nullptr;
  std::optional<storage::PartRecord> record;

  std::int64_t fail(Error e, std::string path = {}) {
    error = {e, std::move(path)};
    return -1;
  }
  std::int64_t fail(content::PathError e) {
    error = std::move(e);
    return -1;
  }

  std::int64_t run() {
    const TreePlan& tree = *options.tree;
    auto target = target_of(options.output, std::string(tree.listing.name(0)));
    if (!target) return fail(target.error());
    final_path = target->path();
    const auto info = storage::look_at_target(*target);
    if (!info) return fail(info.error());
    if (info->state != storage::TargetState::kAbsent && !options.overwrite) {
      storage::HashOptions hashing;
      hashing.cancel = &stop;
      identical = tree.whole() && folder_holds(final_path, options.core, tree.listing, hashing);
      if (identical) return 0;
      return fail(
          Error{ErrorCode::kTargetExists, 0, "the target exists and holds something else (--overwrite replaces it)"});
    }
    storage::TreePartOptions part_options;
    part_options.target = std::move(*target);
    part_options.content_id = options.id;
    part_options.listing = &tree.listing;
    part_options.selection = &tree.selection;
    part_options.overwrite = options.overwrite;
    auto opened = storage::TreePart::open(part_options);
    if (!opened) return fail(std::move(opened.error()));
    part.emplace(std::move(*opened));
    if (auto prepared = part->prepare(); !prepared) {
      if (!part->resumed()) part->remove();  // there is nothing in it
      return fail(std::move(prepared.error()));
    }
    if (!part->resumed()) return 0;
    hoped = part->hoped();
    record = state->find_part(options.id, part->device(), part->inode());
    return 0;
  }
};

TreeStore::TreeStore(NodeContext& context, io::Driver& driver, const StoreOptions& options)
    : context_(context),
      options_(options),
      writer_(
          *context.writer, options.max_buffers + 8, [](void* d) { static_cast<io::Driver*>(d)->wake(); }, &driver),
      hoped_(options.core.chunk_count),
      buffers_(options.max_buffers),
      jobs_(options.max_buffers + kControlOps) {
  events_.reserve(64);
}

TreeStore::~TreeStore() {
  PN_CHECK(in_flight() == 0);
}

void TreeStore::open() {
  open_job_ = std::make_unique<OpenJob>();
  open_job_->options = options_;
  open_job_->state = context_.state.get();
  storage::WriterOp op;
  op.kind = storage::WriterOpKind::kCall;
  op.token = kOpenToken;
  op.call = [](void* job) { return static_cast<OpenJob*>(job)->run(); };
  op.argument = open_job_.get();
  PN_CHECK(writer_.submit(op));
}

void TreeStore::stop() {
  stopped_ = true;
  if (open_job_) open_job_->stop.store(true, std::memory_order_relaxed);
}

void TreeStore::on_opened() {
  const std::unique_ptr<OpenJob> job = std::move(open_job_);
  final_path_ = job->final_path;
  if (job->error)
    return push({.kind = StoreEvent::Kind::kFailed, .error = job->error->error, .path = job->error->path});
  if (job->identical) return push({.kind = StoreEvent::Kind::kIdentical});
  part_.emplace(std::move(*job->part));
  auto bytes = std::make_shared<TreeBytes>(TreeBytes::Options{.root = part_->fd(),
                                                              .listing = &options_.tree->listing,
                                                              .inodes = {},
                                                              .selected = &options_.tree->selection.entries,
                                                              .owner = options_.tree});
  if (bytes->valid()) bytes_ = std::move(bytes);
  begin_planning();
  if (part_->resumed()) {
    keep_common(job->hoped, options_.tree->selection.wanted);
    const content::ChunkMap* recorded = nullptr;
    if (job->record && storage::record_applies(*job->record, options_.core, options_.id, part_->device(),
                                               part_->inode(), options_.core.total_bytes)) {
      keep_common(job->record->chunks, job->hoped);
      recorded = &job->record->chunks;
      recorded_ = true;
    }
    std::vector<storage::Extent> extents;
    for (auto run = job->hoped.next_run(ChunkIndex(0)); run; run = job->hoped.next_run(run->first + run->count)) {
      const ChunkIndex last = run->first + (run->count - 1);
      extents.push_back(
          {options_.core.chunk_start(run->first), options_.core.chunk_start(last) + options_.core.chunk_span(last)});
    }
    resume_.emplace(options_.core, recorded, extents);
    hoped_ = resume_->hoped();
  }
  push({.kind = StoreEvent::Kind::kOpened});
}

void TreeStore::begin_planning() {
  const content::TreeSelection& selection = options_.tree->selection;
  storage::WritePlannerOptions plan;
  plan.core = options_.core;
  plan.layout = &options_.tree->layout();
  plan.sync = options_.sync;
  plan.max_buffers = options_.max_buffers;
  planner_.emplace(plan);
  for (auto at = selection.wanted.next_clear(ChunkIndex(0)); at; at = selection.wanted.next_clear(*at + 1))
    planner_->on_unwanted(*at);
}

bool TreeStore::write(ChunkIndex chunk, std::uint16_t slot, MutableByteSpan buffer) {
  PN_CHECK(planner_.has_value());
  buffers_[slot] = buffer;
  return planner_->on_verified(chunk, storage::BufferSlot(slot));
}

// ---------------------------------------------------------------------------------------------- the writer thread

std::int64_t TreeStore::Job::run() {
  content::PathResult<void> done;
  storage::TreePart& part = *store->part_;
  switch (kind) {
    case storage::WriteOpKind::kWrite:
      done = part.write(chunk, bytes);
      break;
    case storage::WriteOpKind::kFsync:
      done = part.sync();
      break;
    case storage::WriteOpKind::kFinish:
      done = part.finish();
      break;
    case storage::WriteOpKind::kPublish: {
      auto published = part.publish(store->options_.sync);
      if (published) {
        store->published_ = std::move(*published);
      } else {
        done = std::unexpected(std::move(published.error()));
      }
      break;
    }
  }
  if (done) return static_cast<std::int64_t>(bytes.size());
  error = std::move(done.error());
  return completion_of(error.error);
}

std::int64_t TreeStore::CheckJob::run() {
  const std::int64_t n = store->part_->read(chunk, buffer);
  const bool good = n == static_cast<std::int64_t>(buffer.size()) && crypto::xxh3_128(buffer) == expected;
  return good ? 1 : 0;
}

// ---------------------------------------------------------------------------------------------- the shard's thread

bool TreeStore::submit(const storage::WriteOp& op) {
  Job& job = jobs_[op.id.value()];
  job = {.store = this, .kind = op.kind, .chunk = op.chunk, .bytes = {}, .error = {}};
  if (op.kind == storage::WriteOpKind::kWrite) job.bytes = buffers_[op.slot.value()].first(op.length);
  storage::WriterOp call;
  call.kind = storage::WriterOpKind::kCall;
  call.token = op.id.value();
  call.call = [](void* argument) { return static_cast<Job*>(argument)->run(); };
  call.argument = &job;
  return writer_.submit(call);
}

void TreeStore::take_completions(Instant now) {
  std::array<storage::WriterCompletion, 32> done;
  for (std::size_t n; (n = writer_.take(done)) > 0;) {
    for (const storage::WriterCompletion& completion : std::span(done).first(n)) {
      if (completion.token == kOpenToken) {
        on_opened();
      } else if (completion.token == kCheckToken) {
        on_checked(completion.result == 1);
      } else {
        Job& job = jobs_[completion.token];
        if (completion.result < 0) failure_ = std::move(job.error);
        planner_->on_completed(storage::WriteOpId(static_cast<std::uint32_t>(completion.token)), completion.result,
                               now);
      }
    }
  }
}

void TreeStore::check_next() {
  if (check_out_ || stopped_ || !resume_ || resume_->done()) return;
  if (!check_) {
    const auto chunk = resume_->next();
    if (!chunk) return;
    check_.emplace(CheckJob{this, *chunk, {}, *options_.xxh3->xxh3_of(*chunk)});
    check_->buffer.resize(length_of(*chunk));
  }
  storage::WriterOp call;
  call.kind = storage::WriterOpKind::kCall;
  call.token = kCheckToken;
  call.call = [](void* job) { return static_cast<CheckJob*>(job)->run(); };
  call.argument = &*check_;
  check_out_ = writer_.submit(call);
}

void TreeStore::on_checked(bool good) {
  check_out_ = false;
  const ChunkIndex chunk = check_->chunk;
  check_.reset();
  const bool durable = resume_->was_recorded(chunk);
  resume_->on_checked(chunk, good);
  if (good && options_.tree->selection.wanted.test(chunk)) {
    resumed_bytes_ += length_of(chunk);
    present_bytes_ += length_of(chunk);
    planner_->on_present(chunk, durable);
  }
  push({.kind = StoreEvent::Kind::kChecked, .chunk = chunk, .good = good});
}

void TreeStore::take_planner_events() {
  using storage::WriteEventKind;
  while (const auto event = planner_->poll_event()) {
    const auto slot = static_cast<std::uint16_t>(event->slot.value());
    switch (event->kind) {
      case WriteEventKind::kWritten:
        present_bytes_ += length_of(event->chunk);
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
        const bool named = failure_.error.what[0] != '\0';
        push({.kind = StoreEvent::Kind::kFailed,
              .error = named ? failure_.error : event->error,
              .path = named ? failure_.path : std::string()});
        break;
      }
      case WriteEventKind::kPublished: {
        if (recorded_) context_.state->erase_part(options_.id, part_->device(), part_->inode());
        if (bytes_) bytes_->on_published();
        StoreEvent published{.kind = StoreEvent::Kind::kPublished};
        if (published_.old_left) {
          published.error = published_.old_left->error;
          published.path = part_->part_path();
        }
        push(std::move(published));
        break;
      }
    }
  }
  if (!all_written_told_ && all_here(planner_->written())) {
    all_written_told_ = true;
    push({.kind = StoreEvent::Kind::kAllWritten});
  }
}

// The last group is published a moment later: a record would be erased at once. Chunks that lack a file are of no use
// to a later run, which may want that file.
void TreeStore::record() {
  if (all_here(planner_->durable())) return;
  recorded_ = true;
  storage::PartRecord part;
  part.content_id = options_.id;
  part.device = part_->device();
  part.inode = part_->inode();
  part.size = options_.core.total_bytes;
  part.chunks = planner_->durable();
  keep_common(part.chunks, options_.tree->selection.whole);
  context_.state->post_part(part);
}

void TreeStore::pump(Instant now) {
  take_completions(now);
  if (!planner_) return;
  check_next();
  if (planner_->paused() && retry_space_at_.is_never()) retry_space_at_ = now + kRetrySpace;
  if (now >= retry_space_at_) {
    retry_space_at_ = Instant::never();
    planner_->resume();
  }
  while (!stopped_) {
    if (!deferred_) deferred_ = planner_->poll_op(now);
    if (!deferred_ || !submit(*deferred_)) break;
    deferred_.reset();
  }
  take_planner_events();
}

std::optional<StoreEvent> TreeStore::poll_event() {
  if (next_event_ == events_.size()) {  // empty: the memory is used again
    events_.clear();
    next_event_ = 0;
    return std::nullopt;
  }
  return std::move(events_[next_event_++]);
}

Instant TreeStore::next_deadline() const {
  if (!planner_ || stopped_) return Instant::never();
  return std::min(planner_->next_deadline(), retry_space_at_);
}

}  // namespace peernet::node
