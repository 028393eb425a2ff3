#include "storage/write_planner.hpp"

#include <errno.h>
#include <gtest/gtest.h>

#include <set>

#include "planned_disk.hpp"

namespace peernet::storage {
namespace {

content::ManifestCore core_of(std::uint64_t size, std::uint32_t chunk_bytes = 16384) {
  content::ManifestCore core;
  core.chunk_bytes = chunk_bytes;
  core.total_bytes = core.payload_bytes = size;
  core.chunk_count = content::chunk_count_for(size, chunk_bytes);
  core.entry_count = 1;
  return core;
}

struct Faults {
  double write_error = 0;
  double no_space = 0;
  double short_write = 0;
  double fsync_error = 0;
};

/// Random order of arrivals, submissions and completions; a power cut is imagined after every step.
class PlannedRun {
 public:
  PlannedRun(std::uint64_t seed, WritePlannerOptions options, Faults faults)
      : rng_(seed), options_(options), faults_(faults), planner_(options), disk_(options.core) {
    for (std::uint32_t i = 0; i < options.core.chunk_count; ++i) todo_.push_back(i);
    for (std::size_t i = todo_.size(); i > 1; --i) std::swap(todo_[i - 1], todo_[rng_.below(i)]);
  }

  void go() {
    for (int step = 0; step < 20'000; ++step) {
      now_ += Duration(rng_.below(20'000'000));
      switch (rng_.below(3)) {
        case 0:
          arrive();
          break;
        case 1:
          submit();
          break;
        default:
          complete();
      }
      drain_events();
      imagine_power_cut();
      if (in_flight_.empty() && (planner_.failed() || planner_.published())) break;
    }
    drain_events();
    finished_ = planner_.failed() || planner_.published();
  }

  bool finished_ = false;
  bool wrong_file_seen_ = false;
  bool wrong_record_seen_ = false;
  std::uint32_t max_in_flight_seen_ = 0;
  int publishes_ = 0, failures_ = 0, pauses_ = 0, fsync_failures_ = 0, fsyncs_after_failure_ = 0;
  std::set<std::uint32_t> slots_out_;
  std::set<std::uint32_t> written_;

  const WritePlanner& planner() const { return planner_; }

