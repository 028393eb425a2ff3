#include "sim/association.hpp"

#include <algorithm>
#include <cmath>

#include "wire/packet.hpp"

namespace peernet::sim {

using transport::SessionState;
using transport::SessionStats;

namespace {

/// What must not move for a packet that its peer did not make. Counters of drops may.
bool same_but_drops(const SessionStats& a, const SessionStats& b) {
  return a.packets_sent == b.packets_sent && a.packets_received == b.packets_received &&
         a.data_bytes_received == b.data_bytes_received && a.packets_lost == b.packets_lost &&
         a.packets_spurious == b.packets_spurious && a.acks_received == b.acks_received &&
         a.ce_received == b.ce_received && a.congestion_events == b.congestion_events && a.pto_total == b.pto_total &&
         a.pto_count == b.pto_count && a.congestion_window == b.congestion_window &&
         a.bytes_in_flight == b.bytes_in_flight && a.srtt == b.srtt && a.min_rtt == b.min_rtt && a.rttvar == b.rttvar &&
         a.key_epoch_send == b.key_epoch_send && a.key_epoch_receive == b.key_epoch_receive && a.mtu == b.mtu &&
         a.path_changes == b.path_changes;
}

template <class F>
void each_segment(ByteSpan bytes, std::size_t segment_size, F f) {
  const std::size_t step = segment_size == 0 ? bytes.size() : segment_size;
  for (std::size_t at = 0; at < bytes.size(); at += step) f(bytes.subspan(at, std::min(step, bytes.size() - at)));
}

}  // namespace

Association::Association(std::unique_ptr<transport::Session> session, SessionUser& user,
                         std::unique_ptr<SessionUser> owned, std::uint64_t incarnation, std::uint8_t epoch_shift)
    : owned_(std::move(owned)),
      user_(&user),
      session_(std::move(session)),
      incarnation_(incarnation),
      epoch_shift_(epoch_shift) {}

void Association::Arrived::add(std::uint64_t number) {
  if (number >= numbers.size()) numbers.resize(number + 1);
  if (!numbers[number]) ++count;
  numbers[number] = true;
}

void Association::check_packet(Judge& judge, ByteSpan packet) {
  const auto header = wire::decode_header(packet);
  if (!header) return judge.fail("a packet was sent that does not parse");
  const bool handshake = header->type == wire::PacketType::kHandshake;
  judge.expect(header->type != wire::PacketType::kRetry, "a session sent RETRY");
  judge.expect(packet[1] <= std::byte{wire::kFlagAckNow} && packet[2] == std::byte{0} && packet[3] == std::byte{0},
               "reserved header bits are not zero");
  judge.expect(header->receiver == session_->remote_id(), "a packet carries a receiver id that is not the peer's");
  std::uint64_t& next = handshake ? next_handshake_ : next_sealed_;
  judge.expect(header->number.value() >= next, "a packet number was used twice, or went back");
  if (!handshake && header->number.value() > next) newest_skipped_ = header->number.value() - 1;
  next = header->number.value() + 1;
  if (handshake) return;
  judge.expect(session_->state() != SessionState::kHandshake,
               "a sealed packet was sent before the handshake was finished");
}

void Association::check_sent(Judge& judge, Trace& trace, Instant now, ByteSpan bytes, std::size_t segment_size,
                             const Address& to) {
  const bool first = next_handshake_ == 0 && next_sealed_ == 0;
  if (first && session_->role() == transport::Role::kInitiator)
    judge.expect(bytes.size() >= wire::kMinDatagram, "the initiator's first packet is not padded to 1200 bytes");
  each_segment(bytes, segment_size, [&](ByteSpan packet) {
    check_packet(judge, packet);
    ByteReader r(packet);
    trace.add(now);
    trace.add(r.u64());  // type, flags and receiver
    trace.add(r.u64());  // number
    trace.add(packet.size());
    if (packet[0] == static_cast<std::byte>(wire::PacketType::kData)) trace.add(r.u64());  // request and offset
  });
  ledger_.on_sent(judge, to, bytes.size());
}

void Association::before_genuine(Instant now, ByteSpan bytes, std::size_t segment_size) {
  remote_before_ = session_->remote();
  batch_end_ = 0;
  state_before_ = session_->state();
  last_arrival_ = now;
  ptos_at_last_arrival_ = session_->stats().pto_total;
  each_segment(bytes, segment_size, [&](ByteSpan packet) {
    const auto header = wire::decode_header(packet);
    if (!header || header->type == wire::PacketType::kRetry) return;
    if (header->type == wire::PacketType::kHandshake) {
      ++handshakes_arrived_;
      return;
    }
    sealed_arrived_.add(header->number.value());
    batch_end_ = std::max(batch_end_, header->number.value() + 1);
  });
}

void Association::after_genuine(Judge& judge) {
  if (session_->remote() != remote_before_ && state_before_ == SessionState::kEstablished)
    judge.expect(batch_end_ > opened_end_, "an old packet moved the path");
  if (session_->state() != SessionState::kHandshake) opened_end_ = std::max(opened_end_, batch_end_);
  const SessionStats stats = session_->stats();
  judge.expect(stats.packets_received <= sealed_arrived_.count + handshakes_arrived_, "a packet was taken twice");
  judge.expect(stats.key_epoch_receive >= receive_epoch_, "the receiving key epoch went back");
  receive_epoch_ = stats.key_epoch_receive;
  if (sealed_arrived_.count != 0)
    judge.expect(receive_epoch_ <= (sealed_arrived_.numbers.size() - 1) >> epoch_shift_,
                 "the receiving key epoch ran ahead of the packets");
}

void Association::before_forged() {
  stats_before_ = session_->stats();
  state_before_ = session_->state();
  remote_before_ = session_->remote();
  deadline_before_ = session_->next_deadline();
}

void Association::after_forged(Judge& judge) {
  judge.expect(session_->state() == state_before_ && same_but_drops(session_->stats(), stats_before_),
               "a forged packet changed the session");
  judge.expect(session_->remote() == remote_before_, "a forged packet moved the path");
  // Each byte from an address that is not validated is worth three, so timers that waited for them may start; and who
  // is closing repeats its CLOSE to whoever sends.
  if (state_before_ == SessionState::kEstablished && stats_before_.path_changes == 0)
    judge.expect(session_->next_deadline() == deadline_before_, "a forged packet moved a timer");
}

void Association::check_turn(Judge& judge, Instant now, bool sent_something) {
  const SessionStats stats = session_->stats();
  // The walk over all records is long in wide windows; every turn while they are few, then every 16th.
  if (stats.bytes_in_flight < 300'000 || ++turns_ % 16 == 0) session_->check_invariants();
  if (next_sealed_ > 0)
    judge.expect(stats.key_epoch_send == (next_sealed_ - 1) >> epoch_shift_,
                 "the sending key epoch is not that of the packet numbers");

  if (session_->next_deadline() <= now && !sent_something)
    ++idle_wakeups_;
  else
    idle_wakeups_ = 0;
  judge.expect(idle_wakeups_ < 16, "a timer loop: the deadline has come, again and again, and nothing happens");

  // While nothing arrives, probes must thin out: n of them take at least the sum of n doubling intervals of 1 ms.
  const std::uint64_t probes = stats.pto_total - std::min(ptos_at_last_arrival_, stats.pto_total);
  const double silent_ms = static_cast<double>((now - last_arrival_).count()) * 1e-6;
  const bool too_many = static_cast<double>(probes) > std::log2(silent_ms + 1) + 2 + silent_ms / 1000;
  if (probes >= 6 && last_arrival_ != Instant() && too_many)
    judge.fail("probes into silence do not thin out: " + std::to_string(probes) + " in " +
               std::to_string(static_cast<std::int64_t>(silent_ms)) + " ms");
}

}  // namespace peernet::sim
