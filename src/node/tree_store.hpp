// The disk side of a get of a folder: NAME.part/, what an earlier run left in it, writes into its files, the final
// name. Every call that could block runs on the writer thread, one at a time and in order; what is written is served by
// a reader of its own.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "io/io.hpp"
#include "node/context.hpp"
#include "node/fetch_store.hpp"
#include "node/tree_bytes.hpp"
#include "node/tree_plan.hpp"
#include "storage/resume.hpp"
#include "storage/tree_part.hpp"
#include "storage/write_planner.hpp"

namespace peernet::node {

class TreeStore final : public FetchStore {
 public:
  /// options.tree is set. The driver is only woken.
  TreeStore(NodeContext& context, io::Driver& driver, const StoreOptions& options);
  ~TreeStore() override;

  void open() override;
  const content::ChunkMap& hoped() const override { return hoped_; }
  bool write(ChunkIndex chunk, std::uint16_t slot, MutableByteSpan buffer) override;
  void pump(Instant now) override;
  std::optional<StoreEvent> poll_event() override;
  Instant next_deadline() const override;
  void on_file(std::uint32_t, std::int64_t, Instant) override {}
  std::uint32_t in_flight() const override { return writer_.in_flight(); }
  void stop() override;
  std::shared_ptr<ContentBytes> bytes() override { return bytes_; }
  const std::string& final_path() const override { return final_path_; }
  std::uint64_t resumed_bytes() const override { return resumed_bytes_; }
  std::uint64_t present_bytes() const override { return present_bytes_; }
  bool all_written() const override { return all_written_told_; }
  bool servable(ChunkIndex chunk) const override { return options_.tree->selection.whole.test(chunk); }
  bool checking() const override { return resume_ && !resume_->done(); }

 private:
  struct OpenJob;
  /// One call on the writer thread: what it works on and what it found.
  struct Job {
    TreeStore* store = nullptr;
    storage::WriteOpKind kind = storage::WriteOpKind::kWrite;
    ChunkIndex chunk;
    ByteSpan bytes;
    content::PathError error;
    std::int64_t run();
  };
  struct CheckJob {
    TreeStore* store = nullptr;
    ChunkIndex chunk;
    std::vector<std::byte> buffer;
    Hash128 expected{};
    std::int64_t run();
  };
  static constexpr std::uint64_t kOpenToken = std::uint64_t{1} << 32;  // above all WriteOpIds
  static constexpr std::uint64_t kCheckToken = kOpenToken + 1;

  void on_opened();
  void begin_planning();
  void take_completions(Instant now);
  void check_next();
  void on_checked(bool good);
  bool submit(const storage::WriteOp& op);
  void take_planner_events();
  void record();
  bool all_here(const content::ChunkMap& chunks) const {
    return chunks.count() == options_.tree->selection.wanted.count();
  }
  std::uint32_t length_of(ChunkIndex chunk) const { return options_.tree->layout().chunk_payload(chunk); }
  void push(StoreEvent event) { events_.push_back(std::move(event)); }

  NodeContext& context_;
  StoreOptions options_;
  storage::WriterClient writer_;
  std::unique_ptr<OpenJob> open_job_;
  std::optional<storage::TreePart> part_;
  std::shared_ptr<TreeBytes> bytes_;
  std::optional<storage::WritePlanner> planner_;
  std::optional<storage::ResumePlan> resume_;
  std::optional<CheckJob> check_;
  bool check_out_ = false;
  content::ChunkMap hoped_;
  std::vector<MutableByteSpan> buffers_;      // by slot, while a chunk is held
  std::vector<Job> jobs_;                     // by WriteOpId
  std::optional<storage::WriteOp> deferred_;  // did not fit into the queue
  content::PathError failure_;
  storage::Published published_;
  std::vector<StoreEvent> events_;
  std::size_t next_event_ = 0;
  bool stopped_ = false;
  bool all_written_told_ = false;
  bool recorded_ = false;
  Instant retry_space_at_ = Instant::never();
  std::string final_path_;
  std::uint64_t resumed_bytes_ = 0;
  std::uint64_t present_bytes_ = 0;
};

}  // namespace peernet::node
