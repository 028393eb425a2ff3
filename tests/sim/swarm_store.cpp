#include "sim/swarm_store.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "crypto/hash.hpp"

namespace peernet::sim {

using node::StoreEvent;

namespace {

constexpr Duration kRetrySpace = 2s;
constexpr Duration kLiarsPause = 3s;

}  // namespace

SimStore::SimStore(StoreHost& host, const node::StoreOptions& options)
    : host_(host),
      options_(options),
      hoped_(options.core.chunk_count),
      buffers_(options.max_buffers),
      check_buffer_(options.core.chunk_bytes) {}

void SimStore::open() {
  ++in_flight_;
  host_.disk().chore([this, alive = std::weak_ptr(alive_)](std::int64_t) {
    if (alive.expired()) return;
    opened_ = true;
    host_.wake();
  });
}

void SimStore::on_opened() {
  opened_ = false;
  --in_flight_;
  SimDisk& disk = host_.disk();
  if (disk.final_name()) return events_.push_back({.kind = StoreEvent::Kind::kIdentical});
  const bool resumed = disk.has_part();
  disk.create_part();
  storage::WritePlannerOptions plan;
  plan.core = options_.core;
  plan.sync = options_.sync;
  plan.max_buffers = options_.max_buffers;
  plan.group_bytes = 512 << 10;
  planner_.emplace(plan);
  const std::vector<storage::Extent> extents = disk.extents();
  resume_.emplace(options_.core, disk.recorded(), extents);
  if (resumed) hoped_.merge(resume_->hoped());
  bytes_ = host_bytes(host_, false, {});
  events_.push_back({.kind = StoreEvent::Kind::kOpened});
}

bool SimStore::write(ChunkIndex chunk, std::uint16_t slot, MutableByteSpan buffer) {
  buffers_[slot] = buffer;
  return planner_->on_verified(chunk, storage::BufferSlot(slot));
}

SimDisk::Done SimStore::done_of(storage::WriteOpId id) {
  ++in_flight_;
  return [this, alive = std::weak_ptr(alive_), id](std::int64_t result) {
    if (alive.expired()) return;
    --in_flight_;
    completions_.emplace_back(id, result);
    host_.wake();
  };
}

void SimStore::submit(const storage::WriteOp& op) {
  SimDisk& disk = host_.disk();
  switch (op.kind) {
    case storage::WriteOpKind::kWrite:
      return disk.write(op.file_offset, buffers_[op.slot.value()].first(op.length), done_of(op.id));
    case storage::WriteOpKind::kFsync:
      return disk.fsync(done_of(op.id));
    case storage::WriteOpKind::kFinish:
      return disk.chore(done_of(op.id));
    case storage::WriteOpKind::kPublish:
      return disk.publish(options_.sync, done_of(op.id));
  }
}

// One chunk at a time, as a slow disk would have it.
void SimStore::check_next() {
  if (check_in_flight_ || stopped_) return;
  const auto chunk = resume_->next();
  if (!chunk) return;
  check_in_flight_ = true;
  ++in_flight_;
  const MutableByteSpan into = MutableByteSpan(check_buffer_).first(options_.core.chunk_span(*chunk));
  host_.disk().read(options_.core.chunk_start(*chunk), into,
                    [this, alive = std::weak_ptr(alive_), chunk = *chunk, into](std::int64_t result) {
                      if (alive.expired()) return;
                      check_in_flight_ = false;
                      --in_flight_;
                      const bool good = result == static_cast<std::int64_t>(into.size()) &&
                                        crypto::xxh3_128(into) == *options_.xxh3->xxh3_of(chunk);
                      const bool durable = resume_->was_recorded(chunk);
                      resume_->on_checked(chunk, good);
                      if (good) {
                        resumed_bytes_ += into.size();
                        present_bytes_ += into.size();
                        planner_->on_present(chunk, durable);
                      }
                      events_.push_back({.kind = StoreEvent::Kind::kChecked, .chunk = chunk, .good = good});
                      host_.wake();
                    });
}

void SimStore::take_planner_events() {
  using storage::WriteEventKind;
  while (const auto event = planner_->poll_event()) {
    const auto slot = static_cast<std::uint16_t>(event->slot.value());
    switch (event->kind) {
      case WriteEventKind::kWritten:
        present_bytes_ += options_.core.chunk_span(event->chunk);
        if (!host_.disk().chunk_is_right(event->chunk))
          host_.clockwork().fail(host_.number(), "a chunk was written whose bytes are wrong");
        events_.push_back(
            {.kind = StoreEvent::Kind::kWritten, .chunk = event->chunk, .slot = slot, .has_slot = event->has_slot});
        break;
      case WriteEventKind::kReleased:
        events_.push_back({.kind = StoreEvent::Kind::kReleased, .chunk = event->chunk, .slot = slot, .has_slot = true});
        break;
      case WriteEventKind::kDurable:
        if (!planner_->durable().full()) host_.disk().record(planner_->durable());
        break;
      case WriteEventKind::kPaused:
        events_.push_back({.kind = StoreEvent::Kind::kPaused, .error = event->error});
        break;
      case WriteEventKind::kFailed:
        events_.push_back({.kind = StoreEvent::Kind::kFailed, .error = event->error});
        break;
      case WriteEventKind::kPublished:
        events_.push_back({.kind = StoreEvent::Kind::kPublished});
        break;
    }
  }
  if (!all_written_told_ && planner_->written().full()) {
    all_written_told_ = true;
    events_.push_back({.kind = StoreEvent::Kind::kAllWritten});
  }
}

void SimStore::pump(Instant now) {
  if (opened_) on_opened();
  if (!planner_) return;
  while (!completions_.empty()) {
    const auto [id, result] = completions_.front();
    completions_.pop_front();
    planner_->on_completed(id, result, now);
  }
  check_next();
  if (planner_->paused() && retry_space_at_.is_never()) retry_space_at_ = now + kRetrySpace;
  if (now >= retry_space_at_) {
    retry_space_at_ = Instant::never();
    planner_->resume();
  }
  while (!stopped_) {
    const auto op = planner_->poll_op(now);
    if (!op) break;
    submit(*op);
  }
  take_planner_events();
}

std::optional<StoreEvent> SimStore::poll_event() {
  if (events_.empty()) return std::nullopt;
  const StoreEvent event = events_.front();
  events_.pop_front();
  return event;
}

Instant SimStore::next_deadline() const {
  if (!planner_ || stopped_) return Instant::never();
  return std::min(planner_->next_deadline(), retry_space_at_);
}

// ---------------------------------------------------------------------------------------------- serving

namespace {

class HostReader final : public node::PieceReader {
 public:
  HostReader(StoreHost& host, bool whole, const Lies& lies) : host_(host), whole_(whole), lies_(lies) {}

