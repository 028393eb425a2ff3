// The handshake as two short byte streams over lossy datagrams: parameter block and TLS bytes, each direction with
// offset and contiguous acknowledgement, sent again by an own timer. Knows nothing of packets and their keys.
//
// States: kRunning -> kFinished | kFailed; both are final.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "base/range_set.hpp"
#include "base/time.hpp"
#include "crypto/handshake.hpp"
#include "transport/session_types.hpp"
#include "wire/packet.hpp"
#include "wire/parameters.hpp"

namespace peernet::transport {

class HandshakeExchange {
 public:
  enum class State : std::uint8_t { kRunning, kFinished, kFailed };
  static constexpr Duration kMaxRetransmit = 2s;
  static constexpr Duration kMinRetransmit = 20ms;

  /// `parameters` are ours; a responder's cipher list is narrowed when the initiator's block is known.
  HandshakeExchange(Role role, const wire::Parameters& parameters, std::unique_ptr<crypto::Handshake> tls,
                    Duration initial_rtt);

  /// An opened packet of the peer. Bytes may come in any order and any number of times. Failure is the state's to tell.
  void on_body(Instant now, const wire::HandshakeBody& body);

  /// There is something to send now: new bytes, bytes due again, or an acknowledgement owed.
  bool wants_to_send() const;
  /// What the next packet says; `room`: stream bytes that fit. Valid until the next call.
  wire::HandshakeBody next_body(Instant now, std::size_t room);
  /// The next packet will carry the beginning of our stream (an initiator pads such packets).
  bool at_start() const { return cursor_ == 0; }

  /// When unacknowledged bytes are due again.
  Instant deadline() const;
  void on_timeout(Instant now);
  /// A RETRY asked for the same again, with its token.
  void restart();

  State state() const { return state_; }
  wire::DropReason failure() const { return failure_; }
  bool heard_peer() const { return heard_; }
  std::size_t out_size() const { return out_.size(); }
  /// Round trip of a flight that was sent once only, if there was one.
  std::optional<Duration> rtt_sample() const { return rtt_sample_; }

  /// When finished: what both sides agreed on.
  const wire::Parameters& peer_parameters() const { return peer_parameters_; }
  std::uint8_t cipher() const { return cipher_; }
  const crypto::Handshake& tls() const { return *tls_; }
  ByteSpan own_block() const { return ByteSpan(out_).first(own_block_size_); }
  ByteSpan peer_block() const { return ByteSpan(in_).first(peer_block_size_); }

 private:
  void fail(wire::DropReason reason);
  bool store(const wire::HandshakeBody& body);
  void on_acked(Instant now, std::uint32_t acked);
  void read_stream();
  void append_block(const wire::Parameters& parameters);
  void append_tls();
  std::uint32_t contiguous() const;

  Role role_;
  wire::Parameters parameters_;
  std::unique_ptr<crypto::Handshake> tls_;
  State state_ = State::kRunning;
  wire::DropReason failure_ = wire::DropReason::kHandshakeFailed;

  std::vector<std::byte> out_;  ///< our stream from offset 0
  std::size_t own_block_size_ = 0;
  std::size_t tls_copied_ = 0;
  std::uint32_t cursor_ = 0;  ///< next byte to send
  std::uint32_t peer_acked_ = 0;
  bool ack_owed_ = false;
  std::uint32_t copies_ = 0;  ///< after a timeout everything goes out twice: losses come in bursts
  std::uint32_t timeouts_ = 0;
  Duration retransmit_;
  Instant last_sent_;
  std::optional<Instant> flight_sent_;  ///< start of a flight not repeated so far
  std::optional<Duration> rtt_sample_;

  std::vector<std::byte> in_;
  RangeSet<std::uint32_t, WhenFull::kRefuse> received_{16};
  std::size_t peer_block_size_ = 0;
  std::uint32_t fed_ = 0;  ///< stream bytes given to TLS or read as the block
  wire::Parameters peer_parameters_;
  std::uint8_t cipher_ = 0;
  bool heard_ = false;
};

}  // namespace peernet::transport
