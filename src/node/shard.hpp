// A shard: one thread with one driver, its sessions and its share of the node's work. What it knows is its own; others
// post() to it. The two ways of data through it are inbound.cpp and outbound.cpp; read those first.
//
// One turn: wait for completions -> inbound (datagrams, reads, writes, posts) -> timers -> fetches ask for more ->
// outbound (control, then file bytes) -> the next wait takes everything queued to the kernel.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/random_source.hpp"
#include "base/timer_wheel.hpp"
#include "io/driver_factory.hpp"
#include "node/context.hpp"
#include "node/discovery.hpp"
#include "node/fetch.hpp"
#include "node/peer.hpp"
#include "node/serving.hpp"
#include "node/session_table.hpp"
#include "transport/acceptor.hpp"

namespace peernet::node {

class Shard final : private io::Sink {
 public:
  /// The context outlives the shard; so do the sockets.
  Shard(NodeContext& context, std::uint8_t index);
  ~Shard() override;

  /// Makes the driver (kKernel: an engine that was asked for cannot be had) and starts the thread.
  Result<void> start(const io::ShardSockets& sockets);
  /// For whom keeps time himself (the simulator): instead of start(), and then turn() whenever something has completed
  /// or next_deadline() has come, always on one thread.
  void attach(std::unique_ptr<io::Driver> driver);
  void turn();
  Instant next_deadline();
  /// What stop() does, for him: then turn() until stopped().
  void begin_stop();
  bool stopped() const;
  /// Says goodbye to all peers and ends the thread; waits for it.
  void stop();

  /// Runs on the shard's thread, in the order posted. Any thread; control path only.
  void post(std::function<void(Shard&)> work);

  io::DriverInfo driver_info() const { return info_; }
  const ShardCounters& counters() const { return counters_; }

  // --- for this shard's own parts, on its thread

  NodeContext& context() { return context_; }
  io::Driver& driver() { return *driver_; }
  ShardCounters& mutable_counters() { return counters_; }
  Serving& serving() { return serving_; }
  /// Of the first shard; the others have nothing to do with trackers.
  Discovery& discovery() { return discovery_; }
  std::uint8_t index() const { return index_; }
  Instant now() const { return now_; }
  Rng& rng() { return rng_; }
  std::uint64_t random_u64();  ///< from the system: hard to guess

  /// A session towards an address, in its handshake; nullptr if the table is full.
  Peer* dial(const Address& to, Fetch& fetch);
  Peer* peer(SlabHandle handle) { return peers_.get(handle); }
  /// To be looked after at the end of this turn: something may be ready to be sent, or its deadline has moved.
  void touch(Peer& peer);
  /// Sends what is due to every touched peer: the end of a turn, or before news that end the process.
  void look_after_peers();
  /// Says what is queued for it now, not at the end of the turn.
  void flush(Peer& peer) { send_control(peer); }
  void close(Peer& peer, wire::CloseCode code, std::string_view text);

  void on_peer_established(Peer& peer);
  /// It has joined a content that is served here.
  void on_receiver_joined(Peer& peer, const SharedContent& content);
  /// The other established session with the same running node, if there is one.
  Peer* other_session(const Peer& peer);
  /// Nothing was heard over this session for so long that it may be dead: an idle one is heard once a second.
  bool silent(const Peer& peer) const;
  void on_peer_closed(Peer& peer, const transport::CloseReason& reason);
  template <class F>
  void for_each_peer(F&& f) {
    peers_.for_each([&](SlabHandle, Peer& peer) {
      if (!peer.dead) f(peer);
    });
  }

  /// A read of the serving half ended.
  void on_read(io::OpToken token, std::int64_t result);

  Fetch* fetch(std::uint32_t number);
  void start_fetch(std::unique_ptr<Fetch> fetch);
  void cancel_fetch(const TransferState& transfer);
  /// Addresses of the link's nodes that were names.
  void names_found(const TransferState& transfer, const std::vector<Address>& addresses);

  /// Tokens of operations that belong to this shard's parts.
  enum class TokenKind : std::uint8_t { kTrain = 1, kControl = 2, kRead = 3, kFetch = 4 };
  static io::OpToken token(TokenKind kind, std::uint64_t payload) {
    return io::OpToken((std::uint64_t{static_cast<std::uint8_t>(kind)} << 56) | payload);
  }
  /// A read block's handle in 56 bits: 24 bits of generation are enough to tell a block from its successors in flight.
  static io::OpToken read_token(SlabHandle block) {
    return token(TokenKind::kRead, (std::uint64_t{block.generation & 0xffffff} << 32) | block.slot);
  }