 private:
  void arrive() {
    if (todo_.empty()) return;
    const ChunkIndex chunk{todo_.back()};
    if (rng_.chance(0.1) && !planner_.holds(chunk)) return;
    if (slots_out_.size() == options_.max_buffers) {
      EXPECT_FALSE(planner_.on_verified(chunk, BufferSlot{next_slot_})) << "the bound holds";
      return;
    }
    const bool taken = planner_.on_verified(chunk, BufferSlot{next_slot_});
    EXPECT_EQ(taken, !planner_.failed());
    if (!taken) return;
    EXPECT_FALSE(planner_.on_verified(chunk, BufferSlot{9999})) << "the same chunk twice";
    slots_out_.insert(next_slot_++);
    todo_.pop_back();
  }
  void submit() {
    const std::optional<WriteOp> op = planner_.poll_op(now_);
    if (!op) return;
    EXPECT_EQ(publishes_, 0) << "nothing after the end";
    if (op->kind == WriteOpKind::kFsync && fsync_failures_ > 0) ++fsyncs_after_failure_;
    if (op->kind == WriteOpKind::kWrite) {
      EXPECT_TRUE(slots_out_.contains(op->slot.value()));
      EXPECT_EQ(op->file_offset, options_.core.chunk_start(op->chunk));
      EXPECT_EQ(op->payload_length, options_.core.chunk_span(op->chunk));
      EXPECT_EQ(op->length, op->direct ? (op->payload_length + 4095) / 4096 * 4096 : op->payload_length);
    } else if (op->kind != WriteOpKind::kFsync) {
      EXPECT_TRUE(in_flight_.empty()) << "finish and publish stand alone";
      EXPECT_TRUE(planner_.written().full());
    }
    disk_.submit(*op);
    in_flight_.push_back(*op);
    std::uint32_t writes = 0;
    for (const WriteOp& o : in_flight_) writes += o.kind == WriteOpKind::kWrite ? 1U : 0U;
    max_in_flight_seen_ = std::max(max_in_flight_seen_, writes);
  }
  void complete() {
    if (in_flight_.empty()) return;
    const std::size_t at = rng_.below(in_flight_.size());
    const WriteOp op = in_flight_[at];
    in_flight_.erase(in_flight_.begin() + static_cast<std::ptrdiff_t>(at));
    std::int64_t result = op.kind == WriteOpKind::kWrite ? op.length : 0;
    if (op.kind == WriteOpKind::kWrite) {
      if (rng_.chance(faults_.write_error)) result = -EIO;
      if (rng_.chance(faults_.no_space)) result = -ENOSPC;
      if (rng_.chance(faults_.short_write)) result = op.payload_length - 1;
    }
    if (op.kind == WriteOpKind::kFsync && rng_.chance(faults_.fsync_error)) {
      result = -EIO;
      ++fsync_failures_;
    }
    disk_.complete(op, op.kind == WriteOpKind::kWrite ? result == op.length : result >= 0);
    planner_.on_completed(op.id, result, now_);
  }
  void drain_events() {
    while (const std::optional<WriteEvent> event = planner_.poll_event()) {
      EXPECT_TRUE(!event->has_slot || slots_out_.erase(event->slot.value()) == 1U)
          << "each slot comes back exactly once";
      switch (event->kind) {
        case WriteEventKind::kWritten:
          EXPECT_TRUE(written_.insert(event->chunk.value()).second);
          break;
        case WriteEventKind::kReleased:
          EXPECT_TRUE(planner_.failed());
          break;
        case WriteEventKind::kPaused:
          ++pauses_;
          EXPECT_EQ(event->error.code, ErrorCode::kNoSpace);
          if (rng_.chance(0.8)) faults_.no_space /= 2;
          planner_.resume();
          break;
        case WriteEventKind::kFailed:
          ++failures_;
          break;
        case WriteEventKind::kPublished:
          ++publishes_;
          break;
        case WriteEventKind::kDurable:
          break;
      }
    }
  }
  void imagine_power_cut() {
    const PlannedDisk::Image image = disk_.after_power_cut(rng_);
    if (image.final_name && !disk_.is_right(image)) wrong_file_seen_ = true;
    for (std::uint32_t i = 0; i < options_.core.chunk_count; ++i)
      if (planner_.durable().test(ChunkIndex{i}) && !disk_.chunk_is_right(image, ChunkIndex{i}))
        wrong_record_seen_ = true;
  }

  Rng rng_;
  WritePlannerOptions options_;
  Faults faults_;
  WritePlanner planner_;
  PlannedDisk disk_;
  Instant now_;
  std::vector<std::uint32_t> todo_;
  std::vector<WriteOp> in_flight_;
  std::uint32_t next_slot_ = 0;
};

WritePlannerOptions drawn_options(std::uint64_t seed) {
  Rng rng(seed * 77 + 1);
  constexpr std::uint64_t kSizes[] = {0, 1, 4095, 4096, 4097, 16383, 16384, 16385, 32768, 100'000, 300'001};
  WritePlannerOptions options;
  options.core = core_of(kSizes[rng.below(std::size(kSizes))]);
  options.direct = rng.chance(0.5);
  options.max_writes_in_flight = static_cast<std::uint32_t>(1 + rng.below(4));
  options.max_buffers = static_cast<std::uint32_t>(1 + rng.below(6));
  options.group_bytes = 16384 * (1 + rng.below(5));
  return options;
}

TEST(WritePlanner, NoPowerCutLeavesAWrongFileUnderTheFinalName) {
  for (std::uint64_t seed = 0; seed < 400; ++seed) {
    const WritePlannerOptions options = drawn_options(seed);
    PlannedRun run(seed, options, {});
    run.go();
    ASSERT_TRUE(run.finished_) << seed;
    EXPECT_EQ(run.publishes_, 1) << seed;
    EXPECT_FALSE(run.wrong_file_seen_) << seed;
    EXPECT_FALSE(run.wrong_record_seen_) << seed;
    EXPECT_TRUE(run.slots_out_.empty()) << seed;
    EXPECT_EQ(run.written_.size(), options.core.chunk_count);
    EXPECT_TRUE(run.planner().durable().full());
    EXPECT_LE(run.max_in_flight_seen_, options.max_writes_in_flight);
    EXPECT_EQ(run.planner().operations_in_flight(), 0U);
  }
}

TEST(WritePlanner, WithoutSyncTheSamePowerCutsAreSeenToHurt) {
  // The canary of the test above: the disk model does find a missing fsync.
  int wrong = 0;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    WritePlannerOptions options = drawn_options(seed);
    options.sync = false;
    PlannedRun run(seed, options, {});
    run.go();
    EXPECT_EQ(run.publishes_, 1);
    EXPECT_TRUE(run.planner().durable().none()) << "nothing is recorded that no fsync covers";
    wrong += run.wrong_file_seen_ ? 1 : 0;
  }
  EXPECT_GT(wrong, 30);
}

TEST(WritePlanner, AFailingFsyncEndsItAndIsNeverRetried) {
  int failed = 0;
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    PlannedRun run(seed, drawn_options(seed), {.fsync_error = 0.5});
    run.go();
    ASSERT_TRUE(run.finished_) << seed;
    EXPECT_FALSE(run.wrong_file_seen_) << seed;
    EXPECT_FALSE(run.wrong_record_seen_) << seed;
    EXPECT_EQ(run.fsyncs_after_failure_, 0) << seed;
    EXPECT_EQ(run.failures_, run.fsync_failures_) << seed;
    EXPECT_EQ(run.publishes_ + run.failures_, 1) << seed;
    EXPECT_TRUE(run.slots_out_.empty()) << seed;
    failed += run.failures_;
  }
  EXPECT_GT(failed, 100);
}

