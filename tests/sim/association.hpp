// A session with what the checks remember about it, seen only from outside: clear headers, callbacks, statistics.
#pragma once

#include <memory>
#include <vector>

#include "sim/datagram.hpp"
#include "sim/path_ledger.hpp"
#include "sim/session_user.hpp"
#include "sim/trace.hpp"

namespace peernet::sim {

class Association {
 public:
  Association(std::unique_ptr<transport::Session> session, SessionUser& user, std::unique_ptr<SessionUser> owned,
              std::uint64_t incarnation, std::uint8_t epoch_shift);

  transport::Session& session() { return *session_; }
  const transport::Session& session() const { return *session_; }
  SessionUser& user() { return *user_; }
  PathLedger& ledger() { return ledger_; }
  /// The client's how-manieth session this is one end of; 0 for a flood's.
  std::uint64_t incarnation() const { return incarnation_; }

  /// Checks the clear bytes of each packet of a datagram or train that the session wants sent.
  void check_sent(Judge& judge, Trace& trace, Instant now, ByteSpan bytes, std::size_t segment_size, const Address& to);

  /// Around on_datagram, for datagrams that came from the peer unchanged.
  void before_genuine(Instant now, ByteSpan bytes, std::size_t segment_size);
  void after_genuine(Judge& judge);
  /// Around on_datagram, for bytes that somebody else made.
  void before_forged();
  void after_forged(Judge& judge);

  /// Books that must balance after every turn.
  void check_turn(Judge& judge, Instant now, bool sent_something);

  /// One more than the highest sealed number sent.
  std::uint64_t sealed_packets_sent() const { return next_sealed_; }
  /// The newest number that was left out between two packets; 0: none so far (the first packet is number 0).
  std::uint64_t newest_skipped() const { return newest_skipped_; }
  /// No record and no frame is kept: everything sent is acknowledged or given up.
  bool holds_nothing() const {
    return session_->stats().bytes_in_flight == 0 && session_->frame_room() == transport::SessionConfig{}.small_frames;
  }

 private:
  void check_packet(Judge& judge, ByteSpan packet);

  std::unique_ptr<SessionUser> owned_;
  SessionUser* user_;
  std::unique_ptr<transport::Session> session_;
  PathLedger ledger_;
  std::uint64_t incarnation_;
  std::uint8_t epoch_shift_;

  std::uint64_t next_handshake_ = 0;  ///< lowest number that has not been used yet, per number space
  std::uint64_t next_sealed_ = 0;
  std::uint64_t newest_skipped_ = 0;
  /// Packet numbers that were handed in unchanged.
  struct Arrived {
    std::vector<bool> numbers;
    std::uint64_t count = 0;
    void add(std::uint64_t number);
  };
  std::uint64_t handshakes_arrived_ = 0;  ///< all of them: repetitions are the exchange's to notice
  Arrived sealed_arrived_;                ///< its size is one more than the highest number
  std::uint64_t batch_end_ = 0;           ///< one more than the highest number of the call that is running
  std::uint64_t opened_end_ = 0;          ///< one more than the highest that came while there were keys
  Address remote_before_;
  transport::SessionStats stats_before_;
  transport::SessionState state_before_{};
  Instant deadline_before_;
  std::uint64_t receive_epoch_ = 0;
  std::uint64_t ptos_at_last_arrival_ = 0;
  Instant last_arrival_;
  unsigned idle_wakeups_ = 0;
  unsigned turns_ = 0;
};

}  // namespace peernet::sim
