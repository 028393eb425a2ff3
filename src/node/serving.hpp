// The serving half of a shard: who joined what, which file bytes are read for whom, and the trains they are sealed
// into. Stages of a byte's way out: request -> upload queue -> read block -> window and pacer -> train -> kernel.
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
  bool removed = false;                 ///< no longer served; waits for its reads to end
};

class Serving {
 public:
  Serving(Shard& shard, MutableByteSpan block_memory);

  void add(std::shared_ptr<SharedContent> content);
  /// Its bytes can be read from now on.
  void on_readable(const SharedContent& content);
  /// Its log of chunks has grown: every receiver is told what it has not been told yet.
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
  /// Starts reads for what the peer's window will take soon.
  void plan_reads(Instant now, Peer& peer);
  void on_read(SlabHandle block, std::int64_t result);
  /// Reads that ended elsewhere than in the driver.
  void take_reads();
  /// Seals and submits one train. False: nothing ready, no window, no train slot, or over the rate limit.
  bool send_train(Instant now, Peer& peer);
  /// Nothing to read, nothing ready.
  bool idle(const Peer& peer) const { return peer.uploads.waiting_bytes() == 0 && peer.blocks_bytes == 0; }

  /// Looks at the files of contents that are being served, about once a second.
  void check_sources(Instant now);
  Instant next_check() const { return next_check_; }

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

  bool start_block(Instant now, Peer& peer, const swarm::Piece& piece);
  bool fill_from_table(const SharedContent& content, const swarm::Piece& piece, MutableByteSpan out) const;
  enum class Verdict : std::uint8_t { kGood, kBadRange, kNotHad };
  Verdict judge(const SharedContent& content, const wire::RequestFrame& frame) const;
  void free_block(SlabHandle handle);
  void tell_have(Peer& peer, ServedSlot& slot);
  void say(Peer& peer, const wire::Frame& frame);
  void reject(Peer& peer, RequestId request, wire::RejectReason reason);
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
};

}  // namespace peernet::node
