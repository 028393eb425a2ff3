// The disk side of one get: the part file, what an earlier run left in it, writes, fsyncs, the final name. Runs on the
// shard's thread; whatever could block goes to the writer thread, the checker thread or through the driver, and comes
// back as an event.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "content/entries.hpp"
#include "content/table.hpp"
#include "content/zero_chunk.hpp"
#include "io/io.hpp"
#include "node/context.hpp"
#include "storage/chunk_checker.hpp"
#include "storage/posix_part_file.hpp"
#include "storage/resume.hpp"
#include "storage/write_planner.hpp"

namespace peernet::node {

struct StoreEvent {
  enum class Kind : std::uint8_t {
    kOpened,     ///< chunks may be written; present() says what is here already
    kIdentical,  ///< the target holds this very content: nothing to do
    kWritten,    ///< a chunk reached the file: its buffer (slot) is free if has_slot
    kReleased,   ///< a buffer is free, its chunk was not written
    kChecked,    ///< an earlier run's chunk was read back (good)
    kAllWritten,
    kPaused,  ///< the disk is full; it tries again by itself
    kPublished,
    kFailed,
  };
  Kind kind = Kind::kOpened;
  ChunkIndex chunk;
  std::uint16_t slot = 0;
  bool has_slot = false;
  bool good = false;
  Error error{};
};

struct StoreOptions {
  content::ManifestCore core;
  ContentId id{};
  content::Entry entry;
  const content::PageTable* xxh3 = nullptr;  ///< complete; outlives the store
  std::string output;
  bool overwrite = false;
  bool sync = true;
  std::uint32_t max_buffers = 24;
};

class FetchStore {
 public:
  /// number: of the fetch, for tokens of driver operations.
  FetchStore(NodeContext& context, io::Driver& driver, std::uint32_t number, const StoreOptions& options);
  ~FetchStore();

  /// Resolves the target, opens and sizes the part file, looks for what is there. kOpened, kIdentical or kFailed
  /// follows.
  void open();

  /// Hopefully here already: not to be fetched now (a failed check says otherwise later).
  const content::ChunkMap& hoped() const { return hoped_; }
  /// A verified chunk to write; its buffer stays the store's until kWritten or kReleased. False: not now.
  bool write(ChunkIndex chunk, std::uint16_t slot, MutableByteSpan buffer);

  /// Submits what is due and takes what is done. Call once a turn, then poll_event until empty.
  void pump(Instant now);
  std::optional<StoreEvent> poll_event();
  Instant next_deadline() const;
  /// A driver operation of this store ended.
  void on_file(std::uint32_t op, std::int64_t result, Instant now);

  /// Operations that still use memory or descriptors of the store: it may be destroyed at 0.
  std::uint32_t in_flight() const;
  /// Plans nothing more (cancelled); what is in flight still ends.
  void stop();

  const std::string& final_path() const { return final_path_; }
  const std::string& part_path() const { return part_path_; }
  std::uint64_t resumed_bytes() const { return resumed_bytes_; }
  /// Of the content, what the part file holds and is verified.
  std::uint64_t present_bytes() const { return present_bytes_; }
  bool all_written() const { return all_written_told_; }
  /// Chunks of an earlier run still to be read back.
  bool checking() const { return resume_ && !resume_->done(); }

 private:
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
  std::unique_ptr<storage::WriterClient> writer_;
  std::unique_ptr<OpenJob> open_job_;
  std::unique_ptr<FinishJob> finish_job_;
  std::optional<storage::PartFile> part_;
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
  std::string part_path_;
  std::uint64_t resumed_bytes_ = 0;
  std::uint64_t present_bytes_ = 0;
};

}  // namespace peernet::node
