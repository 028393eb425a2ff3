#include "transport/session.hpp"

#include <algorithm>

#include "transport/session_parts.hpp"

namespace peernet::transport {
namespace {

/// The handler is borrowed for one call; nothing may keep it.
class Borrowed {
 public:
  Borrowed(SessionHandler*& slot, SessionHandler& handler) : slot_(slot) {
    PN_CHECK(slot_ == nullptr);  // no re-entry
    slot_ = &handler;
  }
  ~Borrowed() { slot_ = nullptr; }
  Borrowed(const Borrowed&) = delete;
  Borrowed& operator=(const Borrowed&) = delete;

 private:
  SessionHandler*& slot_;
};

SessionConfig checked(SessionConfig config) {
  PN_CHECK(config.parameters.ciphers != 0 && config.epoch_shift >= 8 && config.max_window >= 2 * MtuSearch::kBase);
  config.parameters.ack_delay_max_ms =
      static_cast<std::uint16_t>(std::chrono::duration_cast<std::chrono::milliseconds>(AckTracker::kMaxDelay).count());
  config.parameters.idle_timeout_ms = std::max(
      static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::milliseconds>(config.idle_timeout).count()),
      wire::kMinIdleTimeoutMs);
  return config;
}

}  // namespace

Session::Parts::Parts(const SessionConfig& configuration, std::unique_ptr<crypto::Handshake> tls, Instant now)
    : config(checked(configuration)),
      secret(configuration.secret),
      rng(secret.next()),
      created_at(now),
      initial(std::make_unique<crypto::InitialProtection>(configuration.aead_backend)),
      remote_id(configuration.role == Role::kInitiator ? configuration.first_receiver_id : configuration.remote_id),
      recovery(configuration.max_packets_in_flight),
      frames({configuration.small_frames, configuration.large_frames}),
      rtt(configuration.initial_rtt),
      congestion(make_cubic({MtuSearch::kBase, configuration.max_window})),
      mtu(datagram_limit(configuration.remote), configuration.mtu_search),
      ecn(configuration.ecn),
      path(configuration.remote, configuration.role == Role::kInitiator || configuration.address_validated),
      skip_at(64 + secret.below(256)),
      last_heard_at(now),
      last_sent_at(now) {
  config.parameters.max_datagram = static_cast<std::uint16_t>(std::max<std::size_t>(
      std::min<std::size_t>(config.parameters.max_datagram, wire::kMaxDatagram), wire::kMinDatagram));
  exchange.emplace(config.role, config.parameters, std::move(tls), config.initial_rtt);
}

Session::Session(const SessionConfig& config, std::unique_ptr<crypto::Handshake> handshake, Instant now)
    : parts_(std::make_unique<Parts>(config, std::move(handshake), now)) {}
Session::~Session() = default;
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;

void Session::on_datagram(Instant now, const Datagram& datagram, SessionHandler& handler) {
  const Borrowed borrowed(parts_->handler, handler);
  parts_->on_datagram(now, datagram);
}

void Session::on_timeout(Instant now, SessionHandler& handler) {
  const Borrowed borrowed(parts_->handler, handler);
  parts_->on_timeout(now);
}

Instant Session::next_deadline() const {
  return parts_->next_deadline();
}

std::optional<Transmit> Session::poll_transmit(Instant now, MutableByteSpan out) {
  return parts_->poll_transmit(now, out);
}

std::size_t Session::transmit_buffer_bytes() const {
  return parts_->mtu.limit();
}

bool Session::send(const wire::Frame& frame) {
  if (parts_->state != SessionState::kEstablished) return false;
  const wire::FrameType type = wire::type_of(frame);
  PN_CHECK(type == wire::FrameType::kPing || type >= wire::FrameType::kJoin);  // the others are the session's own
  return parts_->push_frame(frame, FrameStore::For::kOwner);
}

std::size_t Session::max_frame_bytes() const {
  return FrameStore::kLargeBytes;
}
std::size_t Session::frame_room() const {
  return parts_->frames.room();
}

std::size_t Session::large_frame_room() const {
  return parts_->frames.large_room();
}

DataBudget Session::data_budget(Instant now) const {
  return parts_->data_budget(now);
}

SealedTrain Session::seal_data(Instant now, const DataToSeal& data, MutableByteSpan train) {
  return parts_->seal_data(now, data, train);
}

void Session::close(Instant now, wire::CloseCode code, std::string_view text, SessionHandler& handler) {
  if (parts_->handler == nullptr) {
    const Borrowed borrowed(parts_->handler, handler);
    parts_->finish(now, CloseCause::kLocal, code, text);
  } else {
    parts_->finish(now, CloseCause::kLocal, code, text);  // from inside a callback: its handler is told
  }
}

void Session::set_window_hint(std::uint64_t bytes) {
  parts_->acks.set_window_hint(bytes);
}

void Session::on_datagram_too_big(Instant now, std::size_t datagram_bytes) {
  if (parts_->mtu.on_too_big(now,
                             static_cast<std::uint32_t>(std::min<std::size_t>(datagram_bytes, wire::kMaxDatagram))))
    parts_->set_datagram_size();
}

SessionState Session::state() const {
  return parts_->state;
}
Role Session::role() const {
  return parts_->config.role;
}
SessionId Session::local_id() const {
  return parts_->config.local_id;
}
SessionId Session::remote_id() const {
  return parts_->remote_id;
}
std::uint64_t Session::initiator_id() const {
  return parts_->config.initiator_id;
}
const Address& Session::remote() const {
  return parts_->path.remote();
}
const NodeId& Session::peer() const {
  return parts_->peer;
}
const wire::Parameters& Session::peer_parameters() const {
  return parts_->peer_parameters;
}
const Hash256& Session::binding() const {
  return parts_->binding;
}
SessionStats Session::stats() const {
  return parts_->snapshot();
}
Duration Session::rtt() const {
  return parts_->rtt.smoothed();
}
Duration Session::min_rtt() const {
  return parts_->rtt.minimum();
}
Instant Session::last_heard() const {
  return parts_->last_heard_at;
}
bool Session::is_app_limited() const {
  return parts_->app_limited;
}
void Session::check_invariants() const {
  parts_->check_invariants();
}

SessionStats Session::Parts::snapshot() const {
  SessionStats out = stats;
  out.pto_count = recovery.pto_count();
  out.congestion_window = congestion->window();
  out.bytes_in_flight = recovery.bytes_in_flight();
  out.srtt = rtt.smoothed();
  out.min_rtt = rtt.minimum();
  out.rttvar = rtt.variance();
  out.delivery_rate = rate.best();
  if (keys) {
    out.key_epoch_send = keys->sealer.epoch().value();
    out.key_epoch_receive = keys->opener.epoch().value();
  }
  out.mtu = mtu.current();
  out.ecn_capable = ecn.capable();
  out.in_slow_start = congestion->in_slow_start();
  return out;
}

void Session::Parts::check_invariants() const {
  recovery.check_invariants();
  frames.check_invariants();
  // Every carried frame belongs to exactly one packet in flight.
  std::uint32_t carried = 0;
  const SentPackets& packets = recovery.packets();
  for (std::uint64_t pn = packets.first(); pn != packets.next(); ++pn) {
    const SentPacket& packet = packets[pn];
    if (packet.state == PacketState::kInFlight && !packet.is_data())
      carried += frames.chain_length(static_cast<std::uint16_t>(packet.offset));
  }
  PN_CHECK(carried == frames.carried());
  PN_CHECK(congestion->window() >= 2 * std::uint64_t{mtu.current()});
}

}  // namespace peernet::transport
