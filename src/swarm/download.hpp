// What one shard fetches: which item to ask of which source, what has arrived, what to ask again. Pure: told of time
// and events, asked for requests. An item is a chunk or a page of a table; each item being fetched owns an assembly,
// and the assembly's number is the number of its buffer.
//
// Life of an assembly:  kFree -> kFilling -> kVerifying -> kWriting -> kFree
//                          (kFilling or kVerifying -> kFree: given up or wrong bytes; pages skip kWriting)
// Life of a request:    kFree -> kLive -> kFree (all bytes came, or refused)
//                                kLive -> kCancelled -> kFree (the source confirmed, or its session ended)
//
// Files: download.cpp (what there is to fetch, assemblies), download_sources.cpp (HAVE, refusals, stalls, reports),
// download_arrive.cpp (bytes and the ends of requests), download_choose.cpp (which source is asked),
// download_share.cpp (far sources beside near ones), download_pick.cpp (which chunk), download_endgame.cpp,
// download_check.cpp (invariants).
#pragma once

#include <array>
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
#include "swarm/availability.hpp"
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
  std::uint32_t room = 0;  ///< missing bytes of the request from there on, at least the given length
  bool partial = false;    ///< some of it is there already: not to be opened over, only missing() is new; no room
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

/// HAVE before the core is known is remembered for chunks below this: a bitmap of 16 KiB a source.
inline constexpr std::uint32_t kEarlyHave = 131'072;

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
  bool complete() const;
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
  /// Changes whenever the assembly is begun anew, whatever for; never 0 for one that holds bytes.
  std::uint32_t life(AssemblyIndex assembly) const;
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
    std::uint32_t life = 0;
    ByteRanges received{kPageRanges};
    ByteRanges asked{kPageRanges + kSpareRanges};  // received, or part of a live request
    std::uint32_t received_bytes = 0;
    std::uint16_t live_requests = 0;
    SourceIndex owner;         // is asked for the rest of it while it can go on
    Instant touched;           // asked for or received last
    SourceIndex first_source;  // of the bytes it holds
    bool several_sources = false;
    bool disputed = false;  // was wrong when pieced together from several: now from one source, who is then to blame
  };

  struct Request {
    RequestState state = RequestState::kFree;
    std::uint32_t generation = 0;
    AssemblyIndex assembly;
    SourceIndex source;
    std::uint32_t offset = 0;
    std::uint32_t length = 0;
    std::uint32_t missing = 0;       // bytes of the range that this source has not brought as new ones
    std::uint32_t twin = kNoTwin;    // the live request of another source for the same bytes (endgame)
    bool shared = false;             // has or had a twin: others' bytes may make it whole
    std::uint64_t asked_before = 0;  // bytes asked of the source up to and with this request
    Instant due;                     // given to others after this, whatever else the source sends meanwhile
  };

  // Something that a source is not asked for.
  struct Avoided {
    Item item;
    Instant until;        // at most
    bool failed = false;  // it failed there: only while somebody else can be asked
  };

  struct Source {
    bool used = false;
    bool has_all = false;
    bool all_revoked = false;  // said "everything" and lacked too much: its word for it counts no more
    content::ChunkMap have;    // counted in availability_, unless has_all
    content::ChunkMap early;   // told before the core was known
    std::uint64_t have_told = 0;
    std::array<std::uint32_t, 16> lacks{};  // of a source that has everything else
    std::uint8_t lack_count = 0;
    std::array<Avoided, 16> avoided{};  // a ring: the oldest is forgotten
    std::uint8_t next_avoided = 0;
    SourceScore score;
    std::uint32_t requests = 0;         // live and cancelled
    std::uint64_t cancelled_bytes = 0;  // of score.outstanding()
    std::uint64_t asked_bytes = 0;
    Instant asked_at;
    // Nothing was found to ask it for when work_version_ was this; looked for again at idle_until.
    std::uint64_t idle_version = 0;
    Instant idle_until;

    // download_share.cpp
    double share = 1;  // of its window that it may use beside nearer sources
    double flow = 0;   // bytes per second that came of late
    double best_flow = 0;
    std::uint64_t flow_mark = 0;
    int busy_ticks = 0;    // in a row with enough asked of it
    Instant settle_until;  // until then farther sources wait and see what it can do
    bool cut = false;      // its share was cut before

    // For its report.
    std::uint64_t duplicates = 0;
    std::uint32_t asked = 0;
    std::uint32_t explored = 0;
    std::uint32_t refused = 0;
    std::uint32_t spread = 0;  // of them because others were given the chunk first
    std::uint32_t ticks = 0;
    std::uint32_t far_ticks = 0;
    std::uint32_t full_ticks = 0;

    bool has_told() const { return has_all || have.count() > 0 || early.count() > 0; }
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
  static constexpr std::uint32_t kNoTwin = UINT32_MAX;
  static constexpr std::size_t kPageRanges = 32;
  static constexpr Duration kOverdueAgain = 1s;  // while nobody else can be asked
  static constexpr Duration kFailedChunk = 30s;  // a chunk is not asked again where it failed, while others have it
  static constexpr std::size_t kSpareRanges = kMaxRequests + 2;  // each live request may stand alone

  // download.cpp
  std::uint32_t chunk_length(ChunkIndex chunk) const;
  void refresh(ChunkIndex chunk);
  static void start_anew(Assembly& assembly);
  static void make_room(Assembly& assembly, std::uint32_t length);
  void free_assembly(Assembly& assembly);

  // download_sources.cpp
  Source& source_at(SourceIndex source);
  bool source_has(const Source& source, const Item& item) const;
  bool others_have_told(Instant now, const Source& except, const Item& item) const;
  bool may_ask(Instant now, const Source& source, const Item& item) const;
  bool others_able(Instant now, const Source& except, const Item& item) const;
  void forget_spreading();
  static void avoid(Source& source, const Item& item, Instant until, bool failed);
  void add_have(Source& source, ChunkIndex chunk);
  void take_early(Source& source);
  void drop_map(Source& source);
  void become_all(Source& source);
  void forget_have(Source& source, ChunkIndex chunk);
  bool has_map(const Source& source) const { return !source.has_all && source.have.count() > 0; }

  // download_arrive.cpp
  RequestId id_of(std::uint32_t slot) const;
  std::uint32_t slot_of(const Request& request) const;
  Request* live_request(SourceIndex source, RequestId id);
  const Request* live_request(SourceIndex source, RequestId id) const;
  void settle_twins(std::uint32_t slot);
  bool covered(const Request& request) const;
  void end_request(Request& request, bool give_back);
  void cancel_request(Request& request, bool give_back);
  void release(Request& request);
  void unlink(Request& request);
  void forget_range(const Request& request);
  void give_back_all(Instant now, SourceIndex source, bool session_ended);
  void take_overdue(Instant now);

  // download_choose.cpp
  std::uint64_t live_bytes() const { return outstanding_bytes_ - cancelled_bytes_; }
  std::uint64_t window_bytes(const SourceScore& score) const;
  std::uint32_t request_bytes(const Source& source) const;
  bool idle(Instant now, const Source& source) const;
  bool may_have_more(Instant now, const Source& source) const;
  double expected_seconds(const Source& source, std::uint32_t length) const;
  bool others_finish_first(Instant now, const Source& source, double seconds) const;
  std::optional<SourceIndex> pick_source(Instant now, bool polite, std::uint64_t tried) const;
  std::optional<RequestPlan> best_request(Instant now, bool polite);
  std::optional<RequestPlan> explore(Instant now);
  std::optional<RequestPlan> request_from(Instant now, SourceIndex source);
  RequestPlan make_request(Instant now, SourceIndex source, AssemblyIndex assembly, Range<std::uint32_t> range);

  // download_share.cpp
  void tick(Instant now);
  void adjust_share(Instant now, Source& source) const;

  // download_pick.cpp
  bool may_continue(Instant now, const Assembly& assembly, SourceIndex source) const;
  bool abandoned(Instant now, const Assembly& assembly) const;
  std::optional<AssemblyIndex> assembly_to_continue(Instant now, SourceIndex source, bool help);
  std::optional<AssemblyIndex> start_assembly(Instant now, SourceIndex source);
  std::optional<ChunkIndex> pick_chunk(Instant now, const Source& source);
  std::optional<ChunkIndex> pick_in_order(Instant now, const Source& source);
  std::uint32_t spare_assemblies() const { return usable_assemblies_ >= 4 ? 1 : 0; }

  // download_endgame.cpp
  std::optional<RequestPlan> second_copy(Instant now, SourceIndex source);
  double seconds_left(Instant now, const Request& request) const;

  Assembly& at(AssemblyIndex i) { return assemblies_[i.value()]; }
  const Assembly& at(AssemblyIndex i) const { return assemblies_[i.value()]; }

  DownloadOptions options_;
  Rng rng_;
  bool begun_ = false;
  std::uint16_t usable_assemblies_;
  std::uint32_t chunk_count_ = 0;
  std::uint32_t chunk_bytes_ = 0;
  std::uint32_t last_chunk_bytes_ = 0;
  std::span<const std::uint32_t> lengths_;
  content::ChunkMap present_;
  content::ChunkMap busy_;  // an assembly holds it
  content::ChunkMap verifiable_;
  content::ChunkMap disputed_;
  content::ChunkMap unwanted_;
  std::uint32_t wanted_left_ = 0;  // wanted and not present
  Availability availability_;      // open: verifiable, wanted, neither present nor busy
  std::uint64_t open_bytes_ = 0;
  std::uint32_t run_at_ = 0;         // where the run of consecutive chunks goes on
  std::uint32_t first_missing_ = 0;  // no wanted chunk before it is missing (in order only)
  std::vector<Page> pages_;          // wanted, not yet in an assembly
  std::vector<Assembly> assemblies_;
  std::vector<Request> requests_;
  std::vector<std::uint32_t> free_requests_;
  std::vector<RequestId> cancels_;
  std::vector<Source> sources_;
  std::size_t source_count_ = 0;
  std::size_t partial_count_ = 0;   // sources with a map of their own
  std::uint64_t work_version_ = 1;  // grows when there may be something to ask for that there was not
  std::uint32_t since_explored_ = 0;
  std::uint64_t second_copy_cost_ = 0;  // bytes expected to come twice because of the endgame
  Instant last_now_;
  Instant tick_at_;
  Instant settle_again_at_;
  std::uint64_t outstanding_bytes_ = 0;
  std::uint64_t cancelled_bytes_ = 0;  // of them, of cancelled requests
  std::uint64_t received_bytes_ = 0;
  Instant overdue_at_ = Instant::never();  // no request is overdue before
  std::uint64_t duplicate_bytes_ = 0;
};

}  // namespace peernet::swarm
