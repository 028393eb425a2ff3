// What happens to a pair: the timed events of its scenario, healing, and the attacker's strikes.
#include "sim/pair.hpp"

namespace peernet::sim {

void Pair::close_by_choice(std::size_t side) {
  Association* association = side == kClient ? client_side() : server_side();
  if (association == nullptr || !association->session().established() || phase_ != Phase::kTransfer) return;
  endpoints_[side]->close(now_, *association);
  advance_phase();
}

void Pair::restart(std::size_t side) {
  if (phase_ != Phase::kTransfer) return;
  endpoints_[side]->restart();
  planned_[side] = Instant::never();
  if (side == kClient && !requester_->session_ended()) requester_->on_closed({});
  advance_phase();
}

std::uint64_t Pair::skips_of_server() {
  const Association* theirs = server_side();
  return theirs == nullptr ? 0 : theirs->newest_skipped();
}

/// The client's node turns evil for one packet; then it is what it was, and starts anew.
void Pair::tell(Lie lie) {
  Association* mine = client_side();
  Association* theirs = server_side();
  if (mine == nullptr || theirs == nullptr || !mine->session().established() || !theirs->session().established())
    return;
  if (phase_ != Phase::kTransfer || !handshakes_[kClient]->last_secrets()) return;
  const std::uint64_t sent = theirs->sealed_packets_sent();
  if (sent == 0) return;
  LyingPacket packet;
  packet.lie = lie;
  packet.keys.cipher = scenario_.aes_256 ? crypto::Cipher::kAes256Gcm : crypto::Cipher::kAes128Gcm;
  packet.keys.epoch_shift = scenario_.epoch_shift;
  packet.secret = handshakes_[kClient]->last_secrets()->initiator_to_responder;
  packet.victim = theirs->session().local_id();
  packet.number = PacketNumber(mine->sealed_packets_sent());
  packet.newest_of_victim = PacketNumber(sent - 1);
  Datagram d;
  d.bytes = make_lie(packet);
  d.from = client_addresses_.back();
  d.to = d.meant_for = server_address_;
  d.incarnation = incarnation_;
  d.lie = true;
  static_cast<Source&>(theirs->user()).distrust();
  deliver(kServer, std::move(d));
}

void Pair::begin(const TimedEvent& event) {
  if (healed_) return;
  say("begin", name_of(event.kind));
  const Address old = client_addresses_.back();
  switch (event.kind) {
    case EventKind::kCutUp:
      links_[kClient]->set_cut(true);
      break;
    case EventKind::kCutDown:
      links_[kServer]->set_cut(true);
      break;
    case EventKind::kCutBoth:
      for (auto& link : links_) link->set_cut(true);
      break;
    case EventKind::kMtu:
      for (auto& link : links_) link->profile().mtu = static_cast<std::uint32_t>(event.value);
      break;
    case EventKind::kDelay:
      for (auto& link : links_) link->profile().delay = Duration(static_cast<std::int64_t>(event.value));
      break;
    case EventKind::kRate:
      for (auto& link : links_) link->profile().rate = event.value;
      break;
    case EventKind::kRebindPort:
      client_addresses_.push_back(old);
      ++client_addresses_.back().port;
      break;
    case EventKind::kRebindAddress:
      client_addresses_.push_back(old);
      client_addresses_.back().ip[15] = static_cast<std::byte>(client_addresses_.size());  // a number it never had
      break;
    case EventKind::kStallClient:
      endpoints_[kClient]->stall(now_ + event.lasts);
      break;
    case EventKind::kStallServer:
      endpoints_[kServer]->stall(now_ + event.lasts);
      break;
    case EventKind::kCloseClient:
      close_by_choice(kClient);
      break;
    case EventKind::kCloseServer:
      close_by_choice(kServer);
      break;
    case EventKind::kRestartClient:
      restart(kClient);
      break;
    case EventKind::kRestartServer:
      restart(kServer);
      break;
    case EventKind::kLie:
      // A number that was left out long ago is forgotten, so this one waits for the next.
      if (static_cast<Lie>(event.value) == Lie::kAckOfSkipped)
        skips_known_ = skips_of_server();
      else
        tell(static_cast<Lie>(event.value));
      break;
    case EventKind::kJumpClient:
      endpoints_[kClient]->jump_clock(now_, event.lasts);
      break;
    case EventKind::kJumpServer:
      endpoints_[kServer]->jump_clock(now_, event.lasts);
      break;
  }
  if (client_addresses_.back() != old) numbered_.push_back(client_addresses_.back());
  plan_turn(kClient);
  plan_turn(kServer);
}

void Pair::end(const TimedEvent& event) {
  if (event.kind == EventKind::kCutUp || event.kind == EventKind::kCutBoth) links_[kClient]->set_cut(false);
  if (event.kind == EventKind::kCutDown || event.kind == EventKind::kCutBoth) links_[kServer]->set_cut(false);
}

void Pair::heal() {
  say("heal");
  healed_ = true;
  attacker_.stop_moving_paths();
  for (const std::size_t side : {kClient, kServer}) {
    links_[side]->profile() = scenario_.heal[side];
    links_[side]->set_cut(false);
  }
  deadline_ = now_ + scenario_.finish_within;
  queue_.push(deadline_ + 1ns, Look{});
}

void Pair::strike() {
  if (healed_ && !scenario_.attack_after_heal) return;
  if (phase_ >= Phase::kClose) return;
  Datagram d = attacker_.strike({client_addresses_.back(), server_address_});
  const std::size_t target = attacker_.target();
  // He sits on the path: what is too long for it does not pass, whoever sends it. While it hurts he is quicker than the
  // path, and each packet that he carries ahead of itself is a wrong round trip; then he is not.
  const LinkProfile& path = links_[1 - target]->profile();
  const Duration ahead = healed_ ? path.delay : Duration::zero();
  const Duration later(static_cast<std::int64_t>(rng_.below(20'000'000)));
  if (ip_bytes(d) <= path.mtu) queue_.push(now_ + ahead + later, Arrive{target, std::move(d)});
  if (const auto next = attacker_.next_in()) queue_.push(now_ + *next, Strike{});
}

}  // namespace peernet::sim
