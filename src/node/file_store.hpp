// The disk side of a get of one file: the part file, what an earlier run left in it, writes, fsyncs, the final name.
// Runs on the shard's thread; whatever could block goes to the writer thread, the checker thread or through the driver,
// and comes back as an event.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "content/entries.hpp"
#include "content/table.hpp"
#include "content/zero_chunk.hpp"
#include "io/io.hpp"
#include "node/context.hpp"
#include "node/fetch_store.hpp"
#include "storage/chunk_checker.hpp"
#include "storage/posix_part_file.hpp"
#include "storage/resume.hpp"
#include "storage/write_planner.hpp"

namespace peernet::node {

class FileStore final : public FetchStore {
 public:
  /// number: of the fetch, for tokens of driver operations.
  FileStore(NodeContext& context, io::Driver& driver, std::uint32_t number, const StoreOptions& options);
  ~FileStore() override;

  void open() override;
  const content::ChunkMap& hoped() const override { return hoped_; }
  bool write(ChunkIndex chunk, std::uint16_t slot, MutableByteSpan buffer) override;
  void pump(Instant now) override;
  std::optional<StoreEvent> poll_event() override;
  Instant next_deadline() const override;
  void on_file(std::uint32_t op, std::int64_t result, Instant now) override;
  std::uint32_t in_flight() const override;
  void stop() override;
  std::shared_ptr<ContentBytes> bytes() override;
  const std::string& final_path() const override { return final_path_; }
  std::uint64_t resumed_bytes() const override { return resumed_bytes_; }
  std::uint64_t present_bytes() const override { return present_bytes_; }
  bool all_written() const override { return all_written_told_; }
  bool checking() const override { return resume_ && !resume_->done(); }

 private:
  class PartBytes;
  struct OpenJob;
  struct FinishJob;
  static constexpr std::uint64_t kOpenToken = std::uint64_t{1} << 32;  // above all WriteOpIds
  static constexpr std::uint32_t kMaxCheckJobs = 4;

  void on_opened(Instant now);
  void take_present(std::span<const storage::Extent> extents);
  void take_completions(Instant now);
  void run_checks(Instant now);
  void submit(const storage::WriteOp& op, Instant now);
  bool submit_buffered(const storage::WriteOp& op);
  void take_planner_events();
  void record();
  void push(StoreEvent event) { events_.push_back(event); }

  NodeContext& context_;
  io::Driver& driver_;
  std::uint32_t number_;
  StoreOptions options_;
  content::Entry entry_;
  std::unique_ptr<storage::WriterClient> writer_;
  std::unique_ptr<OpenJob> open_job_;
  std::unique_ptr<FinishJob> finish_job_;
  std::optional<storage::PartFile> part_;
  std::shared_ptr<PartBytes> bytes_;
  std::optional<storage::WritePlanner> planner_;
  std::optional<storage::ResumePlan> resume_;
  std::unique_ptr<storage::ChunkChecker> checker_;
  std::optional<content::ZeroChunks> zeros_;
  content::ChunkMap hoped_;
  std::vector<MutableByteSpan> buffers_;            // by slot, while a chunk is held
  std::vector<storage::WriteOp> deferred_, again_;  // did not fit into a queue
  std::vector<StoreEvent> events_;
  std::size_t next_event_ = 0;
  std::optional<ChunkIndex> check_next_;
  io::FileHandle fsync_file_;
  io::FileHandle direct_file_;
  bool direct_ = false;
  bool files_added_ = false;
  bool stopped_ = false;
  bool all_written_told_ = false;
  bool recorded_ = false;
  std::uint32_t driver_ops_ = 0;
  Instant retry_space_at_ = Instant::never();
  std::string final_path_;
  std::uint64_t resumed_bytes_ = 0;
  std::uint64_t present_bytes_ = 0;
};

}  // namespace peernet::node
