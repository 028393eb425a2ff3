// What a session is made of. Private to src/transport: session*.cpp sequence these parts, each file one stage.
//
//   session_receive.cpp    datagram -> packets -> opened
//   session_frames.cpp     opened CONTROL body -> frames
//   session_ack.cpp        ACK -> round trip, losses, window
//   session_handshake.cpp  HANDSHAKE and RETRY packets, both directions; becoming established
//   session_send.cpp       poll_transmit: CLOSE, ACKs, frames, probes
//   session_data.cpp       data_budget, seal_data
//   session_timers.cpp     deadlines and what happens when they come
//   session_path.cpp       addresses and datagram sizes
#pragma once

#include <memory>
#include <optional>

#include "base/rng.hpp"
#include "crypto/initial_keys.hpp"
#include "crypto/replay_window.hpp"
#include "transport/ack_tracker.hpp"
#include "transport/congestion.hpp"
#include "transport/ecn_validator.hpp"
#include "transport/frame_store.hpp"
#include "transport/handshake_exchange.hpp"
#include "transport/loss_recovery.hpp"
#include "transport/mtu_search.hpp"
#include "transport/mutants.hpp"
#include "transport/pacer.hpp"
#include "transport/path.hpp"
#include "transport/rate_estimate.hpp"
#include "transport/secret_random.hpp"
#include "transport/session.hpp"

namespace peernet::transport {

/// Keys, replay and books of sealed packets; made when the handshake is finished.
struct SealedKeys {
  crypto::PacketSealer sealer;
  crypto::PacketOpener opener;
};

struct Session::Parts final : RecoveryListener {
  Parts(const SessionConfig& configuration, std::unique_ptr<crypto::Handshake> tls, Instant now);

  // --- session_receive.cpp
  void on_datagram(Instant now, const Datagram& datagram);
  void on_packet(Instant now, MutableByteSpan packet, const Datagram& datagram);
  void on_sealed(Instant now, const wire::PacketHeader& header, MutableByteSpan packet, const Datagram& datagram);
  void end_run();
  MutableByteSpan room_for(RequestId request, DataRange range);
  void on_data_packet(Instant now, const wire::PacketHeader& header, MutableByteSpan packet, const Datagram& datagram);
  void on_control_packet(Instant now, const wire::PacketHeader& header, MutableByteSpan packet,
                         const Datagram& datagram);
  bool opened(crypto::OpenResult result);
  void on_authentic(Instant now, const wire::PacketHeader& header, std::size_t bytes, const Datagram& datagram);
  void acknowledge_later(Instant now, const wire::PacketHeader& header, std::size_t bytes, bool eliciting,
                         const Datagram& datagram);
  void drop(wire::DropReason reason) { ++stats.dropped[static_cast<std::size_t>(reason)]; }

  // --- session_frames.cpp
  bool on_frames(Instant now, ByteSpan body);
  void on_frame(Instant now, const wire::Frame& frame);
  bool push_frame(const wire::Frame& frame, FrameStore::For whom);
  void breach(Instant now, wire::DropReason reason, std::string_view text);
  void finish(Instant now, CloseCause cause, wire::CloseCode code, std::string_view text);

  // --- session_ack.cpp
  void on_ack(Instant now, const wire::AckFrame& frame);
  void on_ack_outcome(Instant now, const wire::AckFrame& frame, const AckOutcome& outcome, bool raised);
  void on_losses(Instant now, const LossOutcome& outcome);
  void on_packet_acked(std::uint64_t pn, const SentPacket& packet, bool spurious) override;
  void on_packet_lost(std::uint64_t pn, const SentPacket& packet) override;
  void flush_ranges();
  Duration peer_ack_delay() const;

  // --- session_handshake.cpp
  void on_handshake(Instant now, const wire::PacketHeader& header, MutableByteSpan packet, const Address& from);
  void on_retry(const wire::PacketHeader& header, ByteSpan packet);
  void establish(Instant now, std::size_t bytes, const Address& from);
  void confirm();
  std::optional<Transmit> poll_handshake(Instant now, MutableByteSpan out);

