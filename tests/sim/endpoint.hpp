// One node reduced to what sessions need: a socket with a bounded buffer, routing by session id, acceptance of new
// sessions (RETRY, half-open limit), timers that are late, trains in and out. The checks around every call are here.
#pragma once

#include <array>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <vector>

#include "crypto/handshake.hpp"
#include "sim/association.hpp"
#include "sim/local_clock.hpp"
#include "sim/scenario.hpp"
#include "transport/acceptor.hpp"
#include "wire/packet.hpp"

namespace peernet::sim {

/// Half-open sessions above which a new one must show a token, and sessions above which it is ignored.
inline constexpr std::size_t kHalfOpenLimit = 8;
inline constexpr std::size_t kSessionLimit = 64;

class Endpoint {
 public:
  /// Gives out what is sent: destination, ECN bits, bytes of one packet. False: refused, it is too long.
  using Emit = std::function<bool(const Address& to, std::uint8_t ecn, ByteSpan packet)>;
  /// Makes the application of an accepted session.
  using MakeUser = std::function<std::unique_ptr<SessionUser>()>;

  struct Setup {
    std::size_t side = kClient;
    const Scenario& scenario;
    Judge& judge;
    Trace& trace;
    crypto::HandshakeFactory& handshakes;
    Emit emit;
    MakeUser make_user;  ///< empty: accepts nothing
    Instant clock_origin;
  };
  explicit Endpoint(Setup setup);

  /// Opens a session to `to`; `user` outlives it.
  Association& connect(Instant world_now, const Address& to, SessionUser& user, std::uint64_t incarnation);

  /// The network hands a datagram to the socket, which may have no room.
  void receive(Instant world_now, Datagram datagram);
  /// Runs the node once: everything received, every timer that is due, everything to send.
  void turn(Instant world_now);
  /// When the node should run next, given what it knows; never() if nothing is pending.
  Instant next_turn() const { return next_turn_; }
  /// The process gets no CPU until then.
  void stall(Instant world_until) { stalled_until_ = std::max(stalled_until_, world_until); }
  void jump_clock(Instant world_now, Duration forward) {
    clock_.jump(world_now, forward);
    plan(world_now);
  }

  Instant local(Instant world_now) const { return clock_.local(world_now); }
  std::list<Association>& associations() { return associations_; }
  /// Closes a session from our side; its CLOSE leaves with the next turn, which is now.
  void close(Instant world_now, Association& association);
  /// The process dies and comes back: sessions and what lay in the socket are gone, nobody is told.
  void restart();
  /// Bit i: the current session received something genuine that was sent to address number i.
  std::uint32_t received_at() const { return received_at_; }
  std::uint64_t socket_drops() const { return socket_drops_; }
  std::uint64_t foreign_datagrams() const { return foreign_; }
  std::uint64_t retries_sent() const { return retries_sent_; }
  std::uint64_t turns() const { return turns_; }
  /// The addresses that received_at() and Datagram::receives number; the world's, which outlives this.
  const std::vector<Address>* numbered_addresses = nullptr;

 private:
  struct Run {  ///< neighbours of the inbox that one call hands in
    std::vector<std::byte> bytes;
    std::size_t segment_size = 0;
    std::size_t count = 0;
    Datagram first;
    Association* to = nullptr;
  };

  Association* route(const Datagram& datagram);
  Association* accept(const Datagram& datagram);
  bool joins(const Run& run, const Datagram& next, Association* to);
  void hand_in(Run& run);
  void hand_in_all();
  bool pump(Association& association);
  bool send_train(Association& association);
  void emit(Association& a, ByteSpan train, std::size_t segment_size, const Address& to, std::uint8_t ecn);
  void plan(Instant world_now);
  void reap();
  transport::SessionConfig base_config() const;
  SessionId new_id();

  Setup setup_;
  LocalClock clock_;
  Rng rng_;
  transport::Acceptor acceptor_;
  std::list<Association> associations_;
  std::map<std::uint32_t, Association*> by_id_;
  std::map<std::pair<Address, std::uint64_t>, Association*> by_initiator_;
  std::vector<Datagram> inbox_;
  std::uint64_t inbox_charge_ = 0;
  std::vector<std::byte> out_;
  Instant now_;  ///< local, of the current turn
  Instant last_turn_;
  Instant next_turn_ = Instant::never();
  Instant budget_retry_ = Instant::never();  ///< local
  Instant stalled_until_;
  std::uint32_t received_at_ = 0;
  std::uint64_t socket_drops_ = 0;
  std::uint64_t foreign_ = 0;
  std::uint64_t retries_sent_ = 0;
  std::uint64_t turns_ = 0;
};

}  // namespace peernet::sim
