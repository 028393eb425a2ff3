// What a simulated node receives into and serves from: the real planners of src/storage over a SimDisk, and readers of
// what it holds that may lie.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "node/fetch_store.hpp"
#include "sim/swarm_disk.hpp"
#include "storage/resume.hpp"
#include "storage/write_planner.hpp"

namespace peernet::sim {

/// A host as its store and its readers see it.
class StoreHost {
 public:
  virtual ~StoreHost() = default;
  virtual SimDisk& disk() = 0;
  virtual const SwarmContent& content() const = 0;
  virtual Clockwork& clockwork() = 0;
  virtual std::uint32_t number() const = 0;
  /// Something completed: the node is to be turned soon.
  virtual void wake() = 0;
  virtual void read_begun() = 0;
  /// A read of the serving half ended; the driver tells.
  virtual void read_ended(io::OpToken token, std::int64_t result) = 0;
};

class SimStore final : public node::FetchStore {
 public:
  /// The host outlives it.
  SimStore(StoreHost& host, const node::StoreOptions& options);

  void open() override;
  const content::ChunkMap& hoped() const override { return hoped_; }
  bool write(ChunkIndex chunk, std::uint16_t slot, MutableByteSpan buffer) override;
  void pump(Instant now) override;
  std::optional<node::StoreEvent> poll_event() override;
  Instant next_deadline() const override;
  void on_file(std::uint32_t, std::int64_t, Instant) override {}
  std::uint32_t in_flight() const override { return in_flight_; }
  void stop() override { stopped_ = true; }
  std::shared_ptr<node::ContentBytes> bytes() override { return bytes_; }
  const std::string& final_path() const override { return path_; }
  std::uint64_t resumed_bytes() const override { return resumed_bytes_; }
  std::uint64_t present_bytes() const override { return present_bytes_; }
  bool all_written() const override { return all_written_told_; }
  bool checking() const override { return resume_ && !resume_->done(); }

  /// What a read would give rightly, as the planner knows it.
  bool written(ChunkIndex chunk) const { return planner_ && planner_->written().test(chunk); }

 private:
  void on_opened();
  void submit(const storage::WriteOp& op);
  void completed(storage::WriteOpId id, std::int64_t result);
  void check_next();
  void take_planner_events();
  SimDisk::Done done_of(storage::WriteOpId id);

  StoreHost& host_;
  node::StoreOptions options_;
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);
  std::optional<storage::WritePlanner> planner_;
  std::optional<storage::ResumePlan> resume_;
  content::ChunkMap hoped_;
  std::vector<MutableByteSpan> buffers_;
  std::deque<std::pair<storage::WriteOpId, std::int64_t>> completions_;
  std::deque<node::StoreEvent> events_;
  std::shared_ptr<node::ContentBytes> bytes_;
  std::vector<std::byte> check_buffer_;
  std::uint32_t in_flight_ = 0;
  std::uint64_t resumed_bytes_ = 0;
  std::uint64_t present_bytes_ = 0;
  std::string path_ = "simulated";
  Instant retry_space_at_ = Instant::never();
  bool opened_ = false;  // the answer is here, not yet taken
  bool check_in_flight_ = false;
  bool stopped_ = false;
  bool all_written_told_ = false;
};

/// How a node answers reads of what it serves.
struct Lies {
  double wrong = 0;   ///< share of the chunks of which it sends wrong bytes
  double forged = 0;  ///< share of the chunks of which it sends other bytes with the same XXH3-128
  double stall = 0;   ///< share of the chunks of which it sends nothing
  double refuse = 0;  ///< share of the chunks that it says to have and cannot read
  double slow = 0;    ///< share of the chunks that take seconds
  bool any() const { return wrong + forged + stall + refuse + slow > 0; }
};

/// The bytes of a host's disk; `whole`: it has the content from the start and its disk is not asked.
std::shared_ptr<node::ContentBytes> host_bytes(StoreHost& host, bool whole, const Lies& lies);

}  // namespace peernet::sim