  std::uint32_t free_control_slots() const { return controls_.free_count(); }
  /// Every send slot is with the shard: none is with the driver.
  bool all_sent() const { return trains_.free_count() == kTrains && controls_.free_count() == kControlSlots; }
  std::uint32_t peer_count() const { return peers_.size(); }
  /// A datagram that belongs to no session, of at most kControlBytes. Without a free slot it is lost.
  void send_raw(const Address& to, ByteSpan bytes);

  bool train_available() const { return trains_.available(); }
  std::uint16_t take_train() { return trains_.take(); }
  MutableByteSpan train_bytes(std::uint16_t slot) const { return trains_.bytes(slot); }
  /// The registered chunk memory of this shard, lent to one fetch at a time; empty while it is lent.
  MutableByteSpan borrow_fetch_memory() { return std::exchange(fetch_memory_, {}); }
  void return_fetch_memory(MutableByteSpan memory) { fetch_memory_ = memory; }

  /// Sends the first bytes of a train slot, which goes back when the kernel is done.
  void submit_train(std::uint16_t slot, Peer& peer, const transport::SealedTrain& train);
  void give_back_train(std::uint16_t slot) { trains_.give_back(slot); }

 private:
  struct SendSlot {
    SlabHandle peer;
    std::uint32_t datagram_bytes = 0;
  };

  void run();

  // inbound.cpp
  void on_datagrams(Instant now, std::span<io::Received> batch) override;
  void on_sent(io::OpToken token, std::int32_t result) override;
  void on_file(io::OpToken token, io::FileOp op, std::int64_t result) override;
  void on_wake() override;
  void route(const io::Received& received);
  void deliver(Peer& peer, const io::Received& received, MutableByteSpan bytes);
  void on_unrouted(const io::Received& received, MutableByteSpan datagram);
  void on_handshake_packet(const io::Received& received, MutableByteSpan datagram, const wire::PacketHeader& header);
  void accept(const io::Received& received, MutableByteSpan datagram, const transport::Accept& accept);

  // outbound.cpp
  void send_control(Peer& peer);
  void send_data();
  void arm(Peer& peer);

  // pairs.cpp
  void settle_pair(Peer& fresh);
  void give_up(Peer& goes, Peer& stays);

  // shard.cpp
  MutableByteSpan send_memory() const { return memory_.span().last(kSendMemory); }
  Peer* add_peer(transport::SessionConfig config, std::unique_ptr<crypto::Handshake> handshake);
  void no_longer_half_open(Peer& peer);
  void bury_dead_peers();
  SessionId fresh_id();
  std::uint32_t random_u32();
  transport::SessionConfig session_config(const Address& remote);

  NodeContext& context_;
  std::uint8_t index_;
  std::unique_ptr<RandomSource> random_;
  Rng rng_;
  ShardCounters counters_;
  io::DriverInfo info_;
  PageRegion memory_;  // the driver's region: chunk memory (pinned by the MiB from its start), then send memory
  MutableByteSpan fetch_memory_;
  SlotPool trains_;
  SlotPool controls_;
  std::vector<SendSlot> train_sends_;    // by train slot
  std::vector<SendSlot> control_sends_;  // by control slot
  std::unique_ptr<io::Driver> driver_;
  Slab<Peer> peers_;
  SessionTable sessions_;
  // Half-open peers by sender and initiator id: their first packets come again under the initiator's own receiver id.
  std::unordered_map<std::uint64_t, SlabHandle> first_packets_;
  transport::Acceptor acceptor_;
  TimerWheel<SlabHandle> timers_;
  Serving serving_;
  Discovery discovery_;
  std::vector<std::unique_ptr<Fetch>> fetches_;
  std::vector<std::byte> transmit_buffer_;
  std::vector<SlabHandle> touched_;
  swarm::FairQueue sending_;
  std::vector<SlabHandle> dead_;
  Instant now_;
  Instant data_retry_at_ = Instant::never();
  std::uint32_t half_open_ = 0;
  bool stopping_ = false;
  Instant stop_deadline_;

  std::mutex posts_mutex_;
  std::vector<std::function<void(Shard&)>> posts_;  // guarded by posts_mutex_
  std::vector<std::function<void(Shard&)>> running_posts_;
  std::thread thread_;
};

}  // namespace peernet::node
