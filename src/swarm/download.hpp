// What one shard fetches: which item to ask of which source, what has arrived, what to ask again. Pure: told of time
// and events, asked for requests. An item is a chunk or a page of a table; each item being fetched owns an assembly,
// and the assembly's number is the number of its buffer.
//
// Life of an assembly:  kFree -> kFilling -> kVerifying -> kWriting -> kFree
//                          (kFilling or kVerifying -> kFree: given up or wrong bytes; pages skip kWriting)
// Life of a request:    kFree -> kLive -> kFree (all bytes came, or refused)
//                                kLive -> kCancelled -> kFree (the source confirmed, or its session ended)
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/range_set.hpp"
#include "base/rng.hpp"
#include "base/time.hpp"
#include "base/types.hpp"
#include "content/chunk_map.hpp"
#include "content/manifest.hpp"
#include "swarm/source_report.hpp"
#include "swarm/source_score.hpp"

namespace peernet::swarm {

/// What a request addresses: a chunk, the core or a page of a table.
struct Item {
  content::TableId table = content::TableId::kChunks;
  std::uint32_t index = 0;
  friend bool operator==(const Item&, const Item&) = default;
};

using ByteRanges = RangeSet<std::uint32_t, WhenFull::kRefuse>;
using AssemblyIndex = Strong<struct AssemblyIndexTag, std::uint16_t>;

/// One request to put on the wire.
struct RequestPlan {
  SourceIndex source;
  RequestId id;
  Item item;
  std::uint32_t offset = 0;
  std::uint32_t length = 0;
  std::uint32_t deadline_ms = 0;
};

/// Where bytes of a live request belong.
struct Target {
  AssemblyIndex assembly;
  std::uint32_t offset = 0;
  bool partial = false;  ///< some of it is there already: not to be opened over, only missing() is new
};

/// Why a source refused a request.
enum class Refusal : std::uint8_t {
  kNotHad,     ///< it does not have the item: forgotten until it announces it again
  kBusy,       ///< too much is asked of it: left alone for a moment
  kSpreading,  ///< it gives this chunk to others first: not asked for it there for a second; no failure
  kOther,      ///< counts as a failure
};

struct DownloadOptions {
  std::uint16_t assemblies = 24;                    ///< buffers there are
  std::uint64_t max_outstanding_bytes = 16u << 20;  ///< over all sources
  /// What the socket holds: the limit over all sources so near (below 2 ms) that everything asked for may arrive before
  /// this shard looks at its socket again. On longer paths the window is on its way, not in the socket.
  std::uint64_t socket_bytes = 2u << 20;
  std::uint32_t number = 0;  ///< of this download on its shard, below kMaxDownloads: part of request ids
  std::uint64_t seed = 1;
  bool sequential = false;  ///< strictly in order, not further ahead of the first missing chunk than there are buffers
};

inline constexpr std::uint32_t kMaxDownloads = 1024;
/// Which download of the shard a request id belongs to.
constexpr std::uint32_t download_of(RequestId id) {
  return (id.value() >> 8) % kMaxDownloads;
}

class Download {
 public:
  explicit Download(const DownloadOptions& options);

  // --- what there is to fetch

  /// Asks for one page or the core before any chunk. length: bytes of the reply.
  void want_page(Item item, std::uint32_t length);
  /// The geometry of the content, once its core is verified.
  struct Chunks {
    std::uint32_t count = 0;
    std::uint32_t bytes = 0;
    std::uint32_t last_bytes = 0;
    std::uint16_t assemblies = 0;  ///< buffers of this size there are, at most DownloadOptions::assemblies
    /// The wire length of each chunk, 1 to `bytes`; the caller's, for as long as this download lives. Empty: all are
    /// `bytes` long but for the last.
    std::span<const std::uint32_t> lengths = {};
  };
  void begin_chunks(const Chunks& chunks);
  /// The hash of these chunks is known: they may be asked for.
  void set_verifiable(ChunkIndex first, std::uint32_t count);
  /// Already here (left by an earlier run, or zeros): never asked for.
  void set_present(ChunkIndex chunk);
  /// Was present but turned out wrong: fetch it.
  void set_missing(ChunkIndex chunk);
  /// Never asked for, and not needed for complete(). One that is being fetched is still finished.
  void set_unwanted(ChunkIndex chunk);
  /// Every wanted chunk is present.
  bool complete() const { return begun_ && wanted_left_ == 0; }
  const content::ChunkMap& present() const { return present_; }

