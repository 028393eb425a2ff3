// One secured association of two nodes: handshake, sealed packets, loss recovery, congestion control and the path, as a
// pure state machine. It owns no socket and reads no clock: the owner feeds datagrams and timeouts, polls for datagrams
// to send and asks for the next deadline. File bytes are never kept here: a lost range is reported and re-read.
//
// How an owner (node shard, simulator) drives it, all on one thread:
//   received bytes      -> on_datagram(...)                       (once per GRO super-packet)
//   deadline reached    -> on_timeout(now, handler)
//   after either, and after send()/close(): poll_transmit(...) until it returns nothing; then, if file bytes wait,
//   data_budget(now) and seal_data(...) while it allows; then arm a timer for min(next_deadline(), budget.retry_at).
//
// States and who may follow whom:
//   kHandshake   -> kEstablished | kClosed
//   kEstablished -> kClosing (we closed) | kClosed (the peer closed, idle, protocol breach)
//   kClosing     -> kClosed (after 3 PTO; until then CLOSE is repeated, at a falling rate, to whoever still sends)
//   kClosed      : terminal; the owner removes the session.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "base/address.hpp"
#include "base/time.hpp"
#include "base/types.hpp"
#include "transport/session_types.hpp"

namespace peernet::transport {

/// What a session tells its owner. Borrowed for the one call it is passed to; it may call send() and close() on the
/// session from inside, nothing else that mutates it.
class SessionHandler {
 public:
  virtual ~SessionHandler() = default;

  /// Both sides have proved their keys; from here on send(), seal_data() work. Exactly once, before any other call.
  /// The owner decides here whether this node is welcome (close() if not).
  virtual void on_established(const NodeId& peer, const wire::Parameters& parameters) = 0;

  /// An application frame (JOIN ... LEAVE). Frames may arrive twice and in any order; spans borrow until return.
  virtual void on_frame(const wire::Frame& frame) = 0;

  /// Where the file bytes of a DATA packet may be opened straight into: at least `length` bytes, the place of
  /// range.offset first. What is longer takes the packets behind it, too, if they go on where it ends. Empty: nowhere
  /// (the packet is opened into scratch and still acknowledged, on_data is NOT called). Nothing is authenticated yet:
  /// give room only where the request is live, the bytes unmarked and their chunk incomplete, and mark nothing. After a
  /// failed tag the room holds garbage or its old bytes.
  virtual MutableByteSpan data_target(RequestId request, DataRange range) = 0;
  /// Bytes at the start of the room handed out last are authentic and were new: mark them. Once for all packets that
  /// went there, and before any other call.
  virtual void on_data(RequestId request, DataRange range) = 0;

  /// A sealed range is considered lost: seal it again (after re-reading it) unless the request has ended. Adjacent
  /// ranges of one request come merged.
  virtual void on_data_lost(RequestId request, DataRange range) = 0;
  /// The peer has acknowledged a sealed range; adjacent ranges of one request come merged. A range reported lost may
  /// still be acknowledged later (the loss was spurious), then its second copy is superfluous.
  virtual void on_data_acked(RequestId request, DataRange range) = 0;

  /// Last call ever: the state is kClosed (peer closed, idle, breach, handshake failure) or kClosing (our close()).
  virtual void on_closed(const CloseReason& reason) = 0;
};

class Session {
 public:
  /// `handshake` is the TLS state of this side; the simulator may pass a fake one.
  /// An initiator has its first flight ready at once: poll_transmit.
  Session(const SessionConfig& config, std::unique_ptr<crypto::Handshake> handshake, Instant now);
  ~Session();
  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;

  // --- in ---

  /// One received datagram, or several of one sender that the kernel coalesced: all but the last are `segment_size`
  /// long. Every segment's receiver id must be ours (the owner routes; foreign segments are counted and skipped). The
  /// bytes are opened in place or into targets; they are garbage afterwards.
  void on_datagram(Instant now, const Datagram& datagram, SessionHandler& handler);

  /// Call when next_deadline() has come; calling early or late is harmless.
  void on_timeout(Instant now, SessionHandler& handler);

  /// When on_timeout or poll_transmit has work without anything arriving; never() when nothing is pending. Changes with
  /// every call into the session.
  Instant next_deadline() const;

  // --- out: control ---

  /// Fills `out` (at least transmit_buffer_bytes()) with the next datagram: handshake, ACK, reliable frames, probes,
  /// CLOSE. nullopt when there is nothing to send now. Call until empty.
  std::optional<Transmit> poll_transmit(Instant now, MutableByteSpan out);
  /// Room that poll_transmit may need: the largest datagram (MTU probes are as large as the search limit).
  std::size_t transmit_buffer_bytes() const;

  /// Queues a reliable frame; it is encoded now, nothing is borrowed. False: the bounded store is full, or the session
  /// is not established, or the frame is larger than max_frame_bytes().
  bool send(const wire::Frame& frame);
  /// Largest encoded frame (type, length, body) that every path can carry.
  std::size_t max_frame_bytes() const;
  /// How many more frames send() would take at least.
  std::size_t frame_room() const;
  /// The same for frames above 64 bytes.
  std::size_t large_frame_room() const;

  // --- out: file bytes ---

  /// What may be sealed now. packets == 0: not now; ask again after something was received, or at retry_at.
  DataBudget data_budget(Instant now) const;

  /// Seals file bytes [offset, offset + bytes) of a request into `train`: equally long packets (the last may be
  /// shorter), one contiguous GSO train. Takes what budget, train size and ring allow: result.consumed <=
  /// file_bytes.size(), 0 if nothing. Set `last` when no more file bytes wait: the train's last packet asks for an
  /// immediate acknowledgement. A train holds bytes of one request range only; call again (fresh train) for another.
  SealedTrain seal_data(Instant now, const DataToSeal& data, MutableByteSpan train);

  // --- control of the session ---

  /// Starts closing: one CLOSE goes out with the next poll_transmit, on_closed is called by this call's handler.
  void close(Instant now, wire::CloseCode code, std::string_view text, SessionHandler& handler);

  /// File bytes the owner still expects from this peer: acknowledgements come every quarter of it at the latest.
  /// Default 256 KiB.
  void set_window_hint(std::uint64_t bytes);
  /// The kernel refused a datagram of this size (EMSGSIZE): the search stops below it, or the path falls back.
  void on_datagram_too_big(Instant now, std::size_t datagram_bytes);

  // --- observers ---

  SessionState state() const;
  bool established() const { return state() == SessionState::kEstablished; }
  Role role() const;
  SessionId local_id() const;
  /// The peer's id; for an initiator that has not heard from the responder, its own random first receiver id.
  SessionId remote_id() const;
  std::uint64_t initiator_id() const;
  const Address& remote() const;
  /// Valid once established.
  const NodeId& peer() const;
  const wire::Parameters& peer_parameters() const;
  /// Names this session in JOIN proofs (crypto::JoinClaim); valid once established.
  const Hash256& binding() const;
  SessionStats stats() const;
  /// Smoothed round trip; the configured initial one before the first sample.
  Duration rtt() const;
  /// When a packet of the peer was opened last; its making, before the first.
  Instant last_heard() const;
  /// The least round trip seen on this path (RFC 9002 5.2); zero before the first sample.
  Duration min_rtt() const;
  /// No file bytes or frames limited by the window: the sender had less to send than it was allowed.
  bool is_app_limited() const;

  /// Debugging and simulation: aborts if books do not balance (bytes in flight = sum over unacknowledged packets, ...).
  void check_invariants() const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace peernet::transport