TEST(WritePlanner, AWriteErrorOrShortWriteFailsTheContentAndGivesEveryBufferBack) {
  int failed = 0;
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    PlannedRun run(seed, drawn_options(seed), {.write_error = 0.1, .short_write = 0.1});
    run.go();
    ASSERT_TRUE(run.finished_) << seed;
    EXPECT_FALSE(run.wrong_file_seen_) << seed;
    EXPECT_FALSE(run.wrong_record_seen_) << seed;
    EXPECT_EQ(run.publishes_ + run.failures_, 1) << seed;
    EXPECT_TRUE(run.slots_out_.empty()) << seed;
    failed += run.failures_;
  }
  EXPECT_GT(failed, 100);
}

TEST(WritePlanner, AFullDiskPausesAndLosesNothing) {
  int pauses = 0;
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    PlannedRun run(seed, drawn_options(seed), {.no_space = 0.5});
    run.go();
    ASSERT_TRUE(run.finished_) << seed;
    EXPECT_EQ(run.publishes_, 1) << seed;
    EXPECT_FALSE(run.wrong_file_seen_) << seed;
    EXPECT_FALSE(run.wrong_record_seen_) << seed;
    pauses += run.pauses_;
  }
  EXPECT_GT(pauses, 100);
}

TEST(WritePlanner, WhilePausedNothingIsWritten) {
  WritePlannerOptions options;
  options.core = core_of(5 * 16384);
  WritePlanner planner(options);
  ASSERT_TRUE(planner.on_verified(ChunkIndex{0}, BufferSlot{1}));
  ASSERT_TRUE(planner.on_verified(ChunkIndex{1}, BufferSlot{2}));
  const WriteOp first = planner.poll_op(Instant{}).value();
  planner.on_completed(first.id, -EDQUOT, Instant{});
  EXPECT_TRUE(planner.paused());
  EXPECT_EQ(planner.poll_event().value().kind, WriteEventKind::kPaused);
  EXPECT_FALSE(planner.poll_op(Instant::from_ns(1)).has_value());
  planner.resume();
  EXPECT_EQ(planner.poll_op(Instant::from_ns(2)).value().chunk, first.chunk) << "the one that did not fit goes first";
}