  // --- session_send.cpp
  std::optional<Transmit> poll_transmit(Instant now, MutableByteSpan out);
  std::optional<Transmit> poll_close(Instant now, MutableByteSpan out);
  std::optional<Transmit> poll_mtu_probe(Instant now, MutableByteSpan out);
  std::optional<Transmit> poll_control(Instant now, MutableByteSpan out);
  void write_acks(Instant now, ByteWriter& w);
  std::uint16_t write_frames(ByteWriter& w, bool beyond_window);
  Transmit seal_control(Instant now, MutableByteSpan out, std::size_t body, SentPacket record, bool ack_now);
  void record(const SentPacket& packet);
  bool may_send_frames() const;
  bool probe_allowed() const;
  std::uint64_t epoch_room() const;
  bool numbers_left(std::uint64_t reserve) const;
  std::uint64_t window_room() const;

  // --- session_data.cpp
  DataBudget data_budget(Instant now) const;
  SealedTrain seal_data(Instant now, const DataToSeal& data, MutableByteSpan train);
  bool window_blocked(std::uint64_t in_flight) const;
  void maybe_skip_number(Instant now);
  Pacer::Path pacing() const;

  // --- session_timers.cpp
  Instant next_deadline() const;
  void on_timeout(Instant now);
  void on_probe_timeout();
  Instant pto_deadline() const;
  Instant idle_deadline() const;
  Instant keep_alive_deadline() const;

  // --- session_path.cpp
  void maybe_move_path(Instant now, std::size_t bytes, const Address& from);
  void on_path_deadline(Instant now);
  void set_datagram_size();
  std::uint32_t datagram_limit(const Address& to) const;

  // --- session.cpp
  SessionStats snapshot() const;
  void check_invariants() const;

  SessionConfig config;
  SessionState state = SessionState::kHandshake;
  SessionHandler* handler = nullptr;  ///< borrowed for the call that is running, else null
  SecretRandom secret;
  Rng rng;  ///< values of PINGs, GREASE: nothing that matters when it is foreseen
  SessionStats stats;
  Instant created_at;

  // Handshake. `exchange` lives until the handshake is confirmed (initiator) or established (responder).
  std::optional<HandshakeExchange> exchange;
  std::unique_ptr<crypto::InitialProtection> initial;
  InplaceVector<std::byte, wire::kMaxTokenSize> token;
  std::uint64_t handshake_number = 0;
  crypto::ReplayWindow handshake_replay;
  SessionId remote_id;
  bool retry_taken = false;
  bool confirmed = false;

  NodeId peer{};
  wire::Parameters peer_parameters;
  Hash256 binding{};

  // Sealed packets.
  std::optional<SealedKeys> keys;
  crypto::ReplayWindow replay;
  AckTracker acks;
  LossRecovery recovery;
  FrameStore frames;
  RttEstimator rtt;
  std::unique_ptr<CongestionController> congestion;
  Pacer pacer;
  RateEstimate rate;
  MtuSearch mtu;
  EcnValidator ecn;
  Path path;

  std::uint64_t skip_at;             ///< the next packet number that is not sent
  std::uint64_t limited_until = 0;   ///< packets below it were sent while the window was used up
  std::uint64_t acks_only_sent = 0;  ///< packets in a row that the peer will not acknowledge
  std::uint32_t probes_owed = 0;
  bool ack_now_next = false;  ///< the next CONTROL packet asks for an immediate ACK
  bool app_limited = true;
  bool large_lost = false;  ///< the running scan lost packets above the base size
  bool probe_lost = false;
  std::uint64_t event_losses = 0;  ///< of the last window reduction, not yet found spurious
  Instant event_first_sent;
  Instant path_changed_at = Instant::from_ns(INT64_MIN);

  /// DATA packets of one datagram, end to end in the room that the owner gave for the first of them.
  struct Run {
    RequestId request{};
    DataRange range;       ///< opened so far
    MutableByteSpan room;  ///< for the bytes from range.offset on; empty: no run
  };
  Run run;

  // Ranges being merged before the owner is told.
  struct Merging {
    RequestId request{};
    DataRange range;
  };
  Merging acked;
  Merging lost;

  Instant last_heard_at;
  Instant last_sent_at;
  std::optional<Instant> eliciting_since_heard;  ///< first packet wanting an ACK after we last heard the peer

  wire::CloseCode close_code = wire::CloseCode::kNone;
  InplaceVector<char, wire::kMaxCloseText> close_text;
  bool close_owed = false;
  std::uint32_t closing_received = 0;
  Instant closing_until = Instant::never();
};

}  // namespace peernet::transport