  // --- sources

  /// Adds a source, or returns nothing if kMaxSources are known.
  std::optional<SourceIndex> add_source(Instant now);
  void remove_source(SourceIndex source);
  /// False: close the session, it has told more than is remembered (before begin_chunks: indices from kEarlyHave on) or
  /// more than can be true (chunks that the content does not have, the same ones for ever).
  bool on_have(SourceIndex source, std::uint32_t first, std::uint32_t count);
  void on_have_all(SourceIndex source);
  /// minimum: the least round trip seen on this path, 0 if not known.
  void set_round_trip(SourceIndex source, Duration smoothed, Duration minimum = 0ns);
  const SourceScore& score(SourceIndex source) const;
  /// Figures of a source, and why it was or was not used; until remove_source().
  SourceReport describe(SourceIndex source) const;
  std::size_t source_count() const { return source_count_; }

  // --- requests and data

  /// The next request to send, or nothing: call until nothing, after every event below.
  std::optional<RequestPlan> next_request(Instant now);
  /// A CANCEL to send: the request is dead for its data, and its credit returns with on_request_gone.
  std::optional<std::pair<SourceIndex, RequestId>> next_cancel();
  /// Where these bytes of a request of this source belong; nothing if the request is not live, the range is not the
  /// request's, or all of it is already there. A range that was lost comes again with other packet borders, so that a
  /// packet may bring old and new bytes: thrown away whole, the new ones would never come again (it is acknowledged).
  std::optional<Target> target(SourceIndex source, RequestId id, std::uint32_t offset, std::uint32_t length) const;
  /// The first piece of the range that is not there yet; empty if there is none.
  Range<std::uint32_t> missing(AssemblyIndex assembly, Range<std::uint32_t> within) const;
  /// New bytes of a request stand in the buffer (a whole target(), or one missing() piece of a partial one). Returns
  /// the assembly if it is now whole (kVerifying).
  std::optional<AssemblyIndex> on_data(Instant now, SourceIndex source, RequestId id, std::uint32_t offset,
                                       std::uint32_t length);
  /// Bytes that had no target: counted as duplicates of that source.
  void on_unwanted(SourceIndex source, std::uint32_t length);
  /// What a live request of this source asks for.
  std::optional<Item> asked_for(SourceIndex source, RequestId id) const;
  /// REJECT: the source will not serve it.
  void on_reject(Instant now, SourceIndex source, RequestId id, Refusal why);
  /// CANCELLED: the source has stopped sending it.
  void on_request_gone(SourceIndex source, RequestId id);

  // --- assemblies

  Item item(AssemblyIndex assembly) const;
  std::uint32_t length(AssemblyIndex assembly) const;
  /// The source of a whole assembly if all its bytes are from one, nothing if they are from several.
  std::optional<SourceIndex> sole_source(AssemblyIndex assembly) const;
  /// Verified: a page's assembly is free again, a chunk's waits for on_written.
  void on_verified(AssemblyIndex assembly);
  /// Wrong bytes: they are thrown away and asked for again; if they were from several sources, then of one alone, so
  /// that a second time it is known who lies.
  void on_bad(Instant now, AssemblyIndex assembly);
  /// A chunk is written: it is present and its buffer free.
  void on_written(AssemblyIndex assembly);
  /// Writing failed for good: the buffer is free, the chunk is missing.
  void on_write_failed(AssemblyIndex assembly);

  // --- time

  /// Stalled sources are suspended and their requests given to others.
  void on_timeout(Instant now);
  Instant next_deadline(Instant now) const;

  std::uint64_t received_bytes() const { return received_bytes_; }
  std::uint64_t duplicate_bytes() const { return duplicate_bytes_; }
  std::uint64_t outstanding_bytes() const { return outstanding_bytes_; }
  /// Counts agree with each other; for tests and the simulator.
  void check_invariants() const;