TEST(WritePlanner, GroupsFsyncByBytesAndByTime) {
  WritePlannerOptions options;
  options.core = core_of(100 * 16384);
  options.group_bytes = 3 * 16384;
  WritePlanner planner(options);
  const auto write = [&](std::uint32_t chunk, Instant now) {
    ASSERT_TRUE(planner.on_verified(ChunkIndex{chunk}, BufferSlot{chunk}));
    const WriteOp op = planner.poll_op(now).value();
    ASSERT_EQ(op.kind, WriteOpKind::kWrite);
    planner.on_completed(op.id, op.length, now);
    ASSERT_EQ(planner.poll_event().value().kind, WriteEventKind::kWritten);
  };
  EXPECT_TRUE(planner.next_deadline().is_never());
  write(0, Instant::from_ns(5));
  EXPECT_EQ(planner.next_deadline(), Instant::from_ns(5) + options.group_time);
  write(1, Instant::from_ns(6));
  EXPECT_FALSE(planner.poll_op(Instant::from_ns(7)).has_value());
  const Instant due = planner.next_deadline();
  const WriteOp by_time = planner.poll_op(due).value();
  EXPECT_EQ(by_time.kind, WriteOpKind::kFsync);
  write(2, due);
  planner.on_completed(by_time.id, 0, due);
  EXPECT_EQ(planner.poll_event().value().kind, WriteEventKind::kDurable);
  EXPECT_EQ(planner.durable().count(), 2U) << "the chunk written during the fsync is not covered by it";
  write(3, due);
  write(4, due);
  const WriteOp by_bytes = planner.poll_op(due).value();
  EXPECT_EQ(by_bytes.kind, WriteOpKind::kFsync);
  EXPECT_FALSE(planner.poll_op(due + 10s).has_value()) << "one fsync at a time";
  planner.on_completed(by_bytes.id, 0, due);
  EXPECT_EQ(planner.durable().count(), 5U);
}

TEST(WritePlanner, ChunksThatAreThereAlreadyAreNotWritten) {
  WritePlannerOptions options;
  options.core = core_of(3 * 16384);
  WritePlanner planner(options);
  planner.on_present(ChunkIndex{0}, true);
  planner.on_present(ChunkIndex{1}, false);
  planner.on_present(ChunkIndex{2}, false);
  EXPECT_FALSE(planner.on_verified(ChunkIndex{1}, BufferSlot{0}));
  EXPECT_EQ(planner.durable().count(), 1U);
  EXPECT_EQ(planner.poll_op(Instant{}).value().kind, WriteOpKind::kFinish);
  planner.on_completed(WriteOpId{options.max_buffers + 1}, 0, Instant{});
  EXPECT_EQ(planner.poll_op(Instant{}).value().kind, WriteOpKind::kFsync) << "an earlier run may not have flushed them";
}

TEST(WritePlanner, DirectWritesFallBackToBufferedOnes) {
  WritePlannerOptions options;
  options.core = core_of(2 * 16384 + 5);
  options.direct = true;
  WritePlanner planner(options);
  for (std::uint32_t i = 0; i < 3; ++i) ASSERT_TRUE(planner.on_verified(ChunkIndex{i}, BufferSlot{i}));
  const WriteOp a = planner.poll_op(Instant{}).value();
  const WriteOp b = planner.poll_op(Instant{}).value();
  EXPECT_TRUE(a.direct && b.direct);
  planner.on_completed(a.id, -EINVAL, Instant{});
  planner.on_completed(b.id, -EINVAL, Instant{});
  std::set<std::uint32_t> again;
  for (int i = 0; i < 3; ++i) {
    const WriteOp op = planner.poll_op(Instant{}).value();
    EXPECT_FALSE(op.direct);
    EXPECT_EQ(op.length, op.payload_length);
    again.insert(op.chunk.value());
    if (i == 0) planner.on_completed(op.id, op.length, Instant{});
  }
  EXPECT_EQ(again.size(), 3U);
  EXPECT_FALSE(planner.failed());
}

TEST(WritePlanner, EINVALOfABufferedWriteIsAnErrorAndNoLoop) {
  WritePlannerOptions options;
  options.core = core_of(16384);
  WritePlanner planner(options);
  ASSERT_TRUE(planner.on_verified(ChunkIndex{0}, BufferSlot{0}));
  planner.on_completed(planner.poll_op(Instant{}).value().id, -EINVAL, Instant{});
  EXPECT_TRUE(planner.failed());
}

TEST(WritePlanner, ATargetThatAppearedMeanwhileIsNamedAsSuch) {
  WritePlannerOptions options;
  options.core = core_of(0);
  options.sync = false;
  WritePlanner planner(options);
  planner.on_completed(planner.poll_op(Instant{}).value().id, 0, Instant{});
  const WriteOp publish = planner.poll_op(Instant{}).value();
  ASSERT_EQ(publish.kind, WriteOpKind::kPublish);
  planner.on_completed(publish.id, -EEXIST, Instant{});
  const WriteEvent event = planner.poll_event().value();
  EXPECT_EQ(event.kind, WriteEventKind::kFailed);
  EXPECT_EQ(event.error.code, ErrorCode::kTargetExists);
  EXPECT_FALSE(planner.published());
}

}  // namespace
}  // namespace peernet::storage
