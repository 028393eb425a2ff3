#include "sim/endpoint.hpp"

#include <algorithm>
#include <cstring>

namespace peernet::sim {

using transport::Session;
using transport::SessionState;

namespace {

/// What Linux charges a receive buffer for one datagram (FACTS: 2304 bytes for 1400): data rounded up, plus the skb.
std::uint64_t socket_charge(std::size_t bytes) {
  return (bytes + 512 + 255) / 256 * 256 + 640;
}

transport::AcceptorOptions acceptor_options(const Scenario& scenario) {
  transport::AcceptorOptions options;
  options.token_secret.fill(static_cast<std::byte>(scenario.seed));
  options.retry_above = scenario.demand_retry ? 0 : kHalfOpenLimit;
  options.max_half_open = kSessionLimit;
  return options;
}

Hash256 secret_from(std::uint64_t seed) {
  Rng rng(seed);
  Hash256 secret;
  for (std::byte& b : secret) b = static_cast<std::byte>(rng.next());
  return secret;
}

constexpr std::size_t kMaxCoalesced = 64;
constexpr int kMaxDatagramsPerTurn = 100'000;

}  // namespace

Endpoint::Endpoint(Setup setup)
    : setup_(std::move(setup)),
      clock_(setup_.clock_origin, setup_.scenario.hosts[setup_.side].drift_ppm),
      rng_(setup_.scenario.seed * 2 + setup_.side + 0xe0d),
      acceptor_(acceptor_options(setup_.scenario), crypto::AeadBackend::kAuto),
      out_(wire::kMaxDatagram + 1) {}

SessionId Endpoint::new_id() {
  for (;;) {
    const SessionId id(static_cast<std::uint32_t>(rng_.next()));
    if (!by_id_.contains(id.value())) return id;
  }
}

transport::SessionConfig Endpoint::base_config() const {
  const Scenario& s = setup_.scenario;
  transport::SessionConfig config;
  config.epoch_shift = s.epoch_shift;
  config.max_datagram = s.interface_mtu;
  config.parameters.max_datagram =
      static_cast<std::uint16_t>(std::min<std::uint32_t>(s.interface_mtu - (s.ipv6 ? 48 : 28), wire::kMaxDatagram));
  config.parameters.max_requests = static_cast<std::uint16_t>(s.app.max_requests);
  config.parameters.ciphers = s.aes_256 ? wire::kCipherAes256Gcm : wire::kCiphersKnown;
  config.parameters.instance_id = s.seed * 2 + setup_.side;
  return config;
}

Association& Endpoint::connect(Instant world_now, const Address& to, SessionUser& user, std::uint64_t incarnation) {
  now_ = clock_.local(world_now);
  transport::SessionConfig config = base_config();
  config.role = transport::Role::kInitiator;
  config.local_id = new_id();
  config.first_receiver_id = SessionId(static_cast<std::uint32_t>(rng_.next()));
  config.initiator_id = rng_.next();
  config.remote = to;
  config.secret = secret_from(rng_.next());
  auto session = std::make_unique<Session>(config, setup_.handshakes.start_initiator(), now_);
  associations_.emplace_back(std::move(session), user, nullptr, incarnation, setup_.scenario.epoch_shift);
  Association& made = associations_.back();
  user.attach(made.session());
  made.ledger().validate(to);  // an initiator chose the address itself
  by_id_[config.local_id.value()] = &made;
  received_at_ = 0;
  next_turn_ = world_now;
  return made;
}

void Endpoint::close(Instant world_now, Association& association) {
  association.session().close(clock_.local(world_now), wire::CloseCode::kNone, "done", association.user());
  next_turn_ = world_now;
}

void Endpoint::restart() {
  by_id_.clear();
  by_initiator_.clear();
  associations_.clear();
  inbox_.clear();
  inbox_charge_ = 0;
  next_turn_ = Instant::never();
}

void Endpoint::receive(Instant world_now, Datagram datagram) {
  const std::uint64_t charge = socket_charge(datagram.bytes.size());
  if (inbox_charge_ + charge > setup_.scenario.hosts[setup_.side].socket_bytes) {
    ++socket_drops_;
    return;
  }
  inbox_charge_ += charge;
  inbox_.push_back(std::move(datagram));
  if (inbox_.size() == 1) plan(world_now);
}

Association* Endpoint::route(const Datagram& datagram) {
  const auto header = wire::decode_header(datagram.bytes);
  if (!header) return nullptr;
  if (const auto it = by_id_.find(header->receiver.value()); it != by_id_.end()) return it->second;
  if (header->type != wire::PacketType::kHandshake || !setup_.make_user) return nullptr;
  const auto handshake = wire::decode_handshake(*header, datagram.bytes);
  if (!handshake) return nullptr;
  const auto known = by_initiator_.find({datagram.from, handshake->initiator_id});
  if (known != by_initiator_.end()) return known->second;
  return accept(datagram);
}

Association* Endpoint::accept(const Datagram& datagram) {
  const auto half_open = std::count_if(associations_.begin(), associations_.end(), [](const Association& a) {
    return a.session().state() == SessionState::kHandshake;
  });
  if (associations_.size() >= kSessionLimit) return nullptr;
  const transport::Verdict verdict =
      acceptor_.on_packet({now_, datagram.bytes, datagram.from, static_cast<std::uint32_t>(half_open)});
  if (const auto* retry = std::get_if<transport::SendRetry>(&verdict)) {
    setup_.judge.expect(retry->size <= wire::kAmplificationFactor * datagram.bytes.size(), "RETRY amplifies");
    ++retries_sent_;
    setup_.emit(datagram.from, 0, ByteSpan(retry->bytes).first(retry->size));
  }
  const auto* yes = std::get_if<transport::Accept>(&verdict);
  if (yes == nullptr) return nullptr;
  transport::SessionConfig config = base_config();
  config.role = transport::Role::kResponder;
  config.local_id = new_id();
  config.first_receiver_id = yes->first_receiver_id;
  config.initiator_id = yes->initiator_id;
  config.remote_id = yes->initiator_session;
  config.remote = datagram.from;
  config.address_validated = yes->address_validated;
  config.secret = secret_from(rng_.next());
  auto session = std::make_unique<Session>(config, setup_.handshakes.start_responder(), now_);
  auto user = setup_.make_user();
  SessionUser& borrowed = *user;
  const std::uint64_t incarnation = datagram.origin == Origin::kForged ? 0 : datagram.incarnation;
  associations_.emplace_back(std::move(session), borrowed, std::move(user), incarnation, setup_.scenario.epoch_shift);
  Association& made = associations_.back();
  by_id_[config.local_id.value()] = &made;
  by_initiator_[{datagram.from, yes->initiator_id}] = &made;
  borrowed.attach(made.session());
  return &made;
}

bool Endpoint::joins(const Run& run, const Datagram& next, Association* to) {
  const bool same_way =
      run.to == to && run.first.from == next.from && run.first.ecn == next.ecn && run.first.meant_for == next.meant_for;
  const bool unchanged = run.first.origin <= Origin::kRepeated && next.origin <= Origin::kRepeated;
  const bool honest = !run.first.lie && !next.lie;
  const bool fits = run.count < kMaxCoalesced && run.bytes.size() % run.segment_size == 0 &&
                    next.bytes.size() <= run.segment_size && run.bytes.size() + next.bytes.size() <= 65535;
  return same_way && unchanged && honest && fits && rng_.chance(setup_.scenario.hosts[setup_.side].gro);
}

void Endpoint::hand_in(Run& run) {
  if (run.to == nullptr) return;
  Association& a = *run.to;
  const bool genuine = run.first.origin <= Origin::kRepeated;
  const bool ours = a.incarnation() != 0 && genuine && run.first.incarnation == a.incarnation();
  a.ledger().on_received(run.first.from, run.bytes.size());
  for (std::size_t i = 0; i < std::min<std::size_t>(numbered_addresses->size(), 32); ++i) {
    const std::uint32_t bit = std::uint32_t{1} << i;
    if (setup_.side == kServer && ours && (run.first.receives & bit) != 0)
      a.ledger().validate((*numbered_addresses)[i]);
    if (setup_.side == kClient && genuine && (*numbered_addresses)[i] == run.first.meant_for) received_at_ |= bit;
  }
  if (genuine)
    a.before_genuine(now_, run.bytes, run.segment_size);
  else
    a.before_forged();
  transport::Datagram datagram;
  datagram.bytes = run.bytes;
  datagram.segment_size = run.count == 1 && rng_.chance(0.5) ? 0 : run.segment_size;
  datagram.from = run.first.from;
  datagram.ecn = run.first.ecn;
  a.session().on_datagram(now_, datagram, a.user());
  if (run.first.lie)
    setup_.judge.expect(a.session().state() != SessionState::kEstablished, "a peer's lie did not end the session");
  if (genuine)
    a.after_genuine(setup_.judge);
  else if (a.incarnation() != 0)
    a.after_forged(setup_.judge);
}

void Endpoint::hand_in_all() {
  std::vector<Datagram> batch;
  batch.swap(inbox_);
  inbox_charge_ = 0;
  Run run;
  for (Datagram& datagram : batch) {
    Association* to = route(datagram);
    if (to == nullptr) {
      ++foreign_;
      continue;
    }
    if (run.to != nullptr && joins(run, datagram, to)) {
      run.bytes.insert(run.bytes.end(), datagram.bytes.begin(), datagram.bytes.end());
      run.first.receives |= datagram.receives;  // nothing is sent before the last of them was handed in
      ++run.count;
      continue;
    }
    hand_in(run);
    run.bytes = std::move(datagram.bytes);
    run.segment_size = run.bytes.size();
    run.count = 1;
    run.to = to;
    run.first = std::move(datagram);
  }
  hand_in(run);
}

/// Out as packets. A kernel that knows the path's MTU refuses the send, and the session is told.
void Endpoint::emit(Association& a, ByteSpan train, std::size_t segment_size, const Address& to, std::uint8_t ecn) {
  const std::size_t step = segment_size == 0 ? train.size() : segment_size;
  bool refused = false;
  for (std::size_t at = 0; at < train.size(); at += step)
    refused = !setup_.emit(to, ecn, train.subspan(at, std::min(step, train.size() - at))) || refused;
  if (refused) a.session().on_datagram_too_big(now_, std::min(step, train.size()));
}

bool Endpoint::send_train(Association& a) {
  Judge& judge = setup_.judge;
  const transport::DataBudget budget = a.session().data_budget(now_);
  if (budget.packets == 0) {
    budget_retry_ = std::min(budget_retry_, budget.retry_at);
    judge.expect(budget.retry_at > now_, "data_budget says to come back at once");
    return false;
  }
  judge.expect(budget.payload_per_packet > 0 && budget.packets_per_train > 0, "a budget of packets without room");
  const std::uint64_t before = a.session().stats().bytes_in_flight;
  const transport::SealedTrain train = a.user().seal(a.session(), now_, out_);
  if (train.consumed == 0) return false;
  judge.expect(train.packets <= budget.packets && train.packets <= 128, "a train is longer than its budget");
  judge.expect(train.train_bytes <= wire::kMaxDatagram && train.segment_size > 0 &&
                   (train.train_bytes + train.segment_size - 1) / train.segment_size == train.packets &&
                   train.train_bytes == train.consumed + train.packets * wire::kDataOverhead,
               "a train's lengths do not add up");
  const transport::SessionStats after = a.session().stats();
  judge.expect(after.bytes_in_flight <= after.congestion_window || (before == 0 && train.packets == 1),
               "more is in flight than the congestion window allows");
  judge.expect(after.bytes_in_flight == before + train.train_bytes, "a sealed train is not wholly in flight");
  a.check_sent(judge, setup_.trace, now_, ByteSpan(out_).first(train.train_bytes), train.segment_size, train.to);
  emit(a, ByteSpan(out_).first(train.train_bytes), train.segment_size, train.to, train.ecn);
  return true;
}

bool Endpoint::pump(Association& a) {
  int sent = 0;
  do {
    while (const auto t = a.session().poll_transmit(now_, out_)) {
      const ByteSpan bytes = ByteSpan(out_).first(t->bytes);
      a.check_sent(setup_.judge, setup_.trace, now_, bytes, 0, t->to);
      emit(a, bytes, 0, t->to, t->ecn);
      if (++sent > kMaxDatagramsPerTurn) break;
    }
    if (++sent > kMaxDatagramsPerTurn) {
      setup_.judge.fail("poll_transmit never comes to an end");
      return true;
    }
  } while (a.session().established() && a.user().wants_to_send() && send_train(a));
  return sent > 1;
}

void Endpoint::turn(Instant world_now) {
  ++turns_;
  last_turn_ = world_now;
  next_turn_ = Instant::never();
  budget_retry_ = Instant::never();
  now_ = clock_.local(world_now);
  hand_in_all();
  for (Association& a : associations_) {
    if (a.session().next_deadline() <= now_) a.session().on_timeout(now_, a.user());
    a.user().turn(a.session(), now_);
    const bool sent = pump(a);
    a.check_turn(setup_.judge, now_, sent);
  }
  reap();
  plan(world_now);
}

void Endpoint::reap() {
  for (auto it = associations_.begin(); it != associations_.end();) {
    if (it->session().state() != SessionState::kClosed) {
      ++it;
      continue;
    }
    setup_.judge.expect(it->session().next_deadline().is_never(), "a closed session still has a timer");
    by_id_.erase(it->session().local_id().value());
    std::erase_if(by_initiator_, [&](const auto& entry) { return entry.second == &*it; });
    it = associations_.erase(it);
  }
}

void Endpoint::plan(Instant world_now) {
  const HostProfile& host = setup_.scenario.hosts[setup_.side];
  const Duration late(static_cast<std::int64_t>(rng_.below(static_cast<std::uint64_t>(host.lateness.count()) + 1)) + 1);
  Instant at = clock_.world(budget_retry_);
  for (Association& a : associations_)
    at = std::min({at, clock_.world(a.session().next_deadline()), clock_.world(a.user().wake_at())});
  if (!inbox_.empty()) at = std::min(at, last_turn_ + host.batch_window);
  if (at.is_never()) {
    next_turn_ = at;
    return;
  }
  next_turn_ = std::max({at, world_now, stalled_until_}) + late;
}

}  // namespace peernet::sim
