// The receiving side of a get whose content goes to a descriptor in order (`get -o -`): a verified chunk waits in its
// buffer until all before it are written. Nothing is kept, so that nothing can be resumed or served from here.
// A slow reader keeps buffers occupied, which is what holds requests back.
#pragma once

#include <optional>
#include <vector>

#include "io/io.hpp"
#include "node/fetch_store.hpp"
#include "node/stream_output.hpp"
#include "storage/writer_thread.hpp"

namespace peernet::node {

class StreamStore final : public FetchStore {
 public:
  /// options.output_fd: borrowed, a copy is taken here. The driver is only woken.
  StreamStore(io::Driver& driver, const StoreOptions& options);

  void open() override;
  const content::ChunkMap& hoped() const override { return hoped_; }
  bool write(ChunkIndex chunk, std::uint16_t slot, MutableByteSpan buffer) override;
  void pump(Instant now) override;
  std::optional<StoreEvent> poll_event() override;
  Instant next_deadline() const override { return Instant::never(); }
  void on_file(std::uint32_t, std::int64_t, Instant) override {}
  std::uint32_t in_flight() const override { return writer_.in_flight(); }
  void stop() override;
  const std::string& final_path() const override { return final_path_; }
  std::uint64_t resumed_bytes() const override { return 0; }
  std::uint64_t present_bytes() const override { return written_bytes_; }
  bool all_written() const override { return written_ == options_.core.chunk_count; }
  bool checking() const override { return false; }

 private:
  struct Held {
    StreamStore* store = nullptr;
    bool used = false;
    ChunkIndex chunk;
    ByteSpan bytes;
  };

  bool submit_next();
  void end_if_complete();
  void push(const StoreEvent& event) { events_.push_back(event); }

  StoreOptions options_;
  StreamOutput output_;
  // Its own: a reader that takes its time must not hold up what others write.
  storage::WriterThread thread_;
  storage::WriterClient writer_;
  content::ChunkMap hoped_;
  std::vector<Held> held_;  // by buffer slot
  std::uint32_t next_ = 0;  // the chunk to write next; those before it are written or with the thread
  std::uint32_t written_ = 0;
  std::uint64_t written_bytes_ = 0;
  std::vector<StoreEvent> events_;
  std::size_t next_event_ = 0;
  bool stopped_ = false;
  std::string final_path_ = "-";
};

}  // namespace peernet::node
