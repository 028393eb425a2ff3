// One get, from the link to the final name and on. It runs on its home shard's thread: dials the nodes of the link and
// those that trackers name, joins the swarm, collects core and tables, keeps requests outstanding, verifies what
// arrives and hands it to its store. From its start it is served, too: others may join at once, and are given what is
// written.
//
// Stages: kConnecting -> kTables (a source has joined) -> kOpening (tables are here) -> kRunning -> kDone | kFailed
//         kRunning -> kSeeding (the final name is there; served on) -> kDone
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "content/table.hpp"
#include "crypto/join_proof.hpp"
#include "node/discovery.hpp"
#include "node/fetch_store.hpp"
#include "node/peer.hpp"
#include "node/running_hashes.hpp"
#include "node/send_memory.hpp"
#include "node/shared_content.hpp"
#include "node/tracker_troubles.hpp"
#include "node/transfer_state.hpp"
#include "node/tree_plan.hpp"
#include "peernet/config.hpp"
#include "peernet/link.hpp"
#include "swarm/download.hpp"
#include "swarm/have_log.hpp"

namespace peernet::node {

/// What a metadata-only get has learnt and verified.
struct SwarmManifest {
  content::ManifestCore core;
  content::Entry entry;
  content::PageTable entries;
  std::shared_ptr<const TreePlan> tree;  ///< of a folder; `entry` is empty then
};

class Fetch final : public TrackerUser {
 public:
  struct Options {
    GetOptions get;
    Link link;
    std::vector<Address> addresses;  ///< of the link's nodes, as far as they are numeric
    bool names_wanted = false;       ///< on_names() follows
    std::shared_ptr<TransferState> transfer;
    std::shared_ptr<SwarmManifest> manifest;  ///< metadata only: filled before the last event, if that is kDone
  };

  explicit Fetch(Options options);
  ~Fetch() override;

  /// On its shard, once; number is its index there.
  void start(Shard& shard, std::uint32_t number);
  bool belongs_to(const TransferState& transfer) const { return options_.transfer.get() == &transfer; }
  /// Asked to stop; what was received is kept. While seeding that is its good end.
  void cancel();
  bool serves(const SharedContent& content) const { return shared_.get() == &content; }
  /// The names in the link were looked up: these are the addresses of those that are known.
  void on_names(const std::vector<Address>& addresses);
  /// Nothing is outstanding with the kernel or other threads: may be destroyed.
  bool finished() const;

  // From peers, on the shard's thread.
  void on_established(Peer& peer);
  void on_dial_failed(Peer& peer, const transport::CloseReason& reason);
  /// It has joined what is served here: it may have what is missing here.
  void on_receiver_joined(Peer& peer);
  /// Two sessions of one pair: this one goes, the other is used instead.
  void on_duplicate(Peer& goes, Peer& stays);
  void on_join_response(Peer& peer, FetchSlot& slot, const wire::JoinResFrame& frame);
  void on_have(Peer& peer, FetchSlot& slot, const wire::HaveFrame& frame);
  void on_have_map(Peer& peer, FetchSlot& slot, const wire::HaveMapFrame& frame);
  void on_reject(Peer& peer, FetchSlot& slot, const wire::RejectFrame& frame);
  void on_cancelled(FetchSlot& slot, RequestId request);
  void on_leave(Peer& peer, FetchSlot& slot, wire::LeaveReason reason);
  void on_closed(Peer& peer, FetchSlot& slot, const transport::CloseReason& reason);
  MutableByteSpan data_target(FetchSlot& slot, RequestId request, transport::DataRange range);
  void on_data(FetchSlot& slot, RequestId request, transport::DataRange range);
  /// A driver operation of the store ended.
  void on_file(std::uint32_t op, std::int64_t result);

  // From trackers (fetch_trackers.cpp).
  void on_tracker_peers(const wire::NodeAnnounceReply& reply) override;
  void on_tracker_announced(const std::string& tracker) override;
  void on_tracker_down(const std::string& tracker) override;
  void on_tracker_unusable(const std::string& tracker, const std::string& reason) override;
  void on_tracker_refused(const std::string& tracker, const std::string& text) override;