 private:
  enum class AssemblyState : std::uint8_t { kFree, kFilling, kVerifying, kWriting };
  enum class RequestState : std::uint8_t { kFree, kLive, kCancelled };

  struct Assembly {
    AssemblyState state = AssemblyState::kFree;
    Item item;
    std::uint32_t length = 0;
    ByteRanges received{kPageRanges};
    ByteRanges asked{kPageRanges};  // received, or part of a live request
    std::uint32_t received_bytes = 0;
    std::uint16_t live_requests = 0;
    SourceIndex first_source;
    bool several_sources = false;
    bool disputed = false;  // was wrong when pieced together from several: now from one source, who is then to blame
  };

  struct Request {
    RequestState state = RequestState::kFree;
    bool cancel_queued = false;
    std::uint32_t generation = 0;
    AssemblyIndex assembly;
    SourceIndex source;
    std::uint32_t offset = 0;
    std::uint32_t length = 0;
    std::uint32_t missing = 0;  // bytes of the range that have not come
  };

  struct Source {
    bool used = false;
    bool has_all = false;
    content::ChunkMap have;
    SourceScore score;
    std::uint32_t requests = 0;
  };

  struct Page {
    Item item;
    std::uint32_t length = 0;
    bool disputed = false;
  };

  // A request id is, from its high bits: generation 14, download 10, slot 8. Several downloads share one session.
  static constexpr std::uint32_t kSlotBits = 8;
  static constexpr std::uint32_t kDownloadBits = 10;
  static constexpr std::uint32_t kMaxRequests = 1u << kSlotBits;
  static constexpr std::size_t kPageRanges = 32;

  RequestId id_of(std::uint32_t slot) const;
  Request* live_request(SourceIndex source, RequestId id);
  const Request* live_request(SourceIndex source, RequestId id) const;
  bool source_has(const Source& source, Item item) const;
  std::optional<AssemblyIndex> assembly_to_continue(Instant now, SourceIndex source);
  bool may_continue(Instant now, const Assembly& assembly, SourceIndex source) const;
  static void start_anew(Assembly& assembly);
  std::optional<AssemblyIndex> start_assembly(const Source& source);
  std::optional<ChunkIndex> pick_chunk(const Source& source);
  std::optional<SourceIndex> pick_source(Instant now) const;
  std::uint32_t chunk_length(ChunkIndex chunk) const;
  std::uint64_t window_bytes(const SourceScore& score) const;
  std::uint32_t request_bytes(const Source& source) const;
  std::optional<RequestPlan> request_from(Instant now, SourceIndex source);
  void end_request(Request& request, bool give_back);
  void forget_range(const Request& request);
  void give_back_all(SourceIndex source, bool session_ended);
  static void make_room(Assembly& assembly, std::uint32_t length);
  void free_assembly(Assembly& assembly);
  Assembly& at(AssemblyIndex i) { return assemblies_[i.value()]; }
  const Assembly& at(AssemblyIndex i) const { return assemblies_[i.value()]; }

  DownloadOptions options_;
  Rng rng_;
  bool begun_ = false;
  std::uint16_t usable_assemblies_;
  std::uint32_t chunk_count_ = 0;
  std::uint32_t chunk_bytes_ = 0;
  std::uint32_t last_chunk_bytes_ = 0;
  std::uint32_t search_from_ = 0;  // no chunk before this one is missing and idle
  content::ChunkMap present_;
  content::ChunkMap busy_;  // an assembly holds it
  content::ChunkMap verifiable_;
  content::ChunkMap disputed_;
  content::ChunkMap unwanted_;
  std::uint32_t wanted_left_ = 0;  // wanted and not present
  std::span<const std::uint32_t> lengths_;
  std::vector<Page> pages_;  // wanted, not yet in an assembly
  std::vector<Assembly> assemblies_;
  std::vector<Request> requests_;
  std::vector<std::uint32_t> free_requests_;
  std::vector<RequestId> cancels_;
  std::vector<Source> sources_;
  std::size_t source_count_ = 0;
  std::uint64_t outstanding_bytes_ = 0;
  std::uint64_t received_bytes_ = 0;
  std::uint64_t duplicate_bytes_ = 0;
};

}  // namespace peernet::swarm
