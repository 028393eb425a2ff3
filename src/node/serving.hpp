// The serving half of a shard: who joined what, what they are told, which file bytes are read for whom, and the trains
// they are sealed into (serving.cpp, serving_have.cpp, serving_send.cpp). Stages of a byte's way out: request -> upload
// queue -> read block -> window and pacer -> train -> kernel.
#pragma once

#include <memory>
#include <vector>

#include "io/io.hpp"
#include "node/peer.hpp"
#include "node/send_memory.hpp"
#include "node/shared_content.hpp"
#include "wire/frames.hpp"

namespace peernet::node {

/// A content as one shard serves it.
struct Served {
  std::shared_ptr<SharedContent> content;
  std::unique_ptr<PieceReader> reader;  ///< nullptr: nothing can be read yet
  std::uint32_t reads = 0;              ///< in flight
  std::vector<SlabHandle> receivers;    ///< peers that have joined it here
  Instant told_at;                      ///< when its receivers were last told of new chunks
  Instant tell_at = Instant::never();   ///< when they will be
  bool removed = false;                 ///< no longer served; waits for its reads to end
};

class Serving {
 public:
  Serving(Shard& shard, MutableByteSpan block_memory);

  void add(std::shared_ptr<SharedContent> content);
  /// Its bytes can be read from now on.
  void on_readable(const SharedContent& content);
  /// Its log of chunks has grown (or its core is known): receivers are told soon. Costs nothing per receiver.
  void on_have_grown(const SharedContent& content);
  /// Tells every receiver (LEAVE) and forgets the content.
  void remove(const SharedContent& content, wire::LeaveReason reason);
  bool empty() const { return contents_.empty(); }
  /// For checks from outside.
  template <class F>
  void for_each_content(F&& f) const {
    for (const auto& served : contents_) f(*served->content);
  }
  std::uint32_t blocks_in_use() const { return blocks_.size(); }

  // What peers say.
  void on_join(Peer& peer, const wire::JoinFrame& frame);
  void on_request(Peer& peer, const wire::RequestFrame& frame);
  void on_cancel(Peer& peer, RequestId request);
  void on_have(Peer& peer, const wire::HaveFrame& frame);
  void on_leave(Peer& peer, ContentSlot slot);
  void on_closed(Peer& peer);

  // Data out.
  /// Counts the peer among those with something to send, or no more; after every event that may have changed it.
  void note(Peer& peer);
  /// Reads ahead what its window will take soon, and seals and submits one train if it can.
  swarm::SendResult send(Instant now, Peer& peer);
  void on_read(SlabHandle block, std::int64_t result);
  /// Reads that ended elsewhere than in the driver.
  void take_reads();
  /// Nothing to read, nothing ready.
  bool idle(const Peer& peer) const { return peer.uploads.waiting_bytes() == 0 && peer.blocks_bytes == 0; }

  /// What could not be told for want of room for frames: call when there may be room again.
  void tell_behind(Instant now, Peer& peer);
  /// Once a turn: tells receivers of new chunks; about once a second looks at the files of contents and at sessions.
  void work(Instant now);
  Instant next_deadline() const;

 private:
  struct Block {
    SlabHandle peer;
    swarm::UploadRequest request;
    std::uint32_t offset = 0;
    std::uint32_t length = 0;
    std::uint32_t consumed = 0;
    std::uint16_t slot = 0;
    bool reading = false;
    Served* served = nullptr;  // while reading: it lives until its reads have ended
  };

  // serving.cpp
  Served* find(const SharedContent& content);
  void look_at_sessions(Instant now);
  void leave(Peer& peer, std::size_t index);
  std::size_t most_uploads() const;
  bool must_wait(Peer& peer, ServedSlot& slot, ChunkIndex chunk) const;
  /// For Spread: different for sessions of different shards, too, as far as a byte goes.
  static swarm::Spread::Receiver receiver_number(const Peer& peer);

  // serving_have.cpp
  bool tell(Instant now, Peer& peer, ServedSlot& slot);
  bool tell_news(Peer& peer, const ServedSlot& slot, const swarm::HaveLog& log, const swarm::HaveNews& news);
  void tell_receivers(Instant now, Served& served);

  // serving_send.cpp
  enum class ReadEnd : std::uint8_t { kEnough, kNoBlock };
  ReadEnd plan_reads(Instant now, Peer& peer);
  std::uint32_t blocks_allowed() const;
  bool take_idle_block(Instant now, const Peer& for_whom);
  bool start_block(Instant now, Peer& peer, const swarm::Piece& piece);
  swarm::SendResult send_train(Instant now, Peer& peer);
  bool fill_from_table(const SharedContent& content, const swarm::Piece& piece, MutableByteSpan out) const;
  enum class Verdict : std::uint8_t { kGood, kBadRange, kNotHad };
  Verdict judge(const Served& served, const wire::RequestFrame& frame) const;
  void free_block(SlabHandle handle);
  void say(Peer& peer, const wire::Frame& frame);
  void reject(Peer& peer, RequestId request, wire::RejectReason reason);
  void refuse(Peer& peer, RequestId request, wire::RejectReason reason, std::uint32_t points);
  void source_changed(SharedContent& content);
  void release_if_unused(Served& served);
  void make_reader(Served& served);
  void withdraw(Served& served, wire::LeaveReason reason);
  void report_receiver(const Peer& peer, const SharedContent& content, const char* what, bool joined);

  Shard& shard_;
  std::vector<std::unique_ptr<Served>> contents_;
  Slab<Block> blocks_;
  SlotPool pool_;
  Instant next_check_ = Instant::never();
  std::uint32_t wanting_ = 0;  // peers with something to send
};

}  // namespace peernet::node