  /// Once a turn, after everything that arrived: verifies, writes, asks for more.
  void work(Instant now);
  Instant next_deadline(Instant now) const;

  /// For checks from outside.
  const swarm::Download& download() const { return *download_; }

 private:
  enum class Stage : std::uint8_t { kConnecting, kTables, kOpening, kRunning, kSeeding, kDone, kFailed };

  struct Dial {
    Address address;
    bool from_link = false;  // else a tracker named it, or it came by itself
    SlabHandle peer{};       // the session with that node, whoever dialled it
    SlabHandle again{};      // a second attempt while `peer` is silent
    Instant since;           // of the last attempt
    Instant not_before;      // the next one
    int failures = 0;        // in a row
    bool refused = false;    // answered, and does not want us or does not know the content
    bool joined = false;     // was a source once
  };
  struct Source {
    SlabHandle peer{};
    bool trusted = false;         // XXH3-128 alone suffices
    bool suspended = false;       // as the user was told
    bool told_too_early = false;  // more than is remembered before the core is known
    std::uint32_t bad = 0;
    std::uint32_t not_had = 0;  // chunks that it had announced
    std::uint64_t bytes = 0;    // of chunks, duplicates not included
    Instant since;
    Instant last_data;
    Instant tell_at;  // its next change of standing
  };
  /// What a peer has told before its proof came.
  struct EarlyHave {
    SlabHandle peer;
    ContentSlot slot;
    wire::HaveFrame have;
    std::uint32_t page = 0;
    std::vector<std::byte> bitmap;  // of a map
  };

  bool ended() const { return stage_ == Stage::kDone || stage_ == Stage::kFailed; }

  // fetch_dials.cpp: whom to ask
  void dial(Dial& dial);
  void dial_again(Dial& dial);
  void look_after_dials(Instant now);
  void tell_if_alone(bool heard);
  void look_for_others();
  Duration pause_after(int failures, bool alone);
  bool add_address(const Address& address, bool from_link);
  bool make_room_for_dial();
  Dial* dial_of(const Peer& peer);
  void refuse_dial(const Peer& peer);
  bool everybody_refused() const;
  void check_reachable();

  // fetch_trackers.cpp
  void join_trackers();
  void leave_trackers();
  void talk_to_trackers(Instant now);
  void ask_for_peers_soon(Instant now);
  bool knows_node(const wire::NodeTag& tag) const;
  std::string why_nobody_answered() const;
  discovery::ContentState tracker_state() const;

  // fetch_sources.cpp
  void join_over(Peer& peer);
  void add_source(Peer& peer, FetchSlot& slot);
  std::optional<swarm::SourceIndex> place_for_source(Instant now);
  void drop_source(Peer& peer, FetchSlot& slot, std::string why);
  void drop_slot(Peer& peer, ContentSlot slot);
  void ban(Peer& peer, const char* why);
  bool banned(const NodeId& node) const;
  void keep_early_have(Peer& peer, const FetchSlot& slot, EarlyHave have);
  void take_early_haves(Peer& peer, FetchSlot& slot);
  void on_too_many_haves(Peer& peer, const FetchSlot& slot);
  void ask_again_what_was_told_too_early();
  bool take_have(FetchSlot& slot, const wire::HaveFrame& frame);
  bool take_have_map(FetchSlot& slot, std::uint32_t page, ByteSpan bitmap);
  void note_source(const Peer& peer, std::string text, std::uint64_t bytes = 0);
  void note_sources_at_end();
  void tell_sources();
  void watch_sources(Instant now);
  std::string host_of(const Peer& peer) const;

  // fetch.cpp: asking
  void ask(Instant now);
  void check_patience(Instant now);
  void made_progress(Instant now) { last_progress_ = now; }
  void publish_numbers();