  bool read(io::OpToken token, ChunkIndex chunk, std::uint32_t offset, MutableByteSpan into) override {
    host_.read_begun();
    const std::uint64_t at = host_.content().core().chunk_start(chunk) + offset;
    if (is(lies_.stall, chunk, 1)) return true;  // its read block is gone for good: the liar's own loss
    if (is(lies_.refuse, chunk, 2)) {
      later(200us, token, -EIO);
      return true;
    }
    if (whole_) {
      const ByteSpan right = host_.content().bytes().subspan(at, into.size());
      std::ranges::copy(right, into.begin());
      lie(chunk, offset, into);
      later(is(lies_.slow, chunk, 3) ? kLiarsPause : 50us, token, static_cast<std::int64_t>(into.size()));
      return true;
    }
    host_.disk().read(at, into, [this, alive = std::weak_ptr(alive_), token, at, into](std::int64_t result) {
      if (alive.expired()) return;
      const ByteSpan right = host_.content().bytes().subspan(at, into.size());
      if (result >= 0 && !std::ranges::equal(right, into))
        host_.clockwork().fail(host_.number(), "an honest node serves bytes that are not the content");
      host_.read_ended(token, result);
    });
    return true;
  }

 private:
  bool is(double share, ChunkIndex chunk, std::uint64_t salt) const {
    return share > 0 && Rng((std::uint64_t{host_.number()} << 40) ^ (salt << 32) ^ chunk.value()).chance(share);
  }
  void lie(ChunkIndex chunk, std::uint32_t offset, MutableByteSpan into) {
    if (is(lies_.forged, chunk, 4)) {
      const std::vector<std::byte> forged = host_.content().forged(chunk);
      std::ranges::copy(ByteSpan(forged).subspan(offset, into.size()), into.begin());
    } else if (is(lies_.wrong, chunk, 5)) {
      into[into.size() / 2] ^= std::byte{1};
    }
  }
  void later(Duration delay, io::OpToken token, std::int64_t result) {
    host_.clockwork().after(delay, [this, alive = std::weak_ptr(alive_), token, result] {
      if (!alive.expired()) host_.read_ended(token, result);
    });
  }

  StoreHost& host_;
  bool whole_;
  Lies lies_;
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);
};

class HostBytes final : public node::ContentBytes {
 public:
  HostBytes(StoreHost& host, bool whole, const Lies& lies) : host_(host), whole_(whole), lies_(lies) {}
  Result<std::unique_ptr<node::PieceReader>> open(io::Driver&) override {
    return std::make_unique<HostReader>(host_, whole_, lies_);
  }
  bool changed() const override { return false; }

 private:
  StoreHost& host_;
  bool whole_;
  Lies lies_;
};

}  // namespace

std::shared_ptr<node::ContentBytes> host_bytes(StoreHost& host, bool whole, const Lies& lies) {
  return std::make_shared<HostBytes>(host, whole, lies);
}

}  // namespace peernet::sim
