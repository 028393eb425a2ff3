// Values that go in and out of a Session.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/address.hpp"
#include "base/inplace_vector.hpp"
#include "base/time.hpp"
#include "base/types.hpp"
#include "crypto/aead.hpp"
#include "crypto/handshake.hpp"
#include "crypto/packet_keys.hpp"
#include "wire/frames.hpp"
#include "wire/packet.hpp"
#include "wire/parameters.hpp"

namespace peernet::transport {

enum class Role : std::uint8_t { kInitiator, kResponder };
enum class SessionState : std::uint8_t { kHandshake, kEstablished, kClosing, kClosed };

/// Who or what ended a session.
enum class CloseCause : std::uint8_t {
  kLocal,             ///< close() was called
  kPeer,              ///< the peer's CLOSE
  kBreach,            ///< the peer sent what no honest peer sends
  kHandshakeFailed,   ///< TLS or parameters were refused
  kHandshakeTimeout,  ///< the handshake did not finish, or was not confirmed, in time
  kIdle,              ///< nothing was heard for the idle timeout
  kPathFailed,        ///< a new address was never validated and there is no old one to return to
};

struct CloseReason {
  CloseCause cause = CloseCause::kLocal;
  wire::CloseCode code = wire::CloseCode::kNone;
  InplaceVector<char, wire::kMaxCloseText> text;  ///< the peer's words (any bytes) or ours
};

/// Bytes of one request: offset counts from the start of the requested chunk or table page.
struct DataRange {
  std::uint32_t offset = 0;
  std::uint32_t length = 0;
  friend bool operator==(const DataRange&, const DataRange&) = default;
};

struct SessionConfig {
  Role role = Role::kInitiator;
  SessionId local_id{};           ///< ours: peers put it into every packet to us; low bits name the shard
  SessionId first_receiver_id{};  ///< initiator: random receiver id of its first packets (kept until the responder's is
                                  ///< known)
  std::uint64_t initiator_id = 0;  ///< random per attempt; a responder takes it from the first packet
  SessionId remote_id{};           ///< responder: sender id of the first packet
  Address remote;
  bool address_validated = false;  ///< responder: the token in the first packet was good
  wire::Parameters parameters;     ///< ours; a responder's cipher list is narrowed to the one chosen
  crypto::AeadBackend aead_backend = crypto::AeadBackend::kAuto;
  std::uint8_t epoch_shift =
      crypto::kEpochShift;            ///< packets per key epoch = 2^shift; both sides must agree (8 in the simulator)
  std::uint32_t max_datagram = 1500;  ///< largest IP packet worth trying (interface MTU), 1200 + headers at least
  bool mtu_search = true;
  bool ecn = true;
  Duration initial_rtt = 100ms;
  Duration idle_timeout = 30s;  ///< the smaller one of both sides holds
  Duration handshake_timeout = 10s;
  Duration keep_alive = 0s;                        ///< 0: none; else a PING after this much silence
  std::uint64_t max_window = 64u << 20;            ///< upper bound of the congestion window, bytes
  std::uint32_t max_packets_in_flight = 1u << 17;  ///< upper bound of the record ring, a power of two
  std::uint32_t small_frames = 512;                ///< bounded store of frames up to 64 bytes, sent and unsent
  std::uint32_t large_frames = 32;                 ///< of frames up to max_frame_bytes
  /// From the system's random source, a fresh one for each session (the simulator: from its seed). What the peer must
  /// not foresee comes from it: path challenges, packet numbers left out.
  Hash256 secret{};
};

/// What was received at once from one sender.
struct Datagram {
  MutableByteSpan bytes;
  std::size_t segment_size = 0;  ///< 0 or >= bytes.size(): a single datagram
  Address from;
  std::uint8_t ecn = 0;  ///< IP header bits: 0 not-ECT, 1 ECT(1), 2 ECT(0), 3 CE
};

enum class TransmitKind : std::uint8_t { kHandshake, kControl, kMtuProbe, kClose };

/// One datagram to send: the first `bytes` of the buffer given to poll_transmit.
struct Transmit {
  std::size_t bytes = 0;
  Address to;
  std::uint8_t ecn = 0;
  TransmitKind kind = TransmitKind::kControl;
};

struct DataBudget {
  std::uint32_t packets = 0;             ///< allowed now by window, pacer and path
  std::uint32_t payload_per_packet = 0;  ///< file bytes in one packet at the current path MTU
  std::uint32_t packets_per_train = 0;   ///< at most 128, and at most 65507 bytes a train
  Instant retry_at = Instant::never();   ///< packets == 0: the pacer's time; never(): an arrival will open the window
  std::uint64_t bytes() const { return std::uint64_t{packets} * payload_per_packet; }
};

struct DataToSeal {
  RequestId request{};
  std::uint32_t offset = 0;
  ByteSpan file_bytes;  ///< read only; may be released or reused as soon as seal_data returns
  bool last = false;    ///< nothing more waits to be sealed
};

struct SealedTrain {
  std::size_t consumed = 0;      ///< file bytes sealed
  std::size_t train_bytes = 0;   ///< bytes of the train, ready for one GSO send
  std::size_t segment_size = 0;  ///< every packet but the last is this long
  std::uint32_t packets = 0;
  Address to;
  std::uint8_t ecn = 0;
};

struct SessionStats {
  std::uint64_t packets_sent = 0;
  std::uint64_t packets_received = 0;  ///< opened and new
  std::uint64_t bytes_sent = 0;        ///< datagram bytes
  std::uint64_t bytes_received = 0;
  std::uint64_t data_bytes_sent = 0;      ///< file bytes sealed
  std::uint64_t data_bytes_received = 0;  ///< file bytes opened into a target
  std::uint64_t packets_lost = 0;         ///< declared lost
  std::uint64_t bytes_lost = 0;
  std::uint64_t packets_spurious = 0;  ///< declared lost, acknowledged later
  std::uint64_t frames_retransmitted = 0;
  std::array<std::uint64_t, wire::kDropReasonCount> dropped{};  ///< by reason
  std::uint64_t data_to_scratch = 0;                            ///< DATA packets with no target
  std::uint64_t acks_sent = 0;
  std::uint64_t acks_received = 0;
  std::uint64_t ce_received = 0;
  std::uint64_t congestion_events = 0;
  std::uint64_t pto_total = 0;
  std::uint32_t pto_count = 0;  ///< in a row, now
  std::uint64_t congestion_window = 0;
  std::uint64_t bytes_in_flight = 0;
  Duration srtt{};
  Duration min_rtt{};
  Duration rttvar{};
  std::uint64_t delivery_rate = 0;  ///< bytes/s acknowledged, recent maximum
  std::uint64_t key_epoch_send = 0;
  std::uint64_t key_epoch_receive = 0;
  std::uint32_t mtu = 0;  ///< current datagram size, UDP payload bytes
  std::uint32_t path_changes = 0;
  bool ecn_capable = false;
  bool in_slow_start = true;
};

}  // namespace peernet::transport
