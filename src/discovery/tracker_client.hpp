// One tracker: the connection to it, the requests it owes replies to, and whether it can be counted on. Knows nothing
// of contents; TrackerSet does.
//
// kIdle -> kConnecting: somebody wants it
// kConnecting -> kConnected: it answered
//   for the first time: kConnecting -> kIdle when nobody wants it any more
//   renewing an id that is stale or refused: requests may be begun all the while, and wait
//   trying again one that was down: one connect to each address about every half beat; nobody counts on it meanwhile
// kConnected -> kConnecting: its connection id went stale, or it has not been spoken to for long and is wanted again
// kConnecting | kConnected -> kDown: unanswered, or it said goodbye
// kDown -> kConnecting: tried again, half a beat later, while somebody wants it
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/rng.hpp"
#include "base/time.hpp"
#include "discovery/pending.hpp"
#include "wire/tracker_messages.hpp"

namespace peernet::discovery {

class TrackerClient {
 public:
  enum class State : std::uint8_t { kIdle, kConnecting, kConnected, kDown };
  enum class Change : std::uint8_t {
    kNone,
    kSlow,  ///< asked for the first time, it has kept us waiting: the next one is tried in parallel
    kDown,  ///< was counted on or hoped for; everything pending there is gone
  };

  /// A tracker's beat is taken within these; hostile ones shall neither flood us nor be waited for forever.
  static constexpr Duration kMinBeat = 50ms;
  static constexpr Duration kMaxBeat = 1h;
  static constexpr Duration kUnknownBeat = 5s;  ///< stands for the beat of one that never answered
  static constexpr Duration kFirstRetransmit = 500ms;
  static constexpr Duration kLongestRetransmit = 2s;
  static constexpr Duration kSlowAfter = 1s;
  static constexpr Duration kContactLimit = 3s;  ///< for the answer to a first contact
  static constexpr Duration kSilenceLimit = 8s;  ///< for any other answer; or half a beat if that is shorter
  static_assert(kSilenceLimit < PendingRequests::kLapseAfter);
  static constexpr Duration kIdLifetime = 60s;       ///< BEP 15: a client may use an id for a minute
  static constexpr Duration kConnectSpacing = 1s;    ///< between two connects because of a refused id
  static constexpr Duration kShortestRetry = 100ms;  ///< between two tries of one that is down, whatever its beat

  TrackerClient(std::string name, std::span<const Address> addresses, std::uint64_t seed);

  const std::string& name() const { return name_; }
  const std::vector<Address>& addresses() const { return addresses_; }
  /// Those that are new and for which there is room.
  void add_addresses(std::span<const Address> addresses);

  State state() const { return state_; }
  /// Contents may choose it: it answers, or is hoped to.
  bool counted() const;
  /// Requests may be begun.
  bool answering() const {
    return state_ == State::kConnected || (state_ == State::kConnecting && why_ == Why::kRenew);
  }
  /// Of an answering tracker: it speaks more than BEP 15.
  bool extended() const { return extended_; }
  /// Within kMinBeat and kMaxBeat.
  Duration beat() const { return beat_; }
  /// Where it answers from.
  const Address& address() const { return addresses_[address_]; }

  /// Somebody wants to be heard there, or to know when it is back.
  void want(Instant now, bool wanted);

  /// For the encoding of a request that is begun next.
  wire::TrackerHeader new_header();
  PendingRequests& pending() { return pending_; }
  const PendingRequests& pending() const { return pending_; }

  /// Writes the next datagram to send; its receiver and size, or nothing.
  struct Sent {
    Address to;
    std::size_t size = 0;
  };
  std::optional<Sent> poll_transmit(Instant now, MutableByteSpan out);

  /// To be called when next_deadline() has come; then next_lapsed() until nothing.
  Change on_timeout(Instant now);
  std::optional<Request> next_lapsed(Instant now);
  Instant next_deadline() const;

  struct Heard {
    bool connected = false;  ///< it answers for the first time, or again
    bool restarted = false;  ///< its epoch changed: it knows nothing of us
    bool leaving = false;    ///< it went down by saying so; everything pending there is gone
    std::optional<Request> answered;
  };
  /// A reply from one of its addresses. What does not answer something that waits changes nothing.
  Heard on_reply(Instant now, const Address& from, const wire::TrackerReply& reply);
  /// The same for the reply to a plain BEP 15 announce.
  Heard on_plain_reply(Instant now, const Address& from, std::uint32_t transaction);

 private:
  enum class Why : std::uint8_t { kFirst, kRetry, kRenew };

  void connect(Instant now, Why why);
  void go_down(Instant now);
  bool id_usable(Instant now) const { return id_good_ && now - id_at_ < kIdLifetime; }
  RetransmitTimes retransmit_times() const;
  Duration contact_limit() const;
  Duration retry_pause();
  Duration silence_limit() const;
  Instant down_at() const;
  Sent send_connect(Instant now, MutableByteSpan out);
  void on_connect_reply(Instant now, const Address& from, const wire::ConnectReply& reply, Heard& heard);
  void on_goodbye(Instant now, const Address& from, const wire::Goodbye& goodbye, Heard& heard);
  void on_error(Instant now, const Address& from, const wire::ErrorReply& reply, Heard& heard);
  void on_answer(Instant now, const Address& from, std::uint32_t transaction, RequestKind kind, Heard& heard);
  void note_run(std::uint32_t epoch, std::uint32_t beat_ms, Heard& heard);
  void note_id(Instant now, std::uint64_t id);

  std::string name_;
  std::vector<Address> addresses_;
  std::size_t address_ = 0;
  Rng rng_;
  State state_ = State::kIdle;
  Why why_ = Why::kFirst;
  bool wanted_ = false;
  bool slow_ = false;
  PendingRequests pending_;

  // The connect under way.
  std::uint32_t connect_transaction_ = 0;
  Instant connect_begun_;
  Instant connect_sent_;
  Instant connect_send_at_;
  unsigned connect_sends_ = 0;

  std::uint64_t id_ = 0;
  Instant id_at_;
  bool id_good_ = false;
  Instant next_connect_;  ///< not earlier, when an id was refused
  std::uint32_t epoch_ = 0;
  bool extended_ = false;
  bool beat_known_ = false;
  Duration beat_ = kUnknownBeat;
  std::optional<Duration> rtt_;
  Instant last_heard_;
  Instant retry_at_;
};

}  // namespace peernet::discovery