  // fetch_verify.cpp: what arrived
  void verify_arrived(Instant now);
  void verify_core(swarm::AssemblyIndex assembly);
  void verify_page(swarm::AssemblyIndex assembly);
  void verify_chunk(Instant now, swarm::AssemblyIndex assembly);
  void bad_chunk(Instant now, swarm::AssemblyIndex assembly);
  void begin_tables();
  void want_sha256_page(std::uint32_t page);
  void open_when_ready();
  bool know_entries();
  bool needs_sha256(swarm::AssemblyIndex assembly) const;
  MutableByteSpan buffer(swarm::AssemblyIndex assembly) const;

  // fetch_serve.cpp
  void start_serving();
  void serve_core(ByteSpan bytes);
  void serve_chunk(ChunkIndex chunk);
  void serve_present();
  void serve_bytes();
  void want_short_sha256();
  void want_pages_to_serve();
  void tell_have_grown();
  void stop_serving();
  void begin_seeding(Instant now);
  void seed_on(Instant now);
  void leave_sources();

  // fetch_end.cpp
  void take_store_events(Instant now);
  void begin_running();
  void report_complete();
  void complete(Instant now);
  void done();
  void fail(const Error& error);
  void fail(const Error& error, std::string text, std::string path = {});
  void end_sessions();

  Options options_;
  Shard* shard_ = nullptr;
  std::uint32_t number_ = 0;
  Stage stage_ = Stage::kConnecting;
  SwarmId swarm_{};
  std::vector<Dial> dials_;
  std::optional<swarm::Download> download_;
  std::vector<Source> sources_;  // by SourceIndex
  std::vector<EarlyHave> early_haves_;
  std::vector<NodeId> banned_;  // for this get
  PageRegion own_memory_;
  MutableByteSpan buffers_;
  bool borrowed_ = false;
  std::size_t buffer_stride_ = 0;
  std::vector<std::byte> side_buffer_;  // a packet that brings old and new bytes is opened here
  RunningHashes hashes_{kMaxAssemblies};
  std::vector<swarm::AssemblyIndex> arrived_;
  std::vector<swarm::AssemblyIndex> waiting_for_sha256_;

  std::optional<content::ManifestCore> core_;
  std::optional<content::Entry> entry_;   // of a file
  std::shared_ptr<const TreePlan> tree_;  // of a folder
  std::uint64_t files() const { return tree_ ? tree_->selection.files : 0; }
  std::vector<std::uint32_t> lengths_;  // of its chunks on the wire; download_ looks at them
  std::uint64_t wanted_bytes_ = 0;
  content::PageTable entries_, xxh3_, sha256_;
  std::unique_ptr<FetchStore> store_;

  // Serving.
  std::shared_ptr<SharedContent> shared_;  // nullptr: nothing is served
  std::vector<std::byte> core_bytes_;
  std::unique_ptr<swarm::HaveLog> have_;
  bool have_grown_ = false;
  bool bytes_changed_ = false;   // read back, they are not what was written
  bool present_served_ = false;  // all that an earlier run left is in have_, too
  bool pages_to_serve_ = false;  // all pages of SHA-256 are wanted, one after the other
  std::uint32_t next_page_ = 0;
  double seconds_ = 0;  // until it was complete
  Instant seed_until_ = Instant::never();

  Instant started_;
  Instant last_progress_;
  Instant dials_at_ = Instant::never();  // the next look at them
  Instant watch_at_;
  Instant retry_told_at_;

  // Trackers.
  bool with_trackers_ = false;  // between join_trackers() and leave_trackers()
  bool trackers_answered_ = false;
  bool strangers_named_ = false;  // by trackers, nodes that serve it
  TrackerTroubles troubles_;      // of those that said nothing so far, or no
  Duration tracker_beat_ = std::chrono::seconds(30);
  Instant ask_peers_at_ = Instant::never();
  Duration ask_peers_pause_ = std::chrono::seconds(1);
  Instant tell_state_at_ = Instant::never();
  std::uint32_t told_chunks_ = 0;
  bool ever_answered_ = false;
  bool ever_joined_ = false;
  bool refused_by_publisher_ = false;
  bool source_changed_ = false;
  bool wrong_bytes_ = false;
  bool waiting_told_ = false;
  bool paused_for_space_ = false;
  bool any_untrusted_ = false;
};

}  // namespace peernet::node
