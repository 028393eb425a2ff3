// The world of the pair suite: a client that fetches, a server that serves, two links, a NAT in front of the client, an
// attacker, and virtual time. run() plays one scenario to its end and says what was violated.
//
// Phases: kTransfer -> kDrain (all bytes are there; the sessions come to rest) -> kClose (CLOSE is under way) -> kOver.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <variant>
#include <vector>

#include "sim/attacker.hpp"
#include "sim/endpoint.hpp"
#include "sim/event_queue.hpp"
#include "sim/insider.hpp"
#include "sim/source.hpp"

namespace peernet::sim {

struct PairReport {
  bool passed = false;
  std::string reason;
  std::uint64_t trace = 0;
  std::uint64_t events = 0;
  std::uint64_t bytes = 0;
  Instant finished_at;  ///< all bytes are there
  Instant over_at;
  std::uint64_t sessions = 0;  ///< opened by the client
  std::uint64_t requests_ended = 0;
  std::uint64_t retries = 0;
  std::uint64_t foreign = 0;  ///< datagrams that no session was given
  std::uint64_t socket_drops = 0;
  transport::SessionStats client;  ///< of the last session, at the end of the transfer
  transport::SessionStats server;
  std::array<std::array<std::uint64_t, kFates>, 2> fates{};
  std::uint64_t handed_to_links = 0;
};

class Pair {
 public:
  explicit Pair(const Scenario& scenario, bool verbose = false);
  ~Pair();

  PairReport run();

  /// For cases that watch a run while it goes: called after every event.
  std::function<void(Pair&, Instant)> on_step;
  /// Somebody on the path who may change what passes by: called for each datagram that an end sends.
  std::function<void(std::size_t from_side, Datagram&)> relay;

  Endpoint& endpoint(std::size_t side) { return *endpoints_[side]; }
  Link& link(std::size_t direction) { return *links_[direction]; }
  /// The two ends of the client's current session; nullptr where there is none (yet, or any more).
  Association* client_side();
  Association* server_side();
  const Requester& requester() const { return *requester_; }
  Judge& judge() { return judge_; }

 private:
  enum class Phase : std::uint8_t { kTransfer, kDrain, kClose, kOver };
  struct Arrive {
    std::size_t side;
    Datagram datagram;
  };
  struct Turn {
    std::size_t side;
    Instant planned;
  };
  struct Begin {
    std::size_t event;
  };
  struct End {
    std::size_t event;
  };
  struct Strike {};
  struct Heal {};
  struct Reconnect {};
  struct Look {};  ///< nothing happens but the checks on phases
  using Event = std::variant<Arrive, Turn, Begin, End, Strike, Heal, Reconnect, Look>;

  void step(Instant now, Event& event);
  bool emit(std::size_t from_side, const Address& to, std::uint8_t ecn, ByteSpan packet);
  void deliver(std::size_t side, Datagram datagram);
  void begin(const TimedEvent& event);
  void end(const TimedEvent& event);
  void heal();
  void strike();
  void open_session();
  void plan_turn(std::size_t side);
  void advance_phase();
  void check_credit();
  bool at_rest();
  void check_clean_path();
  void say(const char* what, const char* detail = "") const;
  void say_packet(const char* what, std::size_t side, const Datagram& datagram) const;
  std::unique_ptr<SpyingFactory> make_handshakes(std::size_t side) const;
  void tell(Lie lie);
  std::uint64_t skips_of_server();
  void close_by_choice(std::size_t side);
  void restart(std::size_t side);

  Scenario scenario_;
  bool verbose_;
  Judge judge_;
  Trace trace_;
  Content content_;
  Rng rng_;
  EventQueue<Event> queue_;
  Instant now_;
  std::array<std::unique_ptr<SpyingFactory>, 2> handshakes_;
  std::unique_ptr<Requester> requester_;
  std::array<std::unique_ptr<Link>, 2> links_;
  std::array<std::unique_ptr<Endpoint>, 2> endpoints_;
  std::array<Instant, 2> planned_{Instant::never(), Instant::never()};
  Attacker attacker_;
  std::vector<Address> client_addresses_;  ///< outside of the NAT, the last one is current
  std::vector<Address> numbered_;          ///< the client's and the attacker's, for Datagram::receives
  Address server_address_;
  std::vector<Link::Arrival> arrivals_;
  Phase phase_ = Phase::kTransfer;
  Instant deadline_ = Instant::never();  ///< of the current phase, once healed
  bool healed_ = false;
  bool reconnecting_ = false;
  std::optional<std::uint64_t> skips_known_;  ///< a lie waits until the server leaves out a number above this one
  std::uint32_t incarnation_ = 0;
  PairReport report_;
};

}  // namespace peernet::sim
