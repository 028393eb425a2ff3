#include "sim/pair.hpp"

#include <algorithm>
#include <cstdio>

#include "crypto/identity.hpp"
#include "sim/standin_handshake.hpp"

namespace peernet::sim {

using transport::SessionState;

namespace {

constexpr std::uint64_t kMostEvents = 30'000'000;
constexpr Duration kReconnectAfter = 200ms;
constexpr std::uint16_t kServerPort = 4000;
constexpr std::uint16_t kClientPort = 5000;

Address host(bool ipv6, std::uint8_t net, std::uint8_t number, std::uint16_t port) {
  Address address = Address::v4(10, net, 0, number, port);
  if (!ipv6) return address;
  address.ip[0] = std::byte{0x20};
  address.ip[1] = std::byte{0x01};
  return address;
}

NodeId node_id(std::size_t side) {
  NodeId id;
  id.fill(side == kClient ? std::byte{0xc0} : std::byte{0x50});
  return id;
}

crypto::Identity identity(std::size_t side) {
  ByteArray<32> seed;
  seed.fill(side == kClient ? std::byte{0x11} : std::byte{0x22});
  return crypto::Identity::from_seed(seed);
}

}  // namespace

std::unique_ptr<SpyingFactory> Pair::make_handshakes(std::size_t side) const {
  if (!scenario_.real_tls)
    return std::make_unique<SpyingFactory>(
        std::make_unique<StandinHandshakeFactory>(node_id(side), scenario_.seed * 2 + side));
  auto made = crypto::make_tls_handshake_factory(identity(side));
  PN_CHECK(made.has_value());
  return std::make_unique<SpyingFactory>(std::move(*made));
}

Pair::Pair(const Scenario& scenario, bool verbose)
    : scenario_(scenario),
      verbose_(verbose),
      content_(scenario.seed, scenario.app.content_bytes),
      rng_(scenario.seed ^ 0x9a12),
      attacker_(scenario.attack, scenario.seed ^ 0xa77ac, scenario.ipv6),
      server_address_(host(scenario.ipv6, 2, 1, kServerPort)) {
  numbered_ = attacker_.addresses();
  client_addresses_.push_back(host(scenario.ipv6, 1, 1, kClientPort));
  numbered_.push_back(client_addresses_.back());
  const SharedWorld world{judge_, trace_, content_, scenario_.app};
  for (const std::size_t side : {kClient, kServer}) {
    handshakes_[side] = make_handshakes(side);
    links_[side] = std::make_unique<Link>(scenario_.hurt[side], scenario_.seed * 4 + side);
  }
  requester_ = std::make_unique<Requester>(world, handshakes_[kClient]->local_id(), scenario_.seed ^ 0x4e9);
  for (const std::size_t side : {kClient, kServer}) {
    const auto origin = Instant::from_ns(static_cast<std::int64_t>(1 + rng_.below(1'000'000'000'000'000)));
    Endpoint::Setup setup{side, scenario_, judge_, trace_, *handshakes_[side], {}, {}, origin};
    setup.emit = [this, side](const Address& to, std::uint8_t ecn, ByteSpan packet) {
      return emit(side, to, ecn, packet);
    };
    if (side == kServer)
      setup.make_user = [this, world] {
        return std::make_unique<Source>(world, handshakes_[kServer]->local_id(), *requester_, rng_.next());
      };
    endpoints_[side] = std::make_unique<Endpoint>(std::move(setup));
    endpoints_[side]->numbered_addresses = &numbered_;
  }
}

Pair::~Pair() = default;

void Pair::say(const char* what, const char* detail) const {
  if (verbose_) std::printf("%12.6f %s %s\n", static_cast<double>(now_.ns()) * 1e-9, what, detail);
}

void Pair::say_packet(const char* what, std::size_t side, const Datagram& d) const {
  if (!verbose_) return;
  static constexpr std::array<const char*, 4> kTypes{"HANDSHAKE", "RETRY", "DATA", "CONTROL"};
  static constexpr std::array<const char*, 4> kOrigins{"", " repeated", " tampered", " forged"};
  const auto header = wire::decode_header(d.bytes);
  std::printf("%12.6f   %s %s %u -> %u %zu bytes%s", static_cast<double>(now_.ns()) * 1e-9,
              side == kClient ? "client" : "server", what, d.from.port, d.to.port, d.bytes.size(),
              kOrigins[static_cast<std::size_t>(d.origin)]);
  if (header)
    std::printf(" %s to %08x number %llu", kTypes[static_cast<std::size_t>(header->type) - 0x51],
                header->receiver.value(), static_cast<unsigned long long>(header->number.value()));
  std::printf("\n");
}

bool Pair::emit(std::size_t side, const Address& to, std::uint8_t ecn, ByteSpan packet) {
  Datagram d;
  d.bytes.assign(packet.begin(), packet.end());
  d.from = side == kClient ? client_addresses_.back() : server_address_;
  d.to = d.meant_for = to;
  d.ecn = ecn;
  if (side == kClient) {
    d.receives = endpoints_[kClient]->received_at();
    d.incarnation = incarnation_;
  }
  judge_.expect(ip_bytes(d) <= scenario_.interface_mtu, "a datagram is longer than the interface allows");
  if (scenario_.mtu_is_told && ip_bytes(d) > links_[side]->profile().mtu) {
    say_packet("may not send", side, d);
    return false;
  }
  ++report_.handed_to_links;
  say_packet("sends", side, d);
  if (auto copy = attacker_.observe(d); copy && !healed_ && ip_bytes(d) <= links_[side]->profile().mtu) {
    const std::size_t target = 1 - side;
    queue_.push(now_ + 1us, Arrive{target, std::move(*copy)});
  }
  if (relay) relay(side, d);
  // An address that is nobody's (a spoofed one, or one the NAT has forgotten) still costs the way there.
  links_[side]->transmit(now_, std::move(d), arrivals_);
  for (Link::Arrival& arrival : arrivals_) queue_.push(arrival.at, Arrive{1 - side, std::move(arrival.datagram)});
  arrivals_.clear();
  return true;
}

void Pair::deliver(std::size_t side, Datagram datagram) {
  const Address& here = side == kClient ? client_addresses_.back() : server_address_;
  if (datagram.to != here) return;
  say_packet("gets", side, datagram);
  endpoints_[side]->receive(now_, std::move(datagram));
  plan_turn(side);
}

void Pair::plan_turn(std::size_t side) {
  const Instant wanted = endpoints_[side]->next_turn();
  if (wanted >= planned_[side]) return;
  planned_[side] = std::max(wanted, now_);
  queue_.push(planned_[side], Turn{side, planned_[side]});
}

void Pair::open_session() {
  if (skips_known_) skips_known_ = 0;
  reconnecting_ = false;
  ++incarnation_;
  ++report_.sessions;
  say("connect");
  endpoints_[kClient]->connect(now_, server_address_, *requester_, incarnation_);
  plan_turn(kClient);
}

Association* Pair::client_side() {
  for (Association& a : endpoints_[kClient]->associations())
    if (a.incarnation() == incarnation_) return &a;
  return nullptr;
}

/// A copied first packet, or a rebinding between two of them, makes more than one session at the server: the client's
/// peer is the one that it speaks to.
Association* Pair::server_side() {
  const Association* mine = client_side();
  if (mine == nullptr) return nullptr;
  for (Association& a : endpoints_[kServer]->associations())
    if (a.session().local_id() == mine->session().remote_id()) return &a;
  return nullptr;
}

void Pair::check_credit() {
  judge_.expect(requester_->outstanding_bytes() <= scenario_.app.max_outstanding,
                "more bytes are asked for than there is credit");
}

bool Pair::at_rest() {
  Association* mine = client_side();
  Association* theirs = server_side();
  if (mine == nullptr || theirs == nullptr || !mine->session().established()) return false;
  auto& source = static_cast<Source&>(theirs->user());
  if (!mine->holds_nothing() || !theirs->holds_nothing()) return false;
  return source.idle() && requester_->idle() && requester_->chatter().heard_all(source.chatter().sent()) &&
         source.chatter().heard_all(requester_->chatter().sent());
}

void Pair::check_clean_path() {
  // On a path that lost, held back, marked and changed nothing, nothing may be considered lost but probes of the MTU.
  for (const auto& link : links_)
    for (const Fate fate : {Fate::kCut, Fate::kLost, Fate::kBurstLost, Fate::kQueueFull, Fate::kReordered,
                            Fate::kCorrupted, Fate::kTruncated, Fate::kMarked, Fate::kDuplicated})
      if (link->count(fate) != 0) return;
  for (const LinkProfile& p : scenario_.hurt)
    if (p.jitter > Duration::zero()) return;
  const bool calm = scenario_.events.empty() && scenario_.attack.total() <= 0 && incarnation_ == 1 &&
                    endpoints_[0]->socket_drops() + endpoints_[1]->socket_drops() == 0;
  if (!calm) return;
  judge_.expect(report_.client.congestion_events == 0 && report_.server.congestion_events == 0,
                "a path without loss or marks was taken for a congested one");
  judge_.expect(scenario_.app.cancel > 0 || report_.server.data_bytes_sent == content_.size(),
                "bytes were sent twice on a path without loss");
}

void Pair::advance_phase() {
  if (phase_ == Phase::kTransfer && requester_->complete()) {
    say("complete");
    report_.finished_at = now_;
    phase_ = Phase::kDrain;
  }
  const bool gone = requester_->session_ended();
  if (phase_ == Phase::kTransfer && gone && !reconnecting_) {
    say("session ended", std::to_string(static_cast<int>(requester_->last_close()->cause)).c_str());
    if (!scenario_.may_reconnect) return judge_.fail("the session ended before the transfer was complete");
    reconnecting_ = true;
    queue_.push(now_ + kReconnectAfter, Reconnect{});
  }
  if (phase_ == Phase::kDrain && gone) {
    phase_ = Phase::kClose;  // a session may idle out while the path is cut: nothing left to wait for at this end
  } else if (phase_ == Phase::kDrain && at_rest()) {
    say("at rest");
    Association& mine = *client_side();
    report_.client = mine.session().stats();
    report_.server = server_side()->session().stats();
    check_clean_path();
    endpoints_[kClient]->close(now_, mine);
    plan_turn(kClient);
    phase_ = Phase::kClose;
  }
  if (phase_ == Phase::kClose && endpoints_[kClient]->associations().empty() &&
      endpoints_[kServer]->associations().empty()) {
    say("over");
    phase_ = Phase::kOver;
    report_.over_at = now_;
  }
  if (healed_ && now_ > deadline_ && phase_ == Phase::kTransfer)
    judge_.fail("the transfer did not complete in time after the path had healed");
  if (healed_ && now_ > deadline_ + 200s && phase_ != Phase::kOver)
    judge_.fail(phase_ == Phase::kDrain ? "after the transfer something never came to rest"
                                        : "a session never ended after it was closed");
}

void Pair::step(Instant now, Event& event) {
  now_ = now;
  if (auto* arrive = std::get_if<Arrive>(&event)) return deliver(arrive->side, std::move(arrive->datagram));
  if (const auto* turn = std::get_if<Turn>(&event)) {
    if (turn->planned != planned_[turn->side]) return;  // an earlier turn took its place
    planned_[turn->side] = Instant::never();
    endpoints_[turn->side]->turn(now);
    plan_turn(turn->side);
    check_credit();
    if (skips_known_ && turn->side == kServer && skips_of_server() > *skips_known_) {
      skips_known_.reset();
      tell(Lie::kAckOfSkipped);
    }
    advance_phase();
    if (phase_ != Phase::kOver) plan_turn(1 - turn->side);
  } else if (const auto* started = std::get_if<Begin>(&event)) {
    const TimedEvent& timed = scenario_.events[started->event];
    begin(timed);
    if (timed.lasts > Duration::zero()) queue_.push(now + timed.lasts, End{started->event});
  } else if (const auto* ended = std::get_if<End>(&event)) {
    end(scenario_.events[ended->event]);
  } else if (std::holds_alternative<Strike>(event)) {
    strike();
  } else if (std::holds_alternative<Heal>(event)) {
    heal();
  } else if (std::holds_alternative<Reconnect>(event)) {
    open_session();
  } else {
    advance_phase();
  }
}

PairReport Pair::run() {
  for (std::size_t i = 0; i < scenario_.events.size(); ++i) queue_.push(scenario_.events[i].at, Begin{i});
  queue_.push(Instant() + scenario_.hurt_for, Heal{});
  queue_.push(Instant() + scenario_.hurt_for + scenario_.finish_within + 201s, Look{});
  if (const auto next = attacker_.next_in()) queue_.push(Instant() + *next, Strike{});
  open_session();
  while (phase_ != Phase::kOver && !judge_.failed()) {
    if (queue_.empty()) {
      judge_.fail("nothing is left to happen and the run is not over: a timer is missing");
      break;
    }
    if (++report_.events > kMostEvents) {
      judge_.fail("too many events: something goes round in circles");
      break;
    }
    auto [at, event] = queue_.pop();
    step(at, event);
    if (on_step) on_step(*this, now_);
  }
  if (verbose_ && judge_.failed()) say("FAILED", judge_.reason().c_str());
  report_.passed = !judge_.failed();
  report_.reason = judge_.reason();
  report_.trace = trace_.hash();
  report_.bytes = requester_->bytes_received();
  report_.requests_ended = requester_->requests_ended();
  if (report_.over_at == Instant()) report_.over_at = now_;
  report_.retries = endpoints_[kServer]->retries_sent();
  report_.foreign = endpoints_[0]->foreign_datagrams() + endpoints_[1]->foreign_datagrams();
  report_.socket_drops = endpoints_[0]->socket_drops() + endpoints_[1]->socket_drops();
  for (const std::size_t side : {kClient, kServer})
    for (std::size_t f = 0; f < kFates; ++f) report_.fates[side][f] = links_[side]->count(static_cast<Fate>(f));
  return report_;
}

}  // namespace peernet::sim
