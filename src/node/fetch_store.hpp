// The disk side of one get, as the get sees it. A file (file_store.hpp), a folder, a stream; the simulator has its own.
// Runs on the shard's thread: whatever could block happens elsewhere and comes back as an event.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "content/chunk_map.hpp"
#include "content/layout.hpp"
#include "content/table.hpp"
#include "node/content_bytes.hpp"

namespace peernet::node {

struct NodeContext;
struct TreePlan;

struct StoreEvent {
  enum class Kind : std::uint8_t {
    kOpened,     ///< chunks may be written; hoped() says what is here already
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
  Error error{};     ///< kPublished: what of the old target could not be removed, if anything
  std::string path;  ///< the file that the error is about, if it is one of many
};

/// What is received and where to; the tables are complete and outlive the store, and so does the layout.
struct StoreOptions {
  content::ManifestCore core;
  ContentId id{};
  std::string name;                             ///< the content's own
  const content::PageTable* entries = nullptr;  ///< verified page by page, not yet decoded
  const content::PageTable* xxh3 = nullptr;
  const content::Layout* layout = nullptr;  ///< of a tree
  std::shared_ptr<const TreePlan> tree;     ///< of a tree; kept for as long as what was received is served
  std::string output;
  bool overwrite = false;
  bool sync = true;
  std::uint32_t max_buffers = 24;
  int output_fd = -1;                           ///< a stream instead of files, see GetOptions
};

class FetchStore {
 public:
  virtual ~FetchStore() = default;

  /// Resolves the target, opens and sizes the part, looks for what is there. kOpened, kIdentical or kFailed follows.
  virtual void open() = 0;
  /// Hopefully here already: not to be fetched now (a failed check says otherwise later).
  virtual const content::ChunkMap& hoped() const = 0;
  /// A verified chunk to write; its buffer stays the store's until kWritten or kReleased. False: not now.
  virtual bool write(ChunkIndex chunk, std::uint16_t slot, MutableByteSpan buffer) = 0;

  /// Submits what is due and takes what is done. Call once a turn, then poll_event until empty.
  virtual void pump(Instant now) = 0;
  virtual std::optional<StoreEvent> poll_event() = 0;
  virtual Instant next_deadline() const = 0;
  /// A driver operation of this store ended.
  virtual void on_file(std::uint32_t op, std::int64_t result, Instant now) = 0;

  /// Operations that still use memory or descriptors of the store: it may be destroyed at 0.
  virtual std::uint32_t in_flight() const = 0;
  /// Plans nothing more (cancelled); what is in flight still ends.
  virtual void stop() = 0;

  /// After kOpened: where chunks that were written are read to be served, also after kPublished. nullptr: they are not.
  virtual std::shared_ptr<ContentBytes> bytes() { return nullptr; }

  virtual const std::string& final_path() const = 0;
  virtual std::uint64_t resumed_bytes() const = 0;
  /// Of the content, what the part holds and is verified.
  virtual std::uint64_t present_bytes() const = 0;
  virtual bool all_written() const = 0;
  /// May this chunk be announced once it is written or checked? Not if a part of it was left out.
  virtual bool servable(ChunkIndex) const { return true; }
  /// Chunks of an earlier run still to be read back.
  virtual bool checking() const = 0;
};

/// Makes the store that fits the content and the wish. number: of the fetch, for tokens of driver operations.
using StoreFactory =
    std::function<std::unique_ptr<FetchStore>(NodeContext&, io::Driver&, std::uint32_t number, const StoreOptions&)>;

}  // namespace peernet::node
